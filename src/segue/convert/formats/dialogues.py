"""Dialogues as they are: JSON lines that lose nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import open_json_lines, read_records_of


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_lines(path, lambda dialogue: [dialogue.to_json()])


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format."""
    return read_records_of(path, lambda value, _: Dialogue.from_json(value))
