"""Reading text as programs really write it: UTF-8 with or without a mark, UTF-16, any line end.

What is no regular file (a pipe, a device) is refused rather than waited for.
"""

import codecs
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from segue.errors import InputError
from segue.files.atomic import printable_path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(beginning: bytes) -> str:
    """Return the encoding that a byte order mark names; without one it is UTF-8.

    >>> encoding_of("飞机".encode("utf-16")), encoding_of(b"plane")
    ('utf-16', 'utf-8')
    """
    return next((name for mark, name in _MARKS if beginning.startswith(mark)), "utf-8")


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a text file for reading; lines end in "\\n".

    Raises:
        InputError: there is none, it is no regular file, or it is not text.
    """
    path = Path(path)
    try:
        check_regular(path)
        with path.open("rb") as raw:
            encoding = encoding_of(raw.read(4))
        file = path.open(encoding=encoding)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file system can hold
        raise unreadable(path, error) from error
    try:
        with file:
            yield file
    except UnicodeError as error:
        raise not_text(path, error) from error
    except OSError as error:
        raise unreadable(path, error) from error


def read_text(path: str | Path) -> str:
    """Read a whole text file.

    Raises:
        InputError: as `open_text`.
    """
    try:
        with open_text(path) as file:
            return file.read()
    except MemoryError as error:
        raise InputError(f"{printable_path(path)} does not fit in memory.") from error


def read_json(path: str | Path) -> Any:
    """Read a whole JSON file. NaN and Infinity are read as such: check numbers where they matter.

    Raises:
        InputError: as `open_text`, or it is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{printable_path(path)} is not JSON ({reason}).") from error
    except MemoryError as error:
        raise InputError(f"{printable_path(path)} does not fit in memory.") from error


def check_regular(path: Path) -> None:
    """Refuse what could be waited for without end.

    Raises:
        InputError: it is a pipe, a socket or a device.
        OSError: there is nothing of that name.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a character that no path has
        raise unreadable(path, error) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(
            f"{printable_path(path)} is a pipe or a device, expected a file. "
            "Write it to a file first."
        )


def unreadable(path: str | Path, error: Exception) -> InputError:
    """Return the sentence for a file that cannot be read."""
    return InputError(
        f"Cannot read {printable_path(path)}: {getattr(error, 'strerror', None) or error}."
    )


def not_text(path: str | Path, error: UnicodeError) -> InputError:
    """Return the sentence for a file in another encoding."""
    return InputError(
        f"{printable_path(path)} is not UTF-8 text, nor UTF-16 with a mark: {error}. Convert it "
        "first."
    )
