"""Boxes on a picture, and the one coordinate frame that everything inside this package uses.

THE FRAME: pixels of the upright picture (EXIF orientation applied); x to the right, y down,
(0, 0) at the top left corner of the top left pixel; float. Intervals are half-open: pixel column
i covers [i, i + 1), so a width is `x1 - x0` and there is no `+ 1` anywhere.

Boxes in another frame are values of their own type, see `segue.values.frames`.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.errors import InputError

if TYPE_CHECKING:
    import numpy as np


class Size(NamedTuple):
    """Size of a picture in pixels. Named, because (H, W) and (W, H) look alike."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in THE FRAME, `x0 <= x1` and `y0 <= y1`, all finite.

    It may be empty and may reach beyond the picture; `clipped` cuts it.

    >>> Box(1, 2, 5, 4).area
    8.0
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in self.corners):
            raise InputError(f"Box corners must be finite numbers, got {self.corners}.")
        if not (self.x0 <= self.x1 and self.y0 <= self.y1):
            raise InputError(
                f"Box corners must be ordered x0 <= x1 and y0 <= y1, got {self.corners}. "
                "If they come from a model, use Box.spanning, which orders them."
            )

    @classmethod
    def spanning(cls, xa: float, ya: float, xb: float, yb: float) -> "Box":
        """Return the box between two opposite corners, given in any order.

        >>> Box.spanning(5, 4, 1, 2)
        Box(x0=1, y0=2, x1=5, y1=4)
        """
        return cls(min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))

    @classmethod
    def whole(cls, size: Size) -> "Box":
        """Return the box of the whole picture."""
        return cls(0.0, 0.0, float(size.width), float(size.height))

    @classmethod
    def around(cls, points: Iterable[Sequence[float]]) -> "Box":
        """Return the smallest box that holds points (x, y, …), of which there is at least one.

        >>> Box.around([(3, 9), (5, 2)])
        Box(x0=3, y0=2, x1=5, y1=9)
        """
        xs, ys = zip(*((point[0], point[1]) for point in points))
        return cls(min(xs), min(ys), max(xs), max(ys))

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1)."""
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1): another name for `corners`, that of many libraries."""
        return self.corners

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        """(x0, y0, width, height), as COCO has boxes."""
        return (self.x0, self.y0, self.width, self.height)

    def __iter__(self) -> Iterator[float]:
        """Yield x0, y0, x1, y1, so that a box can be unpacked.

        >>> x0, y0, x1, y1 = Box(1, 2, 5, 4)
        """
        return iter(self.corners)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "np.ndarray":
        """Return what `np.asarray(box)` gives: the four corners, float64."""
        import numpy as np

        return np.array(self.corners, float if dtype is None else dtype)

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """In square pixels."""
        return float(self.width * self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return ((self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2)

    @property
    def is_empty(self) -> bool:
        """True when it covers no area."""
        return self.width <= 0 or self.height <= 0

    def clipped(self, size: Size) -> "Box":
        """Return the part inside a picture; empty (on its border) when there is none.

        >>> Box(-5, 2, 30, 9).clipped(Size(height=8, width=20))
        Box(x0=0.0, y0=2.0, x1=20.0, y1=8.0)
        """

        def inside(value: float, limit: int) -> float:
            return float(min(max(value, 0), limit))

        return Box(
            inside(self.x0, size.width),
            inside(self.y0, size.height),
            inside(self.x1, size.width),
            inside(self.y1, size.height),
        )

    def iou(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]; 0 when both are empty.

        >>> Box(0, 0, 2, 1).iou(Box(1, 0, 3, 1))
        0.3333333333333333
        """
        across = min(self.x1, other.x1) - max(self.x0, other.x0)
        down = min(self.y1, other.y1) - max(self.y0, other.y0)
        overlap = max(across, 0.0) * max(down, 0.0)
        union = self.area + other.area - overlap
        return overlap / union if union > 0 else 0.0


BoxLike = Box | Sequence[float]
"""A box, or its corners x0, y0, x1, y1 as a tuple, a list or an array."""


def read_box(value: Any) -> Box:
    """Read a box, or four corners in pixels of the upright picture.

    Raises:
        InputError: it is neither a box nor four finite numbers in order.

    >>> read_box((1, 2, 5, 4))
    Box(x0=1.0, y0=2.0, x1=5.0, y1=4.0)
    """
    if isinstance(value, Box):
        return value
    try:
        x0, y0, x1, y1 = (float(corner) for corner in value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"A box must be a segue.Box or four numbers x0, y0, x1, y1, got "
            f"{type(value).__name__}: {value!r}."
        ) from error
    return Box(x0, y0, x1, y1)
