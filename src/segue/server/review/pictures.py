"""The pictures of a review as a browser takes them: whole, and as thumbnails."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from segue.annotations.entry_log import DAMAGE
from segue.errors import InputError
from segue.values.image import Image
from segue.values.image.conversion import orientation_of
from segue.values.image.pixels import Limits

_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Formats that every browser draws, by Pillow's names."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture for a browser: a file as it is, or bytes."""

    media_type: str
    file: Path | None = None
    content: bytes = b""


def encode_picture(source: Path | Image, limits: Limits) -> EncodedPicture:
    """Return a picture upright, in a format that browsers draw; where it can be, the file as it is.

    Raises:
        InputError: it cannot be read, or is larger than the limits.
    """
    if isinstance(source, Path):
        media_type = _direct_type(source)
        if media_type is not None:
            return EncodedPicture(media_type, source)
    picture = Image.open(source, limits=limits).to_pil()
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return EncodedPicture("image/png", content=buffer.getvalue())


def encode_thumbnail(source: Path | Image, side: int, limits: Limits) -> bytes:
    """Return a small JPEG of a picture, upright, at most `side` pixels wide and high.

    Raises:
        InputError: it cannot be read, or is larger than the limits.
    """
    picture = (_draft(source, side) if isinstance(source, Path) else None) or Image.open(
        source, limits=limits
    ).to_pil()
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def open_picture(source: Path | Image, limits: Limits) -> Image:
    """Return a picture as the models take it.

    Raises:
        InputError: it cannot be read, or is larger than the limits.
    """
    return Image.open(source, limits=limits)


def _direct_type(file: Path) -> str | None:
    """Return the type of a file that a browser draws by itself and upright; None: it would not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(file) as picture:
                is_turned = orientation_of(picture.getexif) != 1
                kind = picture.format or ""
    except (*DAMAGE, PIL.Image.DecompressionBombError):
        return None
    return None if is_turned and kind != "JPEG" else _TYPES.get(kind)


def _draft(file: Path, side: int) -> PIL.Image.Image | None:
    """Return a JPEG decoded small, which takes a fraction of the time; None: it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(file) as picture:
                if picture.format != "JPEG" or orientation_of(picture.getexif) != 1:
                    return None
                picture.draft("RGB", (side, side))
                picture.thumbnail((side, side))
                return picture.copy()
    except (*DAMAGE, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"{file.name} does not open as a picture.") from error
