"""Annotations of pictures with an EXIF orientation: stored pixels or upright ones.

Many programs ignore the orientation in EXIF data, so their boxes refer to the pixels as stored.
Where rotation swaps width and height, the size in the annotations tells which pixels are meant;
where it does not (half a turn, a mirror, a square), only the caller can.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segue.values.box import Box, Size

PixelFrame = Literal["stored", "upright"]
"""Which pixels annotations refer to."""

UPRIGHT = 1
EXIF_AMBIGUOUS = "turned by its EXIF data"
"""The reason for dropping a picture when it is unknown which pixels its boxes refer to."""
OTHER_SIZE = "picture has another size"


@dataclass(frozen=True, slots=True)
class ExifCorrection:
    """The orientation to apply to annotations for the upright picture, or why there is none."""

    orientation: int = UPRIGHT
    """The EXIF orientation to apply, 1 to 8."""
    reason: str = ""
    detail: str = ""


def exif_correction(
    annotated: Size, stored_size: Size, orientation: int, exif: PixelFrame | None = None
) -> ExifCorrection:
    """Find out which pixels annotations refer to.

    Args:
        annotated: the size that the annotations name.
        stored_size: the size of the picture as it is stored.
        orientation: of its EXIF data, 1 to 8.
        exif: what the caller knows; None: decided by the sizes.

    >>> exif_correction(Size(80, 100), Size(80, 100), 6).orientation
    6
    >>> exif_correction(Size(80, 100), Size(80, 100), 3).reason
    'turned by its EXIF data'
    """
    upright = upright_size(stored_size, orientation)
    size_matches = {"stored": annotated == stored_size, "upright": annotated == upright}
    if orientation == UPRIGHT or exif is not None:
        if size_matches[exif or "upright"]:
            return ExifCorrection(orientation if exif == "stored" else UPRIGHT)
    elif stored_size != upright:
        if size_matches["upright"]:
            return ExifCorrection()
        if size_matches["stored"]:
            return ExifCorrection(orientation)
    elif size_matches["stored"]:
        detail = f"orientation {orientation}; say --exif stored or --exif upright"
        return ExifCorrection(reason=EXIF_AMBIGUOUS, detail=detail)
    detail = f"{tuple(upright)}, the annotations say {tuple(annotated)}"
    return ExifCorrection(reason=OTHER_SIZE, detail=detail)


def upright_size(stored_size: Size, orientation: int) -> Size:
    """Return the size of the picture once it is upright."""
    return Size(stored_size.width, stored_size.height) if orientation >= 5 else stored_size


def box_to_upright(box: Box, orientation: int, stored_size: Size) -> Box:
    """Map a box from the stored picture to the upright one.

    >>> box_to_upright(Box(0, 0, 10, 5), 6, Size(height=80, width=100))
    Box(x0=75, y0=0, x1=80, y1=10)
    """
    (xa, ya), (xb, yb) = (
        _point_to_upright(x, y, orientation, stored_size)
        for x, y in ((box.x0, box.y0), (box.x1, box.y1))
    )
    return Box.spanning(xa, ya, xb, yb)


def array_to_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate the pixels of the stored picture, (H, W, …), upright."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _point_to_upright(
    x: float, y: float, orientation: int, stored_size: Size
) -> tuple[float, float]:
    width, height = stored_size.width, stored_size.height
    if orientation in (5, 6, 7, 8):
        x, y, width, height = y, x, height, width
    if orientation in (2, 3, 6, 7):
        x = width - x
    if orientation in (3, 4, 7, 8):
        y = height - y
    return x, y
