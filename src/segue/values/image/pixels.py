"""Picture files, PIL images and arrays -> (H, W, 3) uint8 RGB, upright.

Rules, applied in this order:
- the size in a file's header is checked before a pixel is decoded;
- of several frames the first counts;
- EXIF orientation is applied once;
- 16-bit values are scaled by 255/65535, 1-bit ones become 0 and 255; a 16-bit file of which no
  value needs more than 12 bits is scaled by the bits it uses, and a warning is logged;
- CMYK goes through the file's own ICC profile where it has one, else through the plain formula;
- transparency is composited on white.

Memory: what a decoder holds and the RGB array, no more than about 12 bytes a pixel together (the
figure of every kind is in docs/security.md); and the decodings of the whole process share one
budget (`budget.py`).
"""

import io
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import PIL.Image

from segue.errors import InputError, ModelError
from segue.values.image import budget, conversion, webp

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""What is tried. Formats that run programs or code (EPS, PDF, …) are left out on purpose."""

_BROKEN = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)  # what Pillow raises on damaged files, found by trying it
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_warnings_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a picture is accepted."""

    max_pixels: int = 100_000_000
    """Height times width, checked before decoding. The largest phone pictures have 50 million."""
    max_side: int = 200_000
    """Height or width: what is resized needs memory for each row and column of the result."""
    max_bytes: int = 100_000_000
    """Length of the file, or of what a URL sends."""
    timeout_s: float = 20.0
    """For fetching a URL, redirects and all."""
    max_redirects: int = 4


def decode(data: bytes, what: str, limits: Limits) -> np.ndarray:
    """Decode a picture file.

    Args:
        data: the bytes of the file.
        what: how to call it in error messages.

    Returns:
        (H, W, 3) uint8 RGB, upright, read-only.

    Raises:
        InputError: empty, not a picture, damaged, cut off, or over the limits.
        ModelError: there is not enough memory.
    """
    if not data:
        raise InputError(f"{_start(what)} is empty, expected a picture.")
    if len(data) > limits.max_bytes:
        raise InputError(
            f"{_start(what)} has more than {limits.max_bytes} bytes. "
            "Make it smaller, or raise Limits(max_bytes=…)."
        )
    header = webp.read_header(data)
    if header is not None:
        _check_size(header.height, header.width, what, limits)
        with budget.PIXELS.reserved(header.height * header.width):
            try:
                if (decoded := webp.decode(data, header)) is not None:
                    return decoded
            except MemoryError as error:
                raise _no_memory(what, header.height, header.width) from error
    with _open_header(data, what, limits) as picture:
        _check_size(picture.height, picture.width, what, limits)
        _check_tiles(picture, what)
        with budget.PIXELS.reserved(picture.height * picture.width):
            return from_pil(picture, limits, what)


def size_in_header(data: bytes, what: str, limits: Limits) -> tuple[int, int]:
    """Read the (height, width) that a picture file states, before EXIF turns it.

    Raises:
        InputError: it is empty, not a picture, or over the limits.
    """
    if (header := webp.read_header(data)) is not None:
        size = header.height, header.width
    else:
        with _open_header(data, what, limits) as picture:
            size = picture.height, picture.width
    _check_size(*size, what, limits)
    return size


def from_pil(picture: PIL.Image.Image, limits: Limits, what: str = "the picture") -> np.ndarray:
    """Convert a PIL image of any mode: (H, W, 3) uint8 RGB, upright, read-only. It is left
    unchanged."""
    _check_size(picture.height, picture.width, what, limits)
    try:
        picture.load()
        _check_size(picture.height, picture.width, what, limits)
        return conversion.rgb_of(picture, from_file=picture.format is not None)
    except InputError:
        raise
    except MemoryError as error:
        raise _no_memory(what, picture.height, picture.width) from error
    except _BROKEN as error:
        raise InputError(
            f"{_start(what)} is damaged or cut off, it cannot be decoded ({error}). "
            "Save or download it again."
        ) from error


