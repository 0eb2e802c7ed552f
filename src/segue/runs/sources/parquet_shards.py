"""Parquet shards: a column of pictures, and perhaps one of questions.

A cell holds the bytes of a picture file, or a struct of `bytes` and `path`, as the library datasets
of Hugging Face writes it. A path without bytes names a file below the folder of the shard, and
nothing else: the text of a cell opens neither other files nor addresses.

Rows are read by row group, of which the latest stay in memory; pictures in their order cost each
group one reading.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from segue.errors import InputError, MissingExtra
from segue.files.atomic import printable_path
from segue.runs.sources.object_storage import (
    ObjectFolder,
    Stamp,
    is_address,
    join_address,
    readable_errors,
)
from segue.runs.sources.shards import DamagedShard, open_place

LIKELY_COLUMNS = ("image", "picture", "img", "jpg", "png", "bytes")
"""Names of a column of pictures, the likeliest first, where the file does not say which it is."""
CACHED_GROUPS = 2

_lock = Lock()


@dataclass(frozen=True, slots=True)
class ParquetRow:
    """What is known of a row without reading its picture."""

    row: int
    path: str | None
    """What the struct says the picture was called; None: nothing."""
    question: str | None


def list_rows(
    place: str, image_column: str | None, ask_column: str | None
) -> tuple[str, list[ParquetRow]]:
    """List the rows of a shard.

    Args:
        place: path or address.
        image_column: the column of pictures; None: it is found.
        ask_column: the column of questions; None: there is none.

    Returns:
        The column of pictures, and the rows.

    Raises:
        InputError: it cannot be read, or has no such columns.
        MissingExtra: pyarrow is not installed.
    """
    arrow = _arrow()
    with ExitStack() as closing:
        file = _open_parquet(place, closing)
        schema = file.schema_arrow
        column = image_column or _find_image_column(schema, place)
        kind = _column_type(schema, column, place, "--image-column")
        if _content_kind(kind) is None:
            raise InputError(
                f"The column {column!r} of {printable_path(place)} holds {kind}, expected bytes, "
                "paths, or a struct with bytes and path."
            )
        leaves = []
        if arrow.types.is_struct(kind) and kind.get_field_index("path") >= 0:
            leaves.append(f"{column}.path")
        if ask_column is not None:
            question_type = _column_type(schema, ask_column, place, "--ask-column")
            if not _is_text(question_type):
                raise InputError(
                    f"The column {ask_column!r} of {printable_path(place)} holds {question_type}, "
                    "expected texts."
                )
            leaves.append(ask_column)
        with _readable_damage(place):
            return column, list(_rows_of(file, column, leaves, ask_column))


def read_cell(place: str, stamp: Stamp, row: int, column: str) -> bytes:
    """Return the bytes of a picture.

    Args:
        place: path or address of the shard.
        stamp: of the shard, so that one that changed is read anew.
        row: counted from 0 over all row groups.
        column: of the pictures.

    Raises:
        InputError: there is no such cell, it is empty, or names a file elsewhere.
        OSError: a file that it names cannot be read.
    """
    value = read_scalar(place, stamp, row, column).as_py()
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value:
        raise InputError("Its cell is empty.")
    return _read_named_file(place, value)


def read_scalar(place: str, stamp: Stamp, row: int, column: str) -> Any:
    """Return a cell as Arrow has it.

    Args:
        place: path or address of the shard.
        stamp: of the shard, so that one that changed is read anew.
        row: counted from 0 over all row groups.
        column: name of the column.

    Raises:
        InputError: there is no such cell, or the shard cannot be read.
    """
    with _lock, readable_errors(place):  # one at a time: several would read one group each
        starts = _group_starts(place, stamp)
        group = next((n for n, (start, end) in enumerate(starts) if start <= row < end), None)
        if group is None:
            raise InputError(f"Its shard has no row {row}.")
        return _read_group(place, stamp, group, column)[row - starts[group][0]]


def read_columns(place: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of some columns, as plain values.

    Raises:
        InputError: it cannot be read, or has no such column.
        MissingExtra: pyarrow is not installed.
    """
    with ExitStack() as closing:
        file = _open_parquet(place, closing)
        missing = [name for name in columns if file.schema_arrow.get_field_index(name) < 0]
        if missing:
            raise InputError(
                f"{printable_path(place)} has no column {missing[0]!r}, but "
                f"{', '.join(file.schema_arrow.names)}."
            )
        with _readable_damage(place):
            for batch in file.iter_batches(1024, columns=list(columns)):
                yield from batch.to_pylist()


