"""Writing and reading files of data sets, with failures that name the file."""

import json
from pathlib import Path
from typing import Any

import PIL.Image

from segue.errors import InputError


def write_text(text: str, file: Path) -> Path:
    """Write UTF-8 text; folders on the way are made.

    Raises:
        InputError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"Cannot write {file}: {error.strerror or error}.") from error
    return file


def write_json(value: Any, file: Path) -> Path:
    """Write JSON as UTF-8 text."""
    return write_text(json.dumps(value, ensure_ascii=False), file)


def write_picture(picture: PIL.Image.Image, file: Path) -> Path:
    """Write a PIL image as PNG; folders on the way are made.

    Raises:
        InputError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, "PNG")
    except OSError as error:
        raise InputError(f"Cannot write {file}: {error.strerror or error}.") from error
    return file


def read_text(file: str | Path) -> str:
    """Read UTF-8 text.

    Raises:
        InputError: there is no such file, or it is not text.
    """
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text.") from error


def read_json(file: str | Path) -> Any:
    """Read JSON.

    Raises:
        InputError: there is no such file, or it is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON ({error}).") from error
