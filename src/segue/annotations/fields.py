"""Values of annotation files, read with care: numbers that are finite, sizes that fit in memory.

Every function raises `InputError` with a sentence about the value; the reader adds file and entry.
"""

import math
from collections.abc import Mapping
from typing import Any

from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image.pixels import Limits
from segue.values.mask.compact import packed_bytes

MAX_PIXELS = Limits().max_pixels
"""No picture with more pixels can be opened, so none is believed to have more."""
MAX_MASK_BYTES = 1_500_000_000
"""Memory of all masks of one file together: a byte a pixel, and a bit where pictures are large."""


class MaskBudget:
    """Counts the memory of the masks that one file makes, before each is made."""

    def __init__(self, limit: int = MAX_MASK_BYTES) -> None:
        self._left = limit
        self._limit = limit

    def spend(self, size: Size) -> None:
        """Take one mask of this size into account.

        Raises:
            InputError: the file holds more than fits in memory.
        """
        self._left -= packed_bytes(size.height * size.width)
        if self._left < 0:
            raise InputError(
                f"its masks take more than {self._limit} bytes together; split the file"
            )


def read_object(value: Any, what: str) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{what} must be an object, got {short_repr(value)}")
    return value


def read_list(value: Any, what: str) -> list[Any]:
    """Read a JSON list.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list):
        raise InputError(f"{what} must be a list, got {short_repr(value)}")
    return value


def read_string(value: Any, what: str) -> str:
    """Read a text.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} must be a text, got {short_repr(value)}")
    return value


def read_number(value: Any, what: str) -> float:
    """Read a finite number, or the text of one.

    Raises:
        InputError: it is none.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{what} must be a finite number, got {short_repr(value)}")
    return number


def read_whole(value: Any, what: str) -> int:
    """Read a whole number, or the text of one.

    Raises:
        InputError: it is none.
    """
    number = read_number(value, what)
    if number != int(number):
        raise InputError(f"{what} must be a whole number, got {short_repr(value)}")
    return int(number)


def read_size(height: Any, width: Any) -> Size:
    """Read the size of a picture, in pixels.

    Raises:
        InputError: a side is no positive whole number, or no picture has so many pixels.
    """
    size = Size(read_whole(height, "the height"), read_whole(width, "the width"))
    if min(size) < 1:
        raise InputError(f"a picture must have pixels, got {size.width} x {size.height}")
    if size.height * size.width > MAX_PIXELS:
        raise InputError(
            f"a picture of {size.width} x {size.height} has more than {MAX_PIXELS} pixels"
        )
    return size


def read_identity(value: Any, what: str) -> int | str:
    """Read an id: a whole number, or a text; "12" and 12 are one id, as are 12.0 and 12.

    Raises:
        InputError: it is neither.

    >>> [read_identity(value, "the id") for value in ("12", 12.0, "im1", "007")]
    [12, 12, 'im1', '007']
    """
    if isinstance(value, str) and value.strip():
        text = value.strip()
        is_canonical = text.lstrip("-").isdecimal() and len(text) < 19 and str(int(text)) == text
        return int(text) if is_canonical else text
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InputError(f"{what} must be a whole number or a text, got {short_repr(value)}")


def read_flag(value: Any, what: str) -> bool:
    """Read a yes or no, as files write it: 0, 1, false, true, "0", "1", null.

    Raises:
        InputError: it is something else.
    """
    flag_values = {"0": False, "1": True, "false": False, "true": True, "none": False, "": False}
    flag = flag_values.get(str(value).strip().lower().removesuffix(".0"))
    if flag is None:
        raise InputError(f"{what} must be 0 or 1, got {short_repr(value)}")
    return flag


def read_xywh(value: Any, size: Size | None, what: str = "bbox") -> Box:
    """Read a box as left, top, width and height.

    Args:
        value: four numbers.
        size: of its picture; None: not known.

    Raises:
        InputError: it is something else, has a negative side, or lies far outside the picture.
    """
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise InputError(f"{what} must be [x, y, width, height], got {short_repr(value)}")
    x, y, width, height = (read_number(number, what) for number in value)
    if width < 0 or height < 0:
        raise InputError(f"{what} has a negative side: {short_repr(value)}")
    return near(Box(x, y, x + width, y + height), size, what)


def near(box: Box, size: Size | None, what: str) -> Box:
    """Return the box, when it reaches no further than one picture beyond its picture.

    Raises:
        InputError: it reaches further.
    """
    if size is not None and not are_near(box.corners, size):
        raise InputError(f"{what} lies far outside its picture of {size.width} x {size.height}")
    return box


def are_near(numbers: Any, size: Size) -> bool:
    """Whether all coordinates lie within one picture's longer side around the picture."""
    side = max(size)
    return all(-side <= number <= 2 * side for number in numbers)


def short_repr(value: Any) -> str:
    """Return a value as a message may show it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an endless number, an endless nest
        text = type(value).__name__
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 60 else f"{text[:57]}…"
