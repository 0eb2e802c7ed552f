"""Lists of pictures: a path a line, or a table with a column of paths and one of questions.

A list is the user's own: it may name any file, and addresses of object storage. Relative names
begin at the folder of the list, or at one that is given.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text, read_text
from segue.files.unicode import is_well_formed
from segue.runs.sources.locations import FileLocation, ObjectLocation, PictureLocation
from segue.runs.sources.object_storage import check_address, is_address, join_address
from segue.runs.sources.picture import SourcePicture

TABLE_SUFFIXES = frozenset([".csv", ".tsv", ".jsonl"])
LIKELY_COLUMNS = ("path", "file_name", "filename", "file", "image", "picture")
"""Names of a column of paths, the likeliest first."""


def location_below(folder: str | Path, name: str, source: str) -> PictureLocation:
    """Return the location that a name in a list means.

    Args:
        folder: where relative names begin; a path, or an address of object storage.
        name: a path, or an address of object storage.
        source: the list, for messages.

    Raises:
        InputError: it is no path, an address of another protocol, or leads out of an address.
    """
    if "\0" in name:
        raise InputError(f"{source} holds {name[:80]!r}, which is no path.")
    if is_address(name):
        return ObjectLocation(check_address(name))
    if is_address(str(folder)):
        return ObjectLocation(check_address(join_address(str(folder), name)))
    return FileLocation(Path(folder) / name)


def pictures_of_list(file: Path, folder: str | Path) -> Iterator[SourcePicture]:
    """Yield the pictures of a list with a path a line.

    Raises:
        InputError: it cannot be read, or a line is no path.
    """
    for line in read_text(file).splitlines():
        if name := line.strip():
            yield SourcePicture(_name_of(name), location_below(folder, name, str(file)))


def pictures_of_table(
    file: Path,
    folder: str | Path,
    image_column: str | None,
    ask_column: str | None,
    problems: list[str],
) -> Iterator[SourcePicture]:
    """Yield the pictures of a table: CSV or TSV with a heading, or JSON lines.

    Args:
        file: the table.
        folder: where relative names begin.
        image_column: the column of paths; None: it is found.
        ask_column: the column of questions; None: there is none.
        problems: gets a sentence about rows that are left out.

    Raises:
        InputError: it cannot be read, or has no such column.
    """
    n_unreadable, first_problem = 0, ""
    column = image_column
    for number, row in _rows_of(file):
        if row is not None and column is None:
            column = next((name for name in LIKELY_COLUMNS if name in row), None)
        if row is not None and (missing := _missing_column(row, column, ask_column)):
            raise InputError(
                f"{printable_path(file)} has no column {missing}, but "
                f"{', '.join(map(str, row)) or 'none at all'}."
            )
        name = None if row is None or column is None else row.get(column)
        if not isinstance(name, str) or not name.strip() or not is_well_formed(name):
            n_unreadable += 1
            first_problem = first_problem or f"line {number}"
            continue
        location = location_below(folder, name.strip(), str(file))
        question = row.get(ask_column) if row is not None and ask_column is not None else None
        yield SourcePicture(
            _name_of(name.strip()), location, question=question if question else None
        )
    if n_unreadable:
        problems.append(
            f"{printable_path(file)} has {n_unreadable} row(s) without a path, the first in "
            f"{first_problem}; they are left out."
        )


def _missing_column(
    row: Mapping[str, Any], column: str | None, ask_column: str | None
) -> str | None:
    """Return which column a row lacks, and how it is named; None: it has both."""
    if column is None:
        return f"of paths ({', '.join(LIKELY_COLUMNS)}; --image-column names another)"
    is_json_row = not isinstance(row, _TableRow)
    if column not in row and not is_json_row:
        return f"{column!r}"
    if ask_column is not None and ask_column not in row and not is_json_row:
        return f"{ask_column!r}"
    return None


class _TableRow(dict[str, Any]):
    """A row of a table with a heading: all rows have the same columns."""


def _rows_of(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    """Yield line numbers and rows; None for a row that cannot be read."""
    with open_text(file) as text:
        if file.suffix.lower() == ".jsonl":
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, _json_object(line)
            return
        reader = csv.DictReader(
            text, delimiter="\t" if file.suffix.lower() == ".tsv" else ",", restval=""
        )
        try:
            for row in reader:
                row.pop(None, None)  # cells beyond the heading
                yield reader.line_num, _TableRow(row)
        except csv.Error as error:
            raise InputError(
                f"{printable_path(file)} cannot be read as a table, in line {reader.line_num}: "
                f"{error}."
            ) from error


def _json_object(line: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _name_of(path: str) -> str:
    """Return the name of a picture in a list: its path, without what leads it to a root."""
    if is_address(path):
        return path.partition("://")[2].lstrip("/")
    return Path(path).as_posix().lstrip("/")
