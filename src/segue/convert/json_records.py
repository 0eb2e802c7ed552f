"""Streaming of huge JSON files record by record, in constant memory.

Reads one list of records, `[{…}, {…}]`, and JSON lines (or records simply one after another). A
record must be an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.convert.json_window import CHUNK_SIZE, MAX_VALUE_LENGTH, InvalidJsonValue, JsonWindow
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text

JsonRecord = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A place in a file where there should be a record."""

    number: int
    """Of the record, from 1."""
    message: str
    """What is wrong; names file and record."""
    final: bool
    """Whether nothing after it can be read."""


def read_records(
    path: str | Path,
    *,
    chunk_size: int = CHUNK_SIZE,
    max_value_length: int = MAX_VALUE_LENGTH,
) -> Iterator[JsonRecord]:
    """Read the records of a file in order.

    Args:
        path: the file.
        chunk_size: characters to read at a time.
        max_value_length: characters; a longer record is taken for damage.

    Raises:
        InputError: the file cannot be read, is not JSON, or holds a value that is not an object;
            the message says in which record.
    """
    for item in _stream(path, chunk_size, max_value_length):
        if isinstance(item, DamagedRecord):
            raise InputError(item.message)
        yield item


def read_records_or_damage(path: str | Path) -> Iterator[JsonRecord | DamagedRecord]:
    """Read the records of a file in order, continuing after a damaged one where possible.

    In JSON lines the next line is read; in a list nothing after a syntax error can be trusted.

    Raises:
        InputError: the file cannot be read, or is not text.
    """
    yield from _stream(path, CHUNK_SIZE, MAX_VALUE_LENGTH)


def _stream(
    path: str | Path, chunk_size: int, max_value_length: int
) -> Iterator[JsonRecord | DamagedRecord]:
    with open_text(path) as file:
        window = JsonWindow(file, chunk_size, max_value_length)
        yield from _RecordReader(window, Path(path)).records()


class _RecordReader:
    """Finds where one record ends and the next begins."""

    def __init__(self, window: JsonWindow, path: Path) -> None:
        self._window = window
        self._path = path
        self._number = 0

    def records(self) -> Iterator[JsonRecord | DamagedRecord]:
        window = self._window
        is_list = window.next_character() == "["
        if is_list:
            window.take()
            if window.next_character() == "]":
                return
        while window.next_character() != "":
            self._number += 1
            try:
                value = window.value()
            except InvalidJsonValue as error:
                yield self._damaged_record(str(error), final=is_list)
                if is_list:
                    return
                window.skip_line()
                continue
            if isinstance(value, dict):
                yield value
            else:
                yield self._damaged_record(f"expected an object, got {value!r:.40}")
            next_mark = window.next_character()
            if is_list and next_mark == "]":
                return
            if is_list and next_mark != ",":
                what = "the file ends" if next_mark == "" else f"got {next_mark!r}"
                yield self._damaged_record(f"expected ',' or ']' behind it, but {what}", final=True)
                return
            if next_mark == ",":
                window.take()
        if is_list:
            yield self._damaged_record("the file ends inside the list; was it cut off?", final=True)

    def _damaged_record(self, what: str, *, final: bool = False) -> DamagedRecord:
        message = (
            f"{printable_path(self._path)} cannot be read at record {self._number} (the first is "
            f"1): {what}. Expected a JSON list of objects, or one object a line."
        )
        return DamagedRecord(self._number, message, final)
