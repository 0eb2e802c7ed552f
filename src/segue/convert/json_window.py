"""A window on JSON text of any length: values are decoded one by one, and discarded."""

import json
from typing import Any, TextIO

CHUNK_SIZE = 1 << 18
"""Characters read at a time."""
MAX_VALUE_LENGTH = 1 << 26
"""Characters; a longer value is taken for damage."""
_END_MARGIN = 16
"""Characters; an error this close to the end of the buffer may be a truncated value."""


class InvalidJsonValue(Exception):
    """The text is not a JSON value."""


class JsonWindow:
    """A buffer that begins at the next unread character."""

    def __init__(
        self, file: TextIO, chunk_size: int = CHUNK_SIZE, max_value_length: int = MAX_VALUE_LENGTH
    ) -> None:
        self._file = file
        self._chunk_size, self._max_value_length = chunk_size, max_value_length
        self._buffer = ""
        self._position = 0
        self._is_at_end = False

    def next_character(self) -> str:
        """Return the next character that is not white space, unconsumed; "" at the end."""
        while True:
            while self._position < len(self._buffer):
                if not self._buffer[self._position].isspace():
                    return self._buffer[self._position]
                self._position += 1
            if self._is_at_end:
                return ""
            self._fill(self._chunk_size)

    def take(self) -> None:
        """Consume the character that `next_character` returned."""
        self._position += 1

    def value(self) -> Any:
        """Consume the next value.

        Raises:
            InvalidJsonValue: there is none; the position stays the same.
        """
        decoder = json.JSONDecoder()
        self.next_character()
        while True:
            try:
                value, end = decoder.raw_decode(self._buffer, self._position)
                if (
                    end < len(self._buffer)
                    or self._is_at_end
                    or isinstance(value, dict | list | str)
                ):
                    self._position = end
                    return value
                # a number at the very end of the buffer may continue
            except json.JSONDecodeError as error:
                is_near_end = error.pos >= len(self._buffer) - _END_MARGIN
                may_be_truncated = is_near_end or error.msg.startswith("Unterminated string")
                if self._is_at_end or not may_be_truncated:
                    raise InvalidJsonValue(str(error)) from error
            except RecursionError as error:
                raise InvalidJsonValue("it is nested too deeply") from error
            except ValueError as error:  # a number with too many digits
                raise InvalidJsonValue(str(error)) from error
            if len(self._buffer) - self._position > self._max_value_length:
                raise InvalidJsonValue(f"it has more than {self._max_value_length} characters")
            # Doubling keeps the work linear: every try parses the failed text again.
            self._fill(max(self._chunk_size, len(self._buffer) - self._position))

    def skip_line(self) -> None:
        """Skip to the beginning of the next line, or to the end."""
        while (end := self._buffer.find("\n", self._position)) < 0 and not self._is_at_end:
            self._position = len(self._buffer)
            self._fill(self._chunk_size)
        self._position = end + 1 if end >= 0 else len(self._buffer)

    def _fill(self, count: int) -> None:
        chunk = self._file.read(count)
        self._is_at_end = not chunk
        self._buffer = self._buffer[self._position :] + chunk
        self._position = 0
