"""Writing a file so that nothing is lost: encode first, write beside, flush, rename.

Whatever fails, and whenever, the file that was there before stays whole. Devices and pipes, which
cannot be replaced, are written to directly.
"""

import io
import itertools
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.unicode import escaped_for_json, is_well_formed, well_formed

_numbers = itertools.count(1)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a path beside a file, which replaces the file when the block succeeds.

    Folders on the way are made. A link is followed: what it points at is replaced.

    Raises:
        InputError: the file cannot be written; the old one is as it was.
    """
    part: Path | None = None
    try:
        if _is_special(file):
            yield file
            return
        target = Path(os.path.realpath(file))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise InputError(f"Cannot write {printable_path(file)}: it is a folder. Name a file.")
        part = target.with_name(f".segue-{os.getpid()}-{next(_numbers)}.part")
        yield part
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        part.replace(target)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise unwritable(file, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def write_bytes(file: str | Path, content: bytes, *, durable: bool = False) -> Path:
    """Write bytes, all or nothing.

    Args:
        file: where to.
        content: what it shall hold.
        durable: wait until the disk has it, so that it survives a loss of power.

    Raises:
        InputError: it cannot be written; the old file is as it was.
    """
    file = Path(file)
    with replacing(file) as part, part.open("wb") as out:
        out.write(content)
        out.flush()
        if durable:
            os.fsync(out.fileno())
    return file


def write_text(file: str | Path, text: str) -> Path:
    """Write UTF-8 text with "\\n" between lines; half characters become U+FFFD.

    Raises:
        InputError: as `write_bytes`.
    """
    return write_bytes(file, well_formed(text).encode())


def write_json(file: str | Path, value: Any, indent: int | None = None) -> Path:
    """Write a JSON value as UTF-8 text.

    Raises:
        InputError: as `write_bytes`.
    """
    return write_bytes(file, json_text(value, indent).encode())


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that every encoding of Unicode can write: half characters come as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text if is_well_formed(text) else escaped_for_json(text)


def write_picture(file: str | Path, picture: Any, format_name: str | None = None) -> Path:
    """Encode a PIL image, then write it.

    Args:
        file: where to.
        picture: the image.
        format_name: as Pillow calls it; None: what the file's suffix says.

    Raises:
        InputError: the suffix names no format, the format cannot hold the image, or as
            `write_bytes`.
    """
    file = Path(file)
    buffer = io.BytesIO()
    try:
        if format_name is None:
            buffer.name = str(file)  # where Pillow looks for a suffix
        picture.save(buffer, format_name)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(
            f"Cannot write {printable_path(file)}: {error}. Use a name like overlay.png."
        ) from error
    return write_bytes(file, buffer.getvalue())


def unwritable(file: str | Path, error: Exception) -> InputError:
    """Return the sentence for a file that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return InputError(
        f"Cannot write {printable_path(file)}: {reason}. What was there before is unchanged."
    )


def printable_path(path: str | Path) -> str:
    """Write a path as a message may hold it: well formed, and shortened where it is endless."""
    text = well_formed(str(path))
    return text if len(text) <= 200 else f"{text[:100]}…{text[-60:]} ({len(text)} characters)"


def _is_special(target: Path) -> bool:
    """Whether there is something that is neither a file nor a folder: a device, a pipe.

    `/dev/stdout` may lead to a file, which its writer has open and which must not be replaced.
    """
    if target.is_relative_to("/dev") or target.is_relative_to("/proc"):
        return target.exists() and not target.is_dir()
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
