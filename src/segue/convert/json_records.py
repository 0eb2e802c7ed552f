"""Reading huge JSON files record by record, in memory that does not grow with the file.

Understands one list of records, `[{…}, {…}]`, and JSON lines (or records simply one behind
another). A record must be an object.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from segue.atomic_file import shown
from segue.errors import InputError
from segue.text_file import open_text

PIECE = 1 << 18
"""Characters read at a time."""
LARGEST = 1 << 26
"""A record with more characters is taken for a damaged file."""
_SLACK = 16
"""A failure this near to the end of what was read may be a value that was cut in two."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a file where there should be a record."""

    number: int
    """Of the record, from 1."""
    message: str
    """What is wrong; names file and record."""
    final: bool
    """Whether nothing behind it can be read."""


def records(path: str | Path) -> Iterator[Record]:
    """Read the records of a file in order.

    Raises:
        InputError: the file cannot be read, is not JSON, or holds something that is no object;
            the message says in which record.
    """
    for item in readings(path):
        if isinstance(item, Damage):
            raise InputError(item.message)
        yield item


def readings(path: str | Path) -> Iterator[Record | Damage]:
    """Read the records of a file in order, and go on behind a damaged one where that can be.

    In JSON lines the next line is read; in a list nothing behind a syntax error can be trusted.

    Raises:
        InputError: the file cannot be read, or is not text.
    """
    path = Path(path)
    with open_text(path) as file:
        yield from _Reader(file, path).readings()


class _Reader:
    """A window on the text that always begins at the next unread character."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._window = ""
        self._at = 0
        self._number = 0
        self._ended = False

    def readings(self) -> Iterator[Record | Damage]:
        in_list = self._next_character() == "["
        if in_list:
            self._at += 1
            if self._next_character() == "]":
                return
        while self._next_character() != "":
            try:
                yield self._record()
            except _DamagedRecord as error:
                final = in_list and not error.skipped
                yield Damage(self._number, self._message(str(error)), final)
                if final:
                    return
                if not error.skipped:
                    self._skip_line()
                    continue
            mark = self._next_character()
            if in_list and mark == "]":
                return
            if in_list and mark != ",":
                what = "the file ends" if mark == "" else f"got {mark!r}"
                message = self._message(f"expected ',' or ']' behind it, but {what}")
                yield Damage(self._number, message, True)
                return
            self._at += mark == ","
        if in_list:
            message = self._message("the file ends inside the list; was it cut off?")
            yield Damage(self._number, message, True)

    def _skip_line(self) -> None:
        while (end := self._window.find("\n", self._at)) < 0 and not self._ended:
            self._at = len(self._window)
            self._read(PIECE)
        self._at = end + 1 if end >= 0 else len(self._window)

    def _record(self) -> Record:
        self._number += 1
        decoder = json.JSONDecoder()
        while True:
            try:
                value, self._at = decoder.raw_decode(self._window, self._at)
                if isinstance(value, dict):
                    return value
                raise _DamagedRecord(f"expected an object, got {value!r:.40}", skipped=True)
            except json.JSONDecodeError as error:
                near_the_end = error.pos >= len(self._window) - _SLACK
                cut = near_the_end or error.msg.startswith("Unterminated string")
                if self._ended or not cut:
                    raise _DamagedRecord(str(error)) from error
            except RecursionError as error:
                raise _DamagedRecord("it is nested too deeply") from error
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise _DamagedRecord(str(error)) from error
            if len(self._window) - self._at > LARGEST:
                raise _DamagedRecord(f"it has more than {LARGEST} characters")
            # Doubling keeps the work linear: every try reads what failed before once more.
            self._read(max(PIECE, len(self._window) - self._at))

    def _next_character(self) -> str:
        """The next one that is not white space, not yet taken; "" at the end."""
        while True:
            while self._at < len(self._window):
                if not self._window[self._at].isspace():
                    return self._window[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._read(PIECE)

    def _read(self, count: int) -> None:
        piece = self._file.read(count)
        self._ended = not piece
        self._window = self._window[self._at :] + piece
        self._at = 0

    def _message(self, what: str) -> str:
        return (
            f"{shown(self._path)} cannot be read at record {self._number} (the first is 1): "
            f"{what}. Expected a JSON list of objects, or one object a line."
        )


class _DamagedRecord(Exception):
    """A record that cannot be read; `skipped`: the reader stands behind it."""

    def __init__(self, what: str, *, skipped: bool = False) -> None:
        super().__init__(what)
        self.skipped = skipped
