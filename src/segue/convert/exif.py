"""Boxes and masks drawn on the stored pixels of a picture that its EXIF data turns upright.

Many programs ignore the orientation in EXIF data, so their boxes lie on the pixels as stored. Where
the turn changes width and height, the size in the annotations tells which pixels were meant; where
it does not (half a turn, a mirror, a square), only the caller can.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segue.values.box import Box, Size

Exif = Literal["stored", "upright"]
"""What annotations were drawn on."""

UPRIGHT = 1
TURNED = "turned by its EXIF data"
"""The reason for which a picture is dropped when nothing tells what its boxes were drawn on."""
OTHER_SIZE = "picture has another size"


@dataclass(frozen=True, slots=True)
class ExifTurn:
    """How annotations must be turned to lie on the upright picture, or why they cannot be."""

    orientation: int = UPRIGHT
    """The EXIF orientation to apply, 1 to 8."""
    reason: str = ""
    detail: str = ""


def exif_turn(
    annotated: Size, stored: Size, orientation: int, exif: Exif | None = None
) -> ExifTurn:
    """Find out on which pixels annotations were drawn.

    Args:
        annotated: the size that the annotations name.
        stored: the size of the picture as it is stored.
        orientation: of its EXIF data, 1 to 8.
        exif: what the caller knows; None: the sizes must tell.

    >>> exif_turn(Size(80, 100), Size(80, 100), 6).orientation
    6
    >>> exif_turn(Size(80, 100), Size(80, 100), 3).reason
    'turned by its EXIF data'
    """
    upright = upright_size(stored, orientation)
    fits = {"stored": annotated == stored, "upright": annotated == upright}
    if orientation == UPRIGHT or exif is not None:
        if fits[exif or "upright"]:
            return ExifTurn(orientation if exif == "stored" else UPRIGHT)
    elif stored != upright:
        if fits["upright"]:
            return ExifTurn()
        if fits["stored"]:
            return ExifTurn(orientation)
    elif fits["stored"]:
        detail = f"orientation {orientation}; say --exif stored or --exif upright"
        return ExifTurn(reason=TURNED, detail=detail)
    detail = f"{tuple(upright)}, the annotations say {tuple(annotated)}"
    return ExifTurn(reason=OTHER_SIZE, detail=detail)


def upright_size(stored: Size, orientation: int) -> Size:
    """The size of the picture once it is turned."""
    return Size(stored.width, stored.height) if orientation >= 5 else stored


def turned_box(box: Box, orientation: int, stored: Size) -> Box:
    """A box of the stored picture, as it lies on the upright one.

    >>> turned_box(Box(0, 0, 10, 5), 6, Size(height=80, width=100))
    Box(x0=75, y0=0, x1=80, y1=10)
    """
    (xa, ya), (xb, yb) = (
        _turned_point(x, y, orientation, stored) for x, y in ((box.x0, box.y0), (box.x1, box.y1))
    )
    return Box.spanning(xa, ya, xb, yb)


def turned_array(array: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels of the stored picture, (H, W, …), as they lie on the upright one."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _turned_point(x: float, y: float, orientation: int, stored: Size) -> tuple[float, float]:
    width, height = stored.width, stored.height
    if orientation in (5, 6, 7, 8):
        x, y, width, height = y, x, height, width
    if orientation in (2, 3, 6, 7):
        x = width - x
    if orientation in (3, 4, 7, 8):
        y = height - y
    return x, y
