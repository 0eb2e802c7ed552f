"""Dialogues as they are: JSON lines that lose nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from segue.convert.dialogue import Dialogue, Dropped
from segue.convert.formats import Writer
from segue.convert.formats.files import json_lines, read_with


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_lines(path, lambda dialogue: [dialogue.to_json()])


def read(path: Path) -> Iterator[Dialogue | Dropped]:
    """Read a file of this format."""
    return read_with(path, lambda value, _: Dialogue.from_json(value))
