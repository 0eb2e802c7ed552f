"""Streaming of the lists in one JSON object, element by element."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from segue.annotations.fields import short_repr
from segue.convert.json_window import InvalidJsonValue, JsonWindow
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text

ElementHandler = Callable[[int, Any], None]
"""Gets the number of an element, from 1, and the element."""


class ListHandler(Protocol):
    """Handles the elements of lists."""

    def begin(self, key: str) -> ElementHandler | None:
        """Return the handler of a list's elements; None: skip them."""

    def end(self, key: str) -> None:
        """Finish a list."""


def read_lists(path: str | Path, reader: ListHandler) -> Mapping[str, str]:
    """Pass on the elements of all lists in the JSON object of a file.

    Returns:
        Key -> a short repr of the value, for values that are not lists.

    Raises:
        InputError: the file cannot be read, is no JSON, or no object.
    """
    with open_text(path) as file:
        window = JsonWindow(file)
        try:
            if window.next_character() != "{":
                value = window.value()
                raise InputError(
                    f"{printable_path(path)} must hold an object, got {short_repr(value)}."
                )
            window.take()
            other_values = _read_object(window, reader)
            if window.next_character():
                raise InvalidJsonValue("unexpected text after the object")
        except InvalidJsonValue as error:
            raise InputError(f"{printable_path(path)} is not JSON ({error}).") from error
    return other_values


def _read_object(window: JsonWindow, reader: ListHandler) -> dict[str, str]:
    other_values: dict[str, str] = {}
    if window.next_character() == "}":
        window.take()
        return other_values
    while True:
        key = window.value() if window.next_character() == '"' else None
        if not isinstance(key, str) or window.next_character() != ":":
            raise InvalidJsonValue("a key is missing; is the file truncated?")
        window.take()
        if window.next_character() == "[":
            window.take()
            _read_list(window, reader.begin(key))
            reader.end(key)
        else:
            other_values[key] = short_repr(window.value())
        if _take_separator(window, "}"):
            return other_values


def _read_list(window: JsonWindow, handler: ElementHandler | None) -> None:
    number = 0
    if window.next_character() == "]":
        window.take()
        return
    while True:
        number += 1
        value = window.value()
        if handler is not None:
            handler(number, value)
        if _take_separator(window, "]"):
            return


def _take_separator(window: JsonWindow, closer: str) -> bool:
    """Consume a comma, or the end of a list or object; return True at the end."""
    mark = window.next_character()
    if mark not in (",", closer):
        what = "the file ends" if mark == "" else f"got {mark!r}"
        raise InvalidJsonValue(f"expected ',' or {closer!r}, but {what}")
    window.take()
    return mark == closer
