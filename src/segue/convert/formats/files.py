"""JSON lists and JSON lines, written record by record, and helpers of all readers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import DAMAGE
from segue.annotations.fields import short_repr
from segue.convert.dialogue import AnswerKind, Dialogue, DialogueTurn, DroppedRecord
from segue.convert.formats import DialogueWriter
from segue.convert.json_records import DamagedRecord, read_records_or_damage
from segue.dialects import DIALECTS, BoxMention, DetectRequest, Dialect
from segue.errors import InputError
from segue.files.atomic import json_text, printable_path

RecordMaker = Callable[[Dialogue], Iterable[Mapping[str, Any]]]
UNREADABLE_RECORD = "record cannot be read"
TRUNCATED_FILE = "nothing behind it can be read"
"""The reason given for the last record of a file that is damaged in the middle."""


class _JsonWriter:
    def __init__(self, put: Callable[[str], Any], to_records: RecordMaker, between: str) -> None:
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
def open_json_list(path: Path, to_records: RecordMaker) -> Iterator[DialogueWriter]:
    """Open a writer of one JSON list, with one record on each line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[\n")
        yield _JsonWriter(file.write, to_records, ",\n")
        file.write("\n]\n")


@contextmanager
def open_json_lines(path: Path, to_records: RecordMaker) -> Iterator[DialogueWriter]:
    """Open a writer of JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield _JsonWriter(file.write, to_records, "\n")
        file.write("\n")


def read_records_of(
    path: Path, to_dialogue: Callable[[Mapping[str, Any], str], Dialogue]
) -> Iterator[Dialogue | DroppedRecord]:
    """Read records; an invalid one is dropped with the reason, and the next is read.

    Args:
        path: the file.
        to_dialogue: gets a record, and a name for it in case it has none.

    Raises:
        InputError: the file cannot be read.
    """
    for number, value in enumerate(read_records_or_damage(path), 1):
        place = f"Record {number} of {printable_path(path.name)}"
        if isinstance(value, DamagedRecord):
            yield DroppedRecord(
                place, TRUNCATED_FILE if value.final else UNREADABLE_RECORD, value.message
            )
            continue
        try:
            yield _resolve_images(to_dialogue(value, f"{path.stem}-{number}"), path.parent)
        except DAMAGE as error:
            yield DroppedRecord(place, UNREADABLE_RECORD, _error_detail(error))


def assistant_turn(text: str) -> DialogueTurn:
    """Make a turn of the assistant, with kind and phrases read from its markup."""
    reader: Dialect = DIALECTS.load("qwen_vl")
    events = list(reader.read([text]))
    tag_phrases = [event.phrase for event in events if isinstance(event, DetectRequest)]
    box_phrases = [event.phrase for event in events if isinstance(event, BoxMention)]
    kind: AnswerKind = "tag" if tag_phrases else "box" if box_phrases else "plain"
    return DialogueTurn("assistant", text, kind, tuple(dict.fromkeys(tag_phrases or box_phrases)))


def turn_of_role(role: Any, text: str) -> DialogueTurn:
    """Make a turn of a role that a file names.

    Raises:
        InputError: there is no such role.
    """
    if role == "assistant":
        return assistant_turn(text)
    if role not in ("user", "system", "tool"):
        raise InputError(f"a turn has the role {short_repr(role)}")
    return DialogueTurn(role, text)


def absolute_path(path: str) -> str:
    """Return the absolute path: trainers run in other folders."""
    return str(Path(path).absolute())


def is_file(path: Path) -> bool:
    """Return True when there is such a file; False also for invalid names."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _resolve_images(dialogue: Dialogue, folder: Path) -> Dialogue:
    """Resolve relative pictures that exist beside the file but not in the working directory."""
    images = tuple(
        str(folder / image)
        if not Path(image).is_absolute() and not is_file(Path(image)) and is_file(folder / image)
        else image
        for image in dialogue.images
    )
    return dialogue if images == dialogue.images else replace(dialogue, images=images)


def _error_detail(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing or not known"
    return str(error) or f"it has another form than expected ({type(error).__name__})"
