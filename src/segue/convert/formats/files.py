"""Writing JSON lists and JSON lines one record at a time, and what all readers share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import DAMAGE
from segue.annotations.fields import short_repr
from segue.convert.dialogue import Dialogue, Dropped, Kind, Turn
from segue.convert.formats import Writer
from segue.convert.json_records import Damage, readings
from segue.dialects import DIALECTS, BoxMention, DetectRequest, Dialect
from segue.errors import InputError
from segue.files.atomic import json_text, printable_path

ToRecords = Callable[[Dialogue], Iterable[Mapping[str, Any]]]
UNREADABLE = "record cannot be read"
CUT_OFF = "nothing behind it can be read"
"""The reason of the last record of a file that is damaged in the middle."""


class _Lines:
    def __init__(self, put: Callable[[str], Any], to_records: ToRecords, between: str) -> None:
        self._put = put
        self._to_records = to_records
        self._between = between
        self._first = True

    def write(self, dialogue: Dialogue) -> None:
        for value in self._to_records(dialogue):
            self._put("" if self._first else self._between)
            self._put(json_text(value))
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
) -> Iterator[Dialogue | Dropped]:
    """Read records; one that makes no sense is dropped with the reason, and the next is read.

    Args:
        path: the file.
        to_dialogue: gets a record, and a name for it in case it has none.

    Raises:
        InputError: the file cannot be read.
    """
    for number, value in enumerate(readings(path), 1):
        place = f"Record {number} of {printable_path(path.name)}"
        if isinstance(value, Damage):
            yield Dropped(place, CUT_OFF if value.final else UNREADABLE, value.message)
            continue
        try:
            yield _placed(to_dialogue(value, f"{path.stem}-{number}"), path.parent)
        except DAMAGE as error:
            yield Dropped(place, UNREADABLE, _detail(error))


def assistant(text: str) -> Turn:
    """A turn of the assistant with its kind and phrases read from its markup."""
    reader: Dialect = DIALECTS.load("qwen_vl")
    events = list(reader.read([text]))
    wanted = [event.phrase for event in events if isinstance(event, DetectRequest)]
    pointed = [event.phrase for event in events if isinstance(event, BoxMention)]
    kind: Kind = "tag" if wanted else "box" if pointed else "plain"
    return Turn("assistant", text, kind, tuple(dict.fromkeys(wanted or pointed)))


def turn_of_role(role: Any, text: str) -> Turn:
    """A turn of a role that a file names.

    Raises:
        InputError: there is no such role.
    """
    if role == "assistant":
        return assistant(text)
    if role not in ("user", "system", "tool"):
        raise InputError(f"a turn has the role {short_repr(role)}")
    return Turn(role, text)


def absolute(path: str) -> str:
    """Trainers run elsewhere: a path that does not depend on the folder one is in."""
    return str(Path(path).absolute())


def is_file(path: Path) -> bool:
    """Whether there is a file of that name; a name that no system can hold names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _placed(dialogue: Dialogue, folder: Path) -> Dialogue:
    """Relative pictures that lie beside the file, and not where the program runs, found there."""
    images = tuple(
        str(folder / image)
        if not Path(image).is_absolute() and not is_file(Path(image)) and is_file(folder / image)
        else image
        for image in dialogue.images
    )
    return dialogue if images == dialogue.images else replace(dialogue, images=images)


def _detail(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing or not known"
    return str(error) or f"it has another form than expected ({type(error).__name__})"
