"""Writing and reading files of data sets, with failures that name the file."""

from pathlib import Path
from typing import Any

import PIL.Image

from segue.files import atomic as atomic_file
from segue.files import text as text_file


def write_text(text: str, file: Path) -> Path:
    """Write UTF-8 text, all or nothing; folders on the way are made.

    Raises:
        InputError: it cannot be written; an older file is as it was.
    """
    return atomic_file.write_text(file, text)


def write_json(value: Any, file: Path) -> Path:
    """Write JSON as UTF-8 text, all or nothing."""
    return atomic_file.write_json(file, value)


def write_picture(picture: PIL.Image.Image, file: Path) -> Path:
    """Write a PIL image as PNG, all or nothing; folders on the way are made.

    Raises:
        InputError: it cannot be written; an older file is as it was.
    """
    return atomic_file.write_picture(file, picture, "PNG")


def read_text(file: str | Path) -> str:
    """Read text in UTF-8, or in UTF-16 with a mark.

    Raises:
        InputError: there is no such file, or it is not text.
    """
    return text_file.read_text(file)


def read_json(file: str | Path) -> Any:
    """Read JSON.

    Raises:
        InputError: there is no such file, or it is not JSON.
    """
    return text_file.read_json(file)
