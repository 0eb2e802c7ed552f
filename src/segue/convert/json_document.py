"""One JSON object whose lists are too long to keep: their elements are handed over one by one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from segue.annotations.fields import short_repr
from segue.convert.json_window import DamagedValue, JsonWindow
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text

Take = Callable[[int, Any], None]
"""Gets the number of an element, from 1, and the element."""


class ListReader(Protocol):
    """Takes the elements of some lists."""

    def begin(self, key: str) -> Take | None:
        """A list begins; None: its elements are not wanted."""

    def end(self, key: str) -> None:
        """It is over."""


def read_lists(path: str | Path, reader: ListReader) -> Mapping[str, str]:
    """Hand over the elements of all lists that stand in the object of a file.

    Returns:
        Key -> the value, short_repr, for what is no list.

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
            others = _object(window, reader)
            if window.next_character():
                raise DamagedValue("something stands behind the object")
        except DamagedValue as error:
            raise InputError(f"{printable_path(path)} is not JSON ({error}).") from error
    return others


def _object(window: JsonWindow, reader: ListReader) -> dict[str, str]:
    others: dict[str, str] = {}
    if window.next_character() == "}":
        window.take()
        return others
    while True:
        key = window.value() if window.next_character() == '"' else None
        if not isinstance(key, str) or window.next_character() != ":":
            raise DamagedValue("a key is missing; was the file cut off?")
        window.take()
        if window.next_character() == "[":
            window.take()
            _list(window, reader.begin(key))
            reader.end(key)
        else:
            others[key] = short_repr(window.value())
        if _closed(window, "}"):
            return others


def _list(window: JsonWindow, take: Take | None) -> None:
    number = 0
    if window.next_character() == "]":
        window.take()
        return
    while True:
        number += 1
        value = window.value()
        if take is not None:
            take(number, value)
        if _closed(window, "]"):
            return


def _closed(window: JsonWindow, closer: str) -> bool:
    """Take a comma, or the end of a list or object."""
    mark = window.next_character()
    if mark not in (",", closer):
        what = "the file ends" if mark == "" else f"got {mark!r}"
        raise DamagedValue(f"expected ',' or {closer!r}, but {what}")
    window.take()
    return mark == closer
