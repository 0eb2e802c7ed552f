"""Parquet: the messages of the format "trl", and all that is known beside them.

Columns: id, kind, language, source, split, images (list of paths), messages (list of structs: role,
content as a list of structs: type, text), dialogue (the whole as JSON text, so that nothing is
lost). Written in groups of `ROWS`, so memory stays small.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import DAMAGE
from segue.convert.dialogue import Dialogue, Dropped
from segue.convert.formats import Writer
from segue.convert.formats.files import UNREADABLE, absolute
from segue.convert.formats.trl import messages
from segue.errors import InputError, MissingExtra
from segue.files.atomic import json_text, printable_path
from segue.files.unicode import well_formed

ROWS = 1000


class _Rows:
    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def write(self, dialogue: Dialogue) -> None:
        whole = dialogue.to_json()
        row = {key: whole[key] for key in ("id", "kind", "language", "source", "split")}
        row["images"] = [well_formed(absolute(image)) for image in dialogue.images]
        row["messages"] = messages(dialogue)
        row["dialogue"] = json_text(whole)
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            arrow = _pyarrow()
            self._writer.write_table(arrow.Table.from_pylist(self._rows, self._schema))
            self._rows.clear()


@contextmanager
def open_writer(path: Path) -> Iterator[Writer]:
    """A writer for this format.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    arrow = _pyarrow()
    from pyarrow import parquet

    text = arrow.string()
    part = arrow.struct([("type", text), ("text", text)])
    message = arrow.struct([("role", text), ("content", arrow.list_(part))])
    plain = [(name, text) for name in ("id", "kind", "language", "source", "split")]
    schema = arrow.schema(
        [
            *plain,
            ("images", arrow.list_(text)),
            ("messages", arrow.list_(message)),
            ("dialogue", text),
        ]
    )
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = _Rows(writer, schema)
        yield rows
        rows.flush()


def read(path: Path) -> Iterator[Dialogue | Dropped]:
    """Read a file of this format.

    Raises:
        MissingExtra: pyarrow is not installed.
        InputError: it cannot be read, or was not written here.
    """
    arrow = _pyarrow()
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS, columns=["dialogue"]):
                for row in batch.to_pylist():
                    number += 1
                    yield _dialogue(row["dialogue"], f"Row {number} of {printable_path(path.name)}")
    except (OSError, arrow.ArrowException, KeyError, ValueError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a Parquet file of dialogues: {error}.") from error


def _dialogue(text: Any, place: str) -> Dialogue | Dropped:
    try:
        return Dialogue.from_json(json.loads(text))
    except DAMAGE as error:
        return Dropped(place, UNREADABLE, str(error))


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Parquet needs the 'parquet' extra (pyarrow is not installed). "
            "Run: pip install 'segue[parquet]'"
        ) from error
    return pyarrow
