"""Detection in large pictures: the whole picture, and tiles of it, merged over their seams.

A detector sees a picture at a fixed size, so that small objects of a large picture vanish. Each
tile is shown to it as a picture of its own (slicing-aided inference: Akyon et al. 2022,
arXiv:2202.06934). What lies on a seam is found in parts: boxes of one phrase from different tiles
that overlap by `MIN_SHARED` of the smaller one are merged into one, the best first. Masks of a
detector that gives them are merged with their boxes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segue.detect import Detection
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

MIN_SHARED = 0.5
"""Share of the smaller box that two boxes of one object have in common."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Square tiles that overlap."""

    side: int
    """In pixels."""
    overlap: float = 0.2
    """Share of a side that neighbours have in common, in [0, 0.9]."""

    def __post_init__(self) -> None:
        """Refuse tiles that make no sense."""
        if self.side < 32 or not 0 <= self.overlap <= 0.9:
            raise InputError(
                f"A tile needs 32 pixels or more and an overlap from 0 to 0.9, got {self.side} and "
                f"{self.overlap:g}."
            )

    @classmethod
    def parse(cls, text: str) -> "Tiling":
        """Read "1024" or "1024/0.2".

        Raises:
            InputError: it is neither.

        >>> Tiling.parse("1024/0.25")
        Tiling(side=1024, overlap=0.25)
        """
        side, slash, overlap = text.partition("/")
        try:
            return cls(int(side), float(overlap)) if slash else cls(int(side))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"Expected tiles as 1024 or 1024/0.2, got {text!r}.") from error

    def tiles(self, size: Size) -> list[Box]:
        """Return tiles that cover a picture; none where it is no larger than one.

        >>> [tile.corners for tile in Tiling(100, 0.5).tiles(Size(100, 180))]
        [(0, 0, 100, 100), (40, 0, 140, 100), (80, 0, 180, 100)]
        """
        if max(size) <= self.side:
            return []
        return [
            Box(x, y, min(x + self.side, size.width), min(y + self.side, size.height))
            for y in self._starts(size.height)
            for x in self._starts(size.width)
        ]

    def _starts(self, length: int) -> list[int]:
        """Return where tiles begin along one side, evenly spaced from its start to its end."""
        last = length - self.side
        if last <= 0:
            return [0]
        step = max(1.0, self.side * (1 - self.overlap))
        count = -int(-last // step)
        return [round(last * number / count) for number in range(count + 1)]


def find_in_tiles(
    find: Callable[[Image, Sequence[str]], list[Detection]],
    image: Image,
    phrases: Sequence[str],
    tiling: Tiling,
) -> list[Detection]:
    """Find phrases in a picture and in its tiles.

    Args:
        find: asks a detector for phrases on one picture.
        image: the picture.
        phrases: what to look for.
        tiling: how it is cut.

    Returns:
        Detections in pixels of the picture, grouped by phrase in the order given, best score first.
    """
    sources = [find(image, phrases)]
    for tile in tiling.tiles(image.size):
        x, y = int(tile.x0), int(tile.y0)
        crop = Image(image.array[y : int(tile.y1), x : int(tile.x1)], image.name)
        found = find(crop, phrases)
        sources.append([_shifted(detection, x, y, image.size) for detection in found])
    merged = merge_detections(sources)
    return [detection for phrase in phrases for detection in merged if detection.phrase == phrase]


def merge_detections(sources: Sequence[Sequence[Detection]]) -> list[Detection]:
    """Merge what several views of one picture found, best score first.

    Two detections of one view are two objects; of different views they are one where they overlap
    enough.

    Args:
        sources: by view, in pixels of the picture.
    """
    entries = sorted(
        ((detection, {number}) for number, found in enumerate(sources) for detection in found),
        key=lambda entry: -entry[0].score,
    )
    merged: list[Detection] = []
    while entries:
        best, views = entries.pop(0)
        unmatched = []
        for other, other_views in entries:
            is_same = (
                other.phrase == best.phrase
                and views.isdisjoint(other_views)
                and _shared(best.box, other.box) >= MIN_SHARED
            )
            if is_same:
                mask = _mask_union(best.mask, other.mask)
                best = replace(best, box=_union(best.box, other.box), mask=mask)
                views = views | other_views
            else:
                unmatched.append((other, other_views))
        entries = unmatched
        merged.append(best)
    return merged


def _shared(box: Box, other: Box) -> float:
    """Return the share of the smaller box that both have in common."""
    width = min(box.x1, other.x1) - max(box.x0, other.x0)
    height = min(box.y1, other.y1) - max(box.y0, other.y0)
    smaller = min(box.area, other.area)
    return max(width, 0) * max(height, 0) / smaller if smaller else 0.0


def _union(box: Box, other: Box) -> Box:
    return Box.around([box.corners[:2], box.corners[2:], other.corners[:2], other.corners[2:]])


def _mask_union(mask: Mask | None, other: Mask | None) -> Mask | None:
    return None if mask is None or other is None else mask | other


def _shifted(detection: Detection, x: int, y: int, size: Size) -> Detection:
    """Return what was found in a tile that begins at (x, y) of a picture of `size`."""
    box, mask = detection.box, detection.mask
    if mask is not None:
        pixels = np.zeros(size, bool)
        pixels[y : y + mask.size.height, x : x + mask.size.width] = mask.array
        mask = Mask(pixels, mask.score)
    moved_box = Box(box.x0 + x, box.y0 + y, box.x1 + x, box.y1 + y)
    return replace(detection, box=moved_box, mask=mask)
