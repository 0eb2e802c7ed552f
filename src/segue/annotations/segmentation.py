"""`segmentation` of COCO files, in all the shapes that files really hold.

Read: lists of flat corners `[[x, y, x, y, …], …]`; one flat list; corners as pairs, one ring or
several; numbers written as text, and any of these as JSON text; RLE with counts as a list, text or
bytes; a list of RLEs, which are one region. Anything else is refused with a sentence that says what
it is. Everything is checked before a library sees it: theirs trust what they are given.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.annotations.fields import are_near, read_list, read_object, read_whole, short_repr
from segue.errors import InputError
from segue.values.box import Size
from segue.values.mask import rle
from segue.values.mask.contour import Polygon, fill


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A region as corners, run lengths, or both; all of it together is the region."""

    rings: tuple[np.ndarray, ...] = ()
    """Each (N, 2) float, N >= 3: x and y in pixels."""
    masks: tuple[np.ndarray, ...] = ()
    """Each (H, W) bool, of the picture's size."""

    def filled(self, size: Size) -> np.ndarray:
        """Return the pixels whose centres lie inside, (H, W) bool."""
        rings = [Polygon(tuple(map(tuple, ring.tolist()))) for ring in self.rings]
        array = fill(rings, size)
        for mask in self.masks:
            array |= mask
        return array


def read_segmentation(value: Any, size: Size) -> Segmentation | None:
    """Read the field.

    Args:
        value: what the file holds.
        size: of the picture.

    Returns:
        None when there is none: null, or an empty list.

    Raises:
        InputError: it makes no sense, is of another size, or lies far outside the picture.
    """
    if isinstance(value, str):
        value = _from_text(value)
    if value is None or (isinstance(value, list | tuple) and len(value) == 0):
        return None
    if isinstance(value, Mapping):
        return Segmentation(masks=(read_rle(value, size),))
    if not isinstance(value, list | tuple):
        raise InputError(f"segmentation must be polygons or RLE, got {short_repr(value)}")
    parts = _rings(value)
    rings, masks = [], []
    for part in parts:
        if isinstance(part, Mapping):
            masks.append(read_rle(part, size))
        else:
            rings.append(_ring(part, size))
    return Segmentation(tuple(rings), tuple(masks))


def read_rle(value: Mapping[str, Any], size: Size) -> np.ndarray:
    """Decode run lengths whose size must be the picture's; nothing larger is ever made.

    Raises:
        InputError: the size differs, or the counts make no sense.
    """
    stated_size = value.get("size", list(size))
    sides = stated_size if isinstance(stated_size, list | tuple) and len(stated_size) == 2 else ()
    if tuple(read_whole(side, "the size of an RLE") for side in sides) != tuple(size):
        raise InputError(
            f"its mask is of {short_repr(stated_size)}, its picture {list(size)} (height, width)"
        )
    counts = value.get("counts")
    if isinstance(counts, str | bytes | list | tuple) and len(counts) > 6 * size[0] * size[1] + 16:
        raise InputError(f"an RLE of {len(counts)} counts is too long for its picture")
    try:
        return rle.decode({"size": list(size), "counts": counts})
    except (OverflowError, MemoryError) as error:
        raise InputError(f"the counts of its RLE make no sense ({error})") from error


def checked_rle(value: Any, size: Size) -> dict[str, Any]:
    """Run lengths as compressed COCO RLE, checked without making an array.

    Raises:
        InputError: they are none, are of another size, or do not add up to it.
    """
    value = read_object(value, "an RLE")
    stated_size, counts = value.get("size"), value.get("counts")
    sides = stated_size if isinstance(stated_size, list | tuple) and len(stated_size) == 2 else ()
    if tuple(read_whole(side, "the size of an RLE") for side in sides) != tuple(size):
        raise InputError(
            f"an RLE is of {short_repr(stated_size)}, not {list(size)} (height, width)"
        )
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        runs = rle.counts_of_text(counts)
    else:
        count_list = read_list(counts, "the counts of an RLE")
        runs = np.array([read_whole(count, "a count") for count in count_list], np.int64)
    pixels = size.height * size.width
    if runs.size and (runs.min() < 0 or runs.max() > pixels):
        raise InputError(f"an RLE has a count outside 0 to {pixels}")
    if int(runs.sum()) != pixels:
        raise InputError(f"the counts of an RLE add up to {int(runs.sum())}, not {pixels} pixels")
    return {"size": list(size), "counts": rle.text_of_counts(runs)}


def _from_text(text: str) -> Any:
    text = text.strip()
    if not text or text.lower() in ("null", "none"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.replace(",", " ").split()


def _rings(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    """Return the parts, each a flat list, a list of pairs, or an RLE."""
    first = value[0]
    if not isinstance(first, list | tuple | Mapping):
        return [value]  # one flat list
    if all(_is_pair(part) for part in value) and len(value) >= 3:
        return [value]  # one ring of pairs
    return list(value)


def _is_pair(part: Any) -> bool:
    return (
        isinstance(part, list | tuple)
        and len(part) == 2
        and not any(isinstance(number, list | tuple | Mapping) for number in part)
    )


def _ring(part: Any, size: Size) -> np.ndarray:
    """(N, 2) float corners, checked.

    Raises:
        InputError: they are no ring of finite corners near the picture.
    """
    if not isinstance(part, list | tuple):
        raise InputError(f"segmentation holds {short_repr(part)}, which is no polygon")
    flat = [number for corner in part for number in corner] if all(map(_is_pair, part)) else part
    try:
        if any(isinstance(number, bool | type(None)) for number in flat):
            raise ValueError
        corners = np.array([float(number) for number in flat])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a polygon holds what is no number: {short_repr(part)}") from error
    if corners.size < 6 or corners.size % 2:
        raise InputError(
            f"a polygon must have at least three corners, x and y each, got {corners.size} numbers"
        )
    if not np.isfinite(corners).all():
        raise InputError("a polygon has a corner that is not finite")
    if not are_near((corners.min(), corners.max()), size):
        raise InputError(f"a polygon lies far outside its picture of {size.width} x {size.height}")
    return corners.reshape(-1, 2)
