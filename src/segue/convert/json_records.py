"""EntryLog huge JSON files record by record, in memory that does not grow with the file.

Understands one list of records, `[{…}, {…}]`, and JSON lines (or records simply one behind
another). A record must be an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.convert.json_window import LARGEST, PIECE, DamagedValue, JsonWindow
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text

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
        yield from _Reader(JsonWindow(file, PIECE, LARGEST), path).readings()


class _Reader:
    """Knows where one record ends and the next begins."""

    def __init__(self, window: JsonWindow, path: Path) -> None:
        self._window = window
        self._path = path
        self._number = 0

    def readings(self) -> Iterator[Record | Damage]:
        window = self._window
        in_list = window.next_character() == "["
        if in_list:
            window.take()
            if window.next_character() == "]":
                return
        while window.next_character() != "":
            self._number += 1
            try:
                value = window.value()
            except DamagedValue as error:
                yield self._damage(str(error), final=in_list)
                if in_list:
                    return
                window.skip_line()
                continue
            if isinstance(value, dict):
                yield value
            else:
                yield self._damage(f"expected an object, got {value!r:.40}")
            mark = window.next_character()
            if in_list and mark == "]":
                return
            if in_list and mark != ",":
                what = "the file ends" if mark == "" else f"got {mark!r}"
                yield self._damage(f"expected ',' or ']' behind it, but {what}", final=True)
                return
            if mark == ",":
                window.take()
        if in_list:
            yield self._damage("the file ends inside the list; was it cut off?", final=True)

    def _damage(self, what: str, *, final: bool = False) -> Damage:
        message = (
            f"{printable_path(self._path)} cannot be read at record {self._number} (the first is "
            f"1): {what}. Expected a JSON list of objects, or one object a line."
        )
        return Damage(self._number, message, final)
