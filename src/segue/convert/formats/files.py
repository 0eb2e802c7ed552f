"""Writing JSON lists and JSON lines one record at a time, and what all readers share."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.convert.dialogue import Dialogue, Kind, Turn
from segue.convert.formats import Writer
from segue.convert.json_records import records
from segue.dialects import DIALECTS, Dialect, Pointed, Wanted
from segue.errors import InputError

ToRecords = Callable[[Dialogue], Iterable[Mapping[str, Any]]]


class _Lines:
    def __init__(self, put: Callable[[str], Any], to_records: ToRecords, between: str) -> None:
        self._put = put
        self._to_records = to_records
        self._between = between
        self._first = True

    def write(self, dialogue: Dialogue) -> None:
        for value in self._to_records(dialogue):
            self._put("" if self._first else self._between)
            self._put(json.dumps(value, ensure_ascii=False))
            self._first = False


@contextmanager
def json_list(path: Path, to_records: ToRecords) -> Iterator[Writer]:
    """A writer of one JSON list, a record a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[\n")
        yield _Lines(file.write, to_records, ",\n")
        file.write("\n]\n")


@contextmanager
def json_lines(path: Path, to_records: ToRecords) -> Iterator[Writer]:
    """A writer of JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield _Lines(file.write, to_records, "\n")
        file.write("\n")


def read_with(
    path: Path, to_dialogue: Callable[[Mapping[str, Any], str], Dialogue]
) -> Iterator[Dialogue]:
    """Read records; what a record lacks becomes an error that names it.

    Args:
        path: the file.
        to_dialogue: gets a record, and a name for it in case it has none.
    """
    for number, value in enumerate(records(path), 1):
        try:
            yield to_dialogue(value, f"{path.stem}-{number}")
        except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
            raise InputError(
                f"Record {number} of {path} has another form than expected "
                f"({type(error).__name__}: {error})."
            ) from error


def assistant(text: str) -> Turn:
    """A turn of the assistant with its kind and phrases read from its markup."""
    reader: Dialect = DIALECTS.load("qwen_vl")
    events = list(reader.read([text]))
    wanted = [event.phrase for event in events if isinstance(event, Wanted)]
    pointed = [event.phrase for event in events if isinstance(event, Pointed)]
    kind: Kind = "tag" if wanted else "box" if pointed else "plain"
    return Turn("assistant", text, kind, tuple(dict.fromkeys(wanted or pointed)))


def absolute(path: str) -> str:
    """Trainers run elsewhere: a path that does not depend on the folder one is in."""
    return str(Path(path).absolute())
