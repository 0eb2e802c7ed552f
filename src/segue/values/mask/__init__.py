"""Mask: the pixels of one object.

Run lengths (rle.py) are the canonical form on disk; outlines (contour.py) are exact too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import PIL.Image

from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image.conversion import png_thumbnail
from segue.values.mask import contour, rle
from segue.values.mask.compact import CompactArray
from segue.values.mask.contour import Polygon


@dataclass(frozen=True, eq=False)
class Mask:
    """Which pixels of a picture belong to an object.

    Two masks are equal when their pixels are, whatever their scores; equal masks hash alike.

    >>> Mask(np.array([[False, True], [False, True]])).box
    Box(x0=1.0, y0=0.0, x1=2.0, y1=2.0)
    """

    array: CompactArray = CompactArray()  # noqa: RUF009, a descriptor
    """(H, W) bool, read-only, at the full size of the upright picture. That of a large picture is
    kept as bits and unpacked for as long as somebody holds it."""
    score: float | None = None
    """The segmenter's own estimate of its IoU, in [0, 1]; None when it gives none."""
    logits: np.ndarray | None = None
    """(h, w) float32 at the segmenter's low resolution, to refine the mask with more clicks. Never
    compared and not part of any saved form."""

    def __post_init__(self) -> None:
        array = self.array
        if not isinstance(array, np.ndarray) or array.dtype != np.bool_:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InputError(
                f"A mask must be a bool array, got {kind}. Compare it first: Mask(values > 0)."
            )
        if array.ndim != 2 or 0 in array.shape:
            raise InputError(
                f"A mask must have the shape (height, width), both positive, got {array.shape}."
            )
        object.__setattr__(self, "array", _frozen(array))
        if self.logits is not None:
            logits = np.asarray(self.logits, np.float32)
            if logits.ndim != 2:
                raise InputError(f"Mask logits must have the shape (h, w), got {logits.shape}.")
            object.__setattr__(self, "logits", _frozen(logits))
        if self.score is not None:
            object.__setattr__(self, "score", float(self.score))

    @classmethod
    def empty(cls, size: Size) -> "Mask":
        """No pixel at all."""
        return cls(np.zeros(size, bool))

    @classmethod
    def from_box(cls, box: Box, size: Size) -> "Mask":
        """Return the pixels whose centres lie in `box`; parts outside the picture are cut off."""
        x0, y0, x1, y1 = box.corners
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        return cls(contour.fill([Polygon(corners)], size))

    @classmethod
    def from_rle(
        cls, value: Mapping[str, Any], score: float | None = None, *, size: Size | None = None
    ) -> "Mask":
        """Read COCO RLE, `{"size": [h, w], "counts": text or list}`.

        Args:
            value: the RLE.
            score: the mask's own.
            size: of the picture it lies on, where that is known: compared before decoding.

        Raises:
            InputError: it is not an RLE, has another size, or its counts do not add up to it.
        """
        mask = cls(rle.decode(value, expected_size=size), score)
        if (text := rle.shortest_text(value["counts"])) is not None:
            mask.__dict__["_counts"] = text  # as `_counts` would find it, without a look at pixels
        return mask

    @classmethod
    def from_polygons(
        cls, polygons: Iterable[Polygon], size: Size, score: float | None = None
    ) -> "Mask":
        """Return the pixels whose centres lie inside any of the polygons.

        Exact for what `polygons` gives. Corners anywhere are welcome; a sliver that passes between
        the centres of pixels leaves no trace.

        Raises:
            InputError: a ring has fewer than three corners, or one that is not finite.
        """
        return cls(contour.fill(polygons, size), score)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return what `np.asarray(mask)` gives: the (H, W) bool array, read-only unless copied."""
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy and array is self.array else array

    @property
    def size(self) -> Size:
        height, width = CompactArray.shape_of(self)
        return Size(height, width)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), as that of the array."""
        return self.size.height, self.size.width

    def to_pil(self) -> PIL.Image.Image:
        """Return a PIL image, mode L: 255 on the object, 0 elsewhere."""
        return PIL.Image.fromarray(self.array.astype(np.uint8) * 255)

    def _repr_png_(self) -> bytes:
        """Return a small picture for a notebook, white on black."""
        return png_thumbnail(self.to_pil(), 320)

    @property
    def size_bytes(self) -> int:
        """Memory that the mask holds, its logits included."""
        logits = 0 if self.logits is None else self.logits.nbytes
        return CompactArray.bytes_of(self) + logits

    @cached_property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.array))

    @property
    def is_empty(self) -> bool:
        return self.area == 0

    @cached_property
    def box(self) -> Box | None:
        """The smallest box around the pixels; None when there are none."""
        columns, rows = np.flatnonzero(self.array.any(0)), np.flatnonzero(self.array.any(1))
        if not columns.size:
            return None
        x0, x1 = float(columns[0]), float(columns[-1] + 1)
        return Box(x0, float(rows[0]), x1, float(rows[-1] + 1))

    @property
    def rle(self) -> dict[str, Any]:
        """Compressed COCO RLE, `{"size": [h, w], "counts": text}`; a fresh dict of plain values."""
        return {"size": list(self.size), "counts": self._counts}

    @cached_property
    def _counts(self) -> str:
        return rle.text_of_counts(rle.counts_of(self.array))

    @cached_property
    def polygons(self) -> tuple[Polygon, ...]:
        """Outlines with holes, along the edges between pixels; filling them gives the mask back.

        One polygon per piece; pixels that share only a corner are separate pieces. Nothing is
        smoothed: a slanted edge is a staircase.
        """
        return tuple(contour.outline(self.array))

    def iou(self, other: "Mask") -> float:
        """Intersection over union, in [0, 1]; 1 when both are empty, for then they are equal."""
        self._check_same_size(other)
        union = int(np.count_nonzero(self.array | other.array))
        return int(np.count_nonzero(self.array & other.array)) / union if union else 1.0

    def __or__(self, other: "Mask") -> "Mask":
        self._check_same_size(other)
        return Mask(self.array | other.array)

    def __and__(self, other: "Mask") -> "Mask":
        self._check_same_size(other)
        return Mask(self.array & other.array)

    def __sub__(self, other: "Mask") -> "Mask":
        self._check_same_size(other)
        return Mask(self.array & ~other.array)

    def __invert__(self) -> "Mask":
        return Mask(~self.array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self is other or np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash((self.size, self._counts))

    def __reduce__(self) -> tuple[Any, ...]:
        return Mask, (self.array, self.score, self.logits)

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score={self.score:.3f}"
        return f"Mask({self.size.height} x {self.size.width}, area={self.area}{score})"

    def _check_same_size(self, other: "Mask") -> None:
        if not isinstance(other, Mask):
            raise TypeError(f"A mask can only be combined with a mask, got {type(other).__name__}.")
        if self.size != other.size:
            raise InputError(
                f"Masks must be of the same picture size, got {tuple(self.size)} and "
                f"{tuple(other.size)} (height, width). Bring both to the size of the picture first."
            )


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only array that nobody else can write to; a copy where it must be."""
    if array.flags.writeable or array.base is not None or not array.flags.c_contiguous:
        array = array.copy(order="C")
        array.setflags(write=False)
    return array