def from_array(array: np.ndarray, limits: Limits) -> np.ndarray:
    """Convert an array to (H, W, 3) uint8 RGB.

    Args:
        array: (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha.
            uint8 as it is; uint16 scaled by 255/65535; bool as 0 and 255; floats must lie in
            [0, 1] and are scaled by 255 and rounded.

    Raises:
        InputError: any other shape, dtype or range; there is no guessing.
    """
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        hint = ""
        if array.ndim == 3 and shape[0] in (1, 3, 4):
            hint = " The channels come first: use array.transpose(1, 2, 0)."
        elif array.ndim == 4:
            hint = " That looks like a batch: give one picture at a time."
        raise InputError(
            f"A picture array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}.{hint}"
        )
    if 0 in shape:
        raise InputError(f"A picture must have at least one pixel, got an array of shape {shape}.")
    _check_size(shape[0], shape[1], "the array", limits)
    values = _bytes_of(array).reshape(shape[0], shape[1], -1)
    if values.shape[2] == 4:
        return conversion.on_white(values)
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def _open_header(data: bytes, what: str, limits: Limits) -> PIL.Image.Image:
    """Read the header. Pillow's own warning about large pictures is ours to give."""
    try:
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PIL.Image.open(io.BytesIO(data), formats=_known_formats())
    except PIL.Image.DecompressionBombError as error:
        raise InputError(
            f"{_start(what)} claims more pixels than Pillow accepts ({error}). The limit here is "
            f"{limits.max_pixels}; to go beyond both, set PIL.Image.MAX_IMAGE_PIXELS as well."
        ) from error
    except PIL.UnidentifiedImageError as error:
        raise InputError(f"{_start(what)} is not a picture we can read. {_advice(data)}") from error
    except _BROKEN as error:
        raise InputError(f"{_start(what)} is damaged, its header makes no sense.") from error


def _check_tiles(picture: PIL.Image.Image, what: str) -> None:
    """Refuse a TIFF that claims tiles far larger than itself: it is decoded tile by tile."""
    tags = getattr(picture, "tag_v2", {})
    width, height = (tags.get(number) or 1 for number in (_TILE_WIDTH, _TILE_LENGTH))
    are_integers = isinstance(width, int) and isinstance(height, int)
    if not are_integers or width * height > max(2**20, 4 * picture.width * picture.height):
        raise InputError(
            f"{_start(what)} is damaged: it claims tiles of {width} x {height} pixels for a "
            f"picture of {picture.width} x {picture.height}."
        )


def _no_memory(what: str, height: int, width: int) -> ModelError:
    return ModelError(
        f"There is not enough memory to decode {what} ({width} x {height} pixels). Make it "
        "smaller, or free memory."
    )


def _known_formats() -> list[str]:
    PIL.Image.init()
    return [name for name in FORMATS if name in PIL.Image.OPEN]


def _check_size(height: int, width: int, what: str, limits: Limits) -> None:
    if height < 1 or width < 1:
        raise InputError(f"{_start(what)} has no pixels ({width} x {height}).")
    if height * width > limits.max_pixels:
        raise InputError(
            f"{_start(what)} is {width} x {height} = {height * width} pixels, more than the limit "
            f"of {limits.max_pixels}. Make it smaller, or raise Limits(max_pixels=…)."
        )
    if max(height, width) > limits.max_side:
        raise InputError(
            f"{_start(what)} has a side of {max(height, width)} pixels, more than the limit of "
            f"{limits.max_side}. Cut it into pieces, or raise Limits(max_side=…)."
        )


def _bytes_of(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array.copy()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return conversion.eight_bits_of(array)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # NaN fails as well
            raise InputError(
                f"A float picture must lie in [0, 1], got {low:g} to {high:g}. "
                "Divide by its maximum, or give uint8 values 0 to 255."
            )
        return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    raise InputError(
        f"A picture array must be uint8, uint16, bool or float in [0, 1], got {array.dtype}. "
        "If its values are 0 to 255, use array.astype(np.uint8)."
    )


def _advice(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "It is HEIC: convert it to JPEG or PNG first."
    if data.lstrip()[:5].lower() in (b"<svg ", b"<?xml"):
        return "It is SVG or XML: export it as PNG first."
    if data[:4] == b"%PDF":
        return "It is a PDF: export the page as PNG first."
    if data.lstrip()[:9].lower() in (b"<!doctype", b"<html>"):
        return "It is a web page, not the picture itself."
    return f"Expected one of {', '.join(FORMATS)}."


def _start(what: str) -> str:
    """Return the beginning of a sentence; paths and URLs keep their case."""
    return what[0].upper() + what[1:] if what.startswith("the ") else what
