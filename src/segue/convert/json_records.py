"""Reading huge JSON files record by record, in memory that does not grow with the file.

Understands one list of records, `[{…}, {…}]`, and JSON lines (or records simply one behind
another). A record must be an object.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from segue.errors import InputError

PIECE = 1 << 18
"""Characters read at a time."""
LARGEST = 1 << 26
"""A record with more characters is taken for a damaged file."""
_SLACK = 16
"""A failure this near to the end of what was read may be a value that was cut in two."""

Record = dict[str, Any]


def records(path: str | Path) -> Iterator[Record]:
    """Read the records of a file in order.

    Raises:
        InputError: the file cannot be read, is not JSON, or holds something that is no object;
            the message says in which record.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _Reader(file, path).records()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}. Convert it first.") from error


class _Reader:
    """A window on the text that always begins at the next unread character."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._window = ""
        self._at = 0
        self._number = 0
        self._ended = False

    def records(self) -> Iterator[Record]:
        first = self._next_character()
        in_list = first == "["
        if in_list:
            self._at += 1
            if self._next_character() == "]":
                return
        while (first := self._next_character()) != "":
            if first != "{":
                raise self._failure(f"expected an object, got {self._window[self._at :][:20]!r}")
            yield self._record()
            mark = self._next_character()
            if in_list and mark == "]":
                return
            if in_list and mark != ",":
                what = "the file ends" if mark == "" else f"got {mark!r}"
                raise self._failure(f"expected ',' or ']' behind it, but {what}")
            self._at += mark == ","
        if in_list:
            raise self._failure("the file ends inside the list; was it cut off?")

    def _record(self) -> Record:
        self._number += 1
        decoder = json.JSONDecoder()
        while True:
            try:
                value: Record
                value, self._at = decoder.raw_decode(self._window, self._at)
                return value  # an object, for it begins with "{"
            except json.JSONDecodeError as error:
                near_the_end = error.pos >= len(self._window) - _SLACK
                cut = near_the_end or error.msg.startswith("Unterminated string")
                if self._ended or not cut:
                    raise self._failure(str(error)) from error
            except RecursionError as error:
                raise self._failure("it is nested too deeply") from error
            if len(self._window) - self._at > LARGEST:
                raise self._failure(f"it has more than {LARGEST} characters")
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

    def _failure(self, what: str) -> InputError:
        return InputError(
            f"{self._path} cannot be read at record {self._number} (the first is 1): {what}. "
            "Expected a JSON list of objects, or one object a line."
        )
