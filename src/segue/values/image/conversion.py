"""A decoded picture of any mode -> (H, W, 3) uint8 RGB, upright, block by block.

Blocks keep the memory small: beside the decoded picture and the result there is never more than a
few megabytes, whatever has to be converted, composited or turned.
"""

import io
import logging
import struct
from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
import PIL.ImageCms

from segue.errors import InputError

_BLOCK_PIXELS = 2**18
_ORIENTATION = 0x0112
_FULL_DEPTH = 12
"""Cameras and scanners store up to 12 bits in 16; scaled by 16 bits they would be all but black."""
_log = logging.getLogger(__name__)
_TO_FILE_ORDER: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""EXIF orientation -> the upright array as it lies in the file, a view of it."""

Box = tuple[int, int, int, int]


def rgb_of(picture: PIL.Image.Image, *, from_file: bool) -> np.ndarray:
    """Convert a loaded PIL image: (H, W, 3) uint8 RGB, upright, transparency on white, read-only.

    Args:
        picture: of any mode.
        from_file: whether it comes from a file: 16 bits of which few are used are scaled by those.

    Raises:
        InputError: its values have no agreed range.
        Whatever Pillow raises on damaged files.
    """
    convert = _converter(picture, from_file)
    upright, in_file_order = arrays_for(
        picture.height, picture.width, orientation_of(picture.getexif)
    )
    for box in _blocks(picture.width, picture.height):
        x0, y0, x1, y1 = box
        in_file_order[y0:y1, x0:x1] = convert(picture.crop(box))
    upright.setflags(write=False)
    return upright


def rgb_of_bgr(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turn OpenCV's (H, W, 3) BGR or (H, W, 4) BGRA into (H, W, 3) RGB, upright, read-only.

    Transparency becomes white.

    Args:
        values: uint8, as it lies in the file.
        orientation: EXIF's number, 1 to 8; anything else is upright.
    """
    height, width, channels = values.shape
    upright, in_file_order = arrays_for(height, width, orientation)
    for x0, y0, x1, y1 in _blocks(width, height):
        block = values[y0:y1, x0:x1]
        if channels == 4:
            block = on_white(block)
        in_file_order[y0:y1, x0:x1] = block[:, :, ::-1]
    upright.setflags(write=False)
    return upright


def arrays_for(height: int, width: int, orientation: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an empty upright (H, W, 3) array, and a view of it as the file lies."""
    swaps_axes = 5 <= orientation <= 8
    upright = np.empty((width, height, 3) if swaps_axes else (height, width, 3), np.uint8)
    return upright, _TO_FILE_ORDER.get(orientation, lambda same: same)(upright)


def orientation_of(exif: Callable[[], PIL.Image.Exif]) -> int:
    """EXIF's orientation, 1 to 8; damaged EXIF says nothing about the pixels."""
    try:
        value = exif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError,
            ArithmeticError, MemoryError, RuntimeError, struct.error):  # fmt: skip
        return 1
    return value if isinstance(value, int) and value in _TO_FILE_ORDER else 1


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Composite (H, W, 4) uint8 with straight alpha on white: (H, W, 3) uint8, rounded."""
    height, width, _ = rgba.shape
    mixed = np.empty((height, width, 3), np.uint8)
    for x0, y0, x1, y1 in _blocks(width, height):
        block = rgba[y0:y1, x0:x1]
        alpha = block[:, :, 3:].astype(np.uint16)
        sum_ = block[:, :, :3] * alpha  # at most 255 * 255, with the white part as well
        sum_ += 255 * (255 - alpha)
        sum_ += 127
        sum_ //= 255
        mixed[y0:y1, x0:x1] = sum_
    return mixed


def eight_bits_of(values: np.ndarray) -> np.ndarray:
    """Scale values of 0 to 65535 to uint8 by 255/65535, rounded."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _blocks(width: int, height: int) -> Iterator[Box]:
    """Boxes (left, top, right, bottom) of few pixels that cover a picture, however wide it is."""
    across = min(width, _BLOCK_PIXELS)
    down = max(1, _BLOCK_PIXELS // across)
    for y0 in range(0, height, down):
        for x0 in range(0, width, across):
            yield x0, y0, min(x0 + across, width), min(y0 + down, height)


def _converter(
    picture: PIL.Image.Image, from_file: bool
) -> Callable[[PIL.Image.Image], np.ndarray]:
    """How a block of this picture becomes (h, w, 3) or (h, w, 1) values."""
    mode = picture.mode
    if mode == "I" or mode.startswith("I;16"):
        return _grey_converter(picture, from_file)
    if mode == "F":
        raise InputError(
            "A picture of floating point values has no agreed range. Convert it to 8 bits first."
        )
    if mode == "CMYK" and (transform := _profile_transform(picture)) is not None:
        return lambda block: np.asarray(PIL.ImageCms.applyTransform(block, transform))
    if picture.has_transparency_data:
        return lambda block: on_white(np.asarray(block.convert("RGBA")))
    return lambda block: np.asarray(block.convert("RGB"))


def _grey_converter(
    picture: PIL.Image.Image, from_file: bool
) -> Callable[[PIL.Image.Image], np.ndarray]:
    """How a block of 16-bit grey becomes 8 bits; all blocks are looked at first."""
    low, high, uses_low_bits = 0, 0, False
    for box in _blocks(picture.width, picture.height):
        values = np.asarray(picture.crop(box))
        low, high = min(low, int(values.min())), max(high, int(values.max()))
        uses_low_bits = uses_low_bits or bool((values % 257).any())  # 257: 8 bits, spread
    if low < 0 or high > 65535:
        raise InputError(
            f"A picture of whole numbers must lie in 0..65535, got {low}..{high}. "
            "Convert it to 8 or 16 bits first."
        )
    depth = max(8, high.bit_length())
    if not from_file or depth > _FULL_DEPTH or not uses_low_bits:
        return lambda block: eight_bits_of(np.asarray(block))[:, :, None]
    _log.warning("a 16-bit picture uses %d bits only; it is scaled by those", depth)
    max_value = (1 << depth) - 1

    def scaled(block: PIL.Image.Image) -> np.ndarray:
        values = np.asarray(block).astype(np.int64) * 255 + (1 << depth) // 2
        return (values // max_value).clip(0, 255).astype(np.uint8)[:, :, None]

    return scaled


def _profile_transform(picture: PIL.Image.Image) -> PIL.ImageCms.ImageCmsTransform | None:
    """CMYK to RGB as the file's own ICC profile says; None when that cannot be used."""
    if not picture.info.get("icc_profile"):
        return None
    try:
        profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        srgb = PIL.ImageCms.createProfile("sRGB")
        transform = PIL.ImageCms.buildTransform(profile, srgb, "CMYK", "RGB")
        PIL.ImageCms.applyTransform(picture.crop((0, 0, 1, 1)), transform)
    except (PIL.ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return transform


def png_thumbnail(picture: PIL.Image.Image, side: int) -> bytes:
    """Return a picture as a PNG file of at most `side` pixels in width and height."""
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()