def _rows_of(
    file: Any, column: str, leaves: list[str], ask_column: str | None
) -> Iterator[ParquetRow]:
    if not leaves:
        yield from (ParquetRow(row, None, None) for row in range(file.metadata.num_rows))
        return
    row = 0
    for batch in file.iter_batches(10_000, columns=leaves):
        for values in batch.to_pylist():
            cell = values.get(column)
            path = cell.get("path") if isinstance(cell, Mapping) else None
            question = None if ask_column is None else values.get(ask_column)
            yield ParquetRow(row, path, question)
            row += 1


def _find_image_column(schema: Any, place: str) -> str:
    """Return the column that the file marks as pictures, or the one that must be it.

    Raises:
        InputError: there is none, or several.
    """
    fields = {field.name: field.type for field in schema}
    features: Mapping[str, Any] = {}
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = metadata["info"]["features"]
        image_columns = [name for name, value in features.items() if value.get("_type") == "Image"]
    except (KeyError, TypeError, ValueError, AttributeError):
        image_columns = []
    candidates = [name for name in image_columns if name in fields]
    candidates = (
        candidates
        or [name for name in LIKELY_COLUMNS if name in fields and _content_kind(fields[name])][:1]
    )
    candidates = candidates or [
        name for name, kind in fields.items() if _content_kind(kind) == "bytes"
    ]
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(candidates or fields)
    reason = "several columns of pictures" if candidates else "no column of pictures"
    raise InputError(f"{printable_path(place)} has {reason}: {names}. Name it with --image-column.")


def _content_kind(kind: Any) -> str | None:
    """Return "bytes" or "path" for what a column of pictures may hold, else None."""
    types = _arrow().types
    if types.is_struct(kind):
        names = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)}
        if "bytes" in names and _content_kind(names["bytes"]) == "bytes":
            return "bytes"
        return "path" if "path" in names and _is_text(names["path"]) else None
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "bytes"
    return "path" if _is_text(kind) else None


def _is_text(kind: Any) -> bool:
    types = _arrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _column_type(schema: Any, column: str, place: str, option: str) -> Any:
    index = schema.get_field_index(column)
    if index < 0:
        raise InputError(
            f"{printable_path(place)} has no column {column!r}, but {', '.join(schema.names)}. "
            f"Name one of them with {option}."
        )
    return schema.field(index).type


def _read_named_file(place: str, name: str) -> bytes:
    """Read a file below the folder of a shard."""
    folder = place.rpartition("/")[0]
    if is_address(place):
        return ObjectFolder(join_address(folder, name)).read()
    path = PurePosixPath(name.replace("\\", "/"))
    if "\0" in name or path.is_absolute() or ".." in path.parts or is_address(name):
        raise InputError(f"Its cell names {printable_path(name)!r}, outside the shard's folder.")
    file = Path(folder or ".") / path
    if not file.resolve().is_relative_to(Path(folder or ".").resolve()):
        raise InputError(f"Its cell names {printable_path(name)!r}, outside the shard's folder.")
    if file.exists() and not file.is_file():
        raise InputError(f"Its cell names {printable_path(name)!r}, which is no file.")
    return file.read_bytes()


@lru_cache(maxsize=64)
def _group_starts(place: str, stamp: Stamp) -> tuple[tuple[int, int], ...]:
    """Return the first row of each row group, and the one behind its last."""
    with ExitStack() as closing:
        metadata = _open_parquet(place, closing).metadata
        bounds, start = [], 0
        for group in range(metadata.num_row_groups):
            end = start + metadata.row_group(group).num_rows
            bounds.append((start, end))
            start = end
        return tuple(bounds)


@lru_cache(maxsize=CACHED_GROUPS)
def _read_group(place: str, stamp: Stamp, group: int, column: str) -> Any:
    """Return the column of a row group."""
    with ExitStack() as closing:
        file = _open_parquet(place, closing)
        with _readable_damage(place):
            return file.read_row_group(group, columns=[column]).column(column)


def _open_parquet(place: str, closing: ExitStack) -> Any:
    """Open a shard, until the stack closes.

    Raises:
        InputError: it is not there, or no Parquet file.
    """
    _arrow()
    from pyarrow import parquet

    try:
        source = closing.enter_context(open_place(place))
    except OSError as error:
        raise DamagedShard(
            f"{printable_path(place)} cannot be read: {error.strerror or error}."
        ) from error
    with _readable_damage(place):
        return closing.enter_context(parquet.ParquetFile(source))


@contextmanager
def _readable_damage(place: str) -> Iterator[None]:
    """Turn errors of Arrow into a sentence about the shard.

    Raises:
        InputError: the shard is damaged.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, OverflowError, _arrow().ArrowException) as error:
        raise DamagedShard(
            f"{printable_path(place)} cannot be read as Parquet: {error}."
        ) from error


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.types
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Parquet shards need the 'annotate' extra (pyarrow is not installed). "
            "Run: pip install 'segue[annotate]'"
        ) from error
    return pyarrow
