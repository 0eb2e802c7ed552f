"""A window on JSON text of any length: values are decoded one by one, and forgotten."""

import json
from typing import Any, TextIO

PIECE = 1 << 18
"""Characters read at a time."""
LARGEST = 1 << 26
"""A value with more characters is taken for a damaged file."""
_SLACK = 16
"""A failure this near to the end of what was read may be a value that was cut in two."""


class DamagedValue(Exception):
    """What stands there is no JSON value."""


class JsonWindow:
    """Always begins at the next unread character."""

    def __init__(self, file: TextIO, piece: int = PIECE, largest: int = LARGEST) -> None:
        self._file = file
        self._piece, self._largest = piece, largest
        self._window = ""
        self._at = 0
        self._ended = False

    def next_character(self) -> str:
        """The next one that is not white space, not yet taken; "" at the end."""
        while True:
            while self._at < len(self._window):
                if not self._window[self._at].isspace():
                    return self._window[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._read(self._piece)

    def take(self) -> None:
        """Take the character that `next_character` gave."""
        self._at += 1

    def value(self) -> Any:
        """Take the next value.

        Raises:
            DamagedValue: there is none; the window stays where it is.
        """
        decoder = json.JSONDecoder()
        self.next_character()
        while True:
            try:
                value, end = decoder.raw_decode(self._window, self._at)
                if end < len(self._window) or self._ended or isinstance(value, dict | list | str):
                    self._at = end
                    return value
                # a number at the very end of what was read may go on
            except json.JSONDecodeError as error:
                near_the_end = error.pos >= len(self._window) - _SLACK
                cut = near_the_end or error.msg.startswith("Unterminated string")
                if self._ended or not cut:
                    raise DamagedValue(str(error)) from error
            except RecursionError as error:
                raise DamagedValue("it is nested too deeply") from error
            except ValueError as error:  # a number with too many digits
                raise DamagedValue(str(error)) from error
            if len(self._window) - self._at > self._largest:
                raise DamagedValue(f"it has more than {self._largest} characters")
            # Doubling keeps the work linear: every try reads what failed before once more.
            self._read(max(self._piece, len(self._window) - self._at))

    def skip_line(self) -> None:
        """Go to the beginning of the next line, or to the end."""
        while (end := self._window.find("\n", self._at)) < 0 and not self._ended:
            self._at = len(self._window)
            self._read(self._piece)
        self._at = end + 1 if end >= 0 else len(self._window)

    def _read(self, count: int) -> None:
        piece = self._file.read(count)
        self._ended = not piece
        self._window = self._window[self._at :] + piece
        self._at = 0
