"""Outlines of masks: bool array -> polygons with holes -> the same bool array.

Outlines run along the edges between pixels, in THE FRAME of box.py: a single pixel in the corner of
a picture is the square (0, 0), (1, 0), (1, 1), (0, 1). Filling asks for each pixel whether its
centre lies inside. So outline and fill are exact inverses of each other, for every mask.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segue.errors import InputError
from segue.values.box import Size

_PIXELS_AT_A_TIME = 4_000_000
"""Filled in blocks of rows of about so many, so that memory is that of the mask."""

Ring = tuple[tuple[float, float], ...]
"""The corners (x, y) of a closed line, in pixels; the first is not repeated at the end."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """One connected piece: an outer ring, clockwise on the screen, and holes, anticlockwise.

    Rings made by `outline` never cross themselves or one another; they may touch in a corner.
    """

    outer: Ring
    holes: tuple[Ring, ...] = ()


def outline(array: np.ndarray) -> list[Polygon]:
    """Return the outlines of a (H, W) bool array, exact; pixels that share only a corner are apart.

    Returns:
        One polygon per piece, in the order of their topmost, then leftmost corners.
    """
    rings = [np.array(ring) for ring in _rings(array)]
    areas = [_signed_area(ring) for ring in rings]
    outers = [ring for ring, area in zip(rings, areas, strict=True) if area > 0]
    holes: list[list[Ring]] = [[] for _ in outers]
    if len(outers) < len(rings):
        low = np.array([ring.min(0) for ring in outers])
        high = np.array([ring.max(0) for ring in outers])
        for ring, area in zip(rings, areas, strict=True):
            if area < 0:
                holes[_owner(ring, outers, low, high)].append(_as_ring(ring))
    return [Polygon(_as_ring(ring), tuple(own)) for ring, own in zip(outers, holes, strict=True)]


def fill(polygons: Iterable[Polygon], size: Size) -> np.ndarray:
    """Rasterise: a (H, W) bool array, True where a pixel's centre is inside any of the polygons.

    Args:
        polygons: rings in either direction; parts outside the picture are cut off. Within one
            polygon the even-odd rule holds, so a ring inside a ring is a hole.
        size: of the picture.

    Raises:
        InputError: a ring has fewer than three corners or a corner is not finite.
    """
    array = np.zeros(size, bool)
    for polygon in polygons:
        rings = [_read_ring(ring) for ring in (polygon.outer, *polygon.holes)]
        corners = np.concatenate(rings)
        low, high = corners.min(0), corners.max(0)
        x0, y0 = (int(v) for v in np.clip(np.floor(low), 0, (size.width, size.height)))
        x1, y1 = (int(v) for v in np.clip(np.ceil(high), 0, (size.width, size.height)))
        if x0 < x1 and y0 < y1:
            local_rings = [ring - (x0, y0) for ring in rings]
            array[y0:y1, x0:x1] |= _parity(local_rings, y1 - y0, x1 - x0)
    return array


def _rings(array: np.ndarray) -> list[list[tuple[int, int]]]:
    """Every closed boundary line, with the inside on the right hand while walking along it."""
    padded = np.pad(array, 1)
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    saddle = (nw == se) & (ne == sw) & (nw != ne)
    y, x = np.nonzero((nw ^ ne ^ sw ^ se) | saddle)  # corners, in reading order
    double = saddle[y, x]
    y, x, double = (np.repeat(values, 1 + double) for values in (y, x, double))
    # A saddle is two corners in one place: the first ends the edge from the left, the second
    # begins the edge to the right. Which of them the edge from above ends in depends on where the
    # inside is: it keeps diagonal pixels apart.
    second = np.concatenate(([False], double[1:] & (x[1:] == x[:-1]) & (y[1:] == y[:-1])))
    late = np.where(nw[y, x], second, ~second) & double
    across = np.arange(x.size)
    down = np.lexsort((late, y, x))
    beside, above = np.empty_like(across), np.empty_like(across)
    beside[0::2], beside[1::2] = across[1::2], across[0::2]
    above[down[0::2]], above[down[1::2]] = down[1::2], down[0::2]
    inside_below = se[y, x].tolist()
    return _walk(x.tolist(), y.tolist(), beside.tolist(), above.tolist(), inside_below)


def _walk(
    x: list[int], y: list[int], beside: list[int], above: list[int], inside_below: list[bool]
) -> list[list[tuple[int, int]]]:
    rings: list[list[tuple[int, int]]] = []
    visited = [False] * len(x)
    for start in range(len(x)):
        if visited[start]:
            continue
        # The first corner of a ring in reading order begins its top edge.
        ring, corner = [], start if inside_below[start] else beside[start]
        while not visited[corner]:
            next_corner = beside[corner]
            visited[corner] = visited[next_corner] = True
            ring += [(x[corner], y[corner]), (x[next_corner], y[next_corner])]
            corner = above[next_corner]
        rings += _split_at_touching_corners(ring)
    return rings


def _split_at_touching_corners(ring: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Cut a ring that touches itself in corners into rings that do not."""
    if len(set(ring)) == len(ring):
        return [ring]
    loops: list[list[tuple[int, int]]] = []
    path: list[tuple[int, int]] = []
    index_of: dict[tuple[int, int], int] = {}
    for corner in ring:
        if corner in index_of:
            loop_start = index_of[corner]
            loop, path = path[loop_start:], path[:loop_start]
            for old_corner in loop:
                del index_of[old_corner]
            loops.append(loop)
        index_of[corner] = len(path)
        path.append(corner)
    return [path, *loops]


def _signed_area(ring: np.ndarray) -> float:
    """Positive when the ring is clockwise on the screen (y down)."""
    x, y = ring[:, 0].astype(float), ring[:, 1].astype(float)
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _owner(hole: np.ndarray, outers: list[np.ndarray], low: np.ndarray, high: np.ndarray) -> int:
    """Which outer ring a hole lies in: the smallest around the pixel above the hole's top edge."""
    x, y = hole[np.lexsort((hole[:, 0], hole[:, 1]))[0]]
    point = np.array([x + 0.5, y - 0.5])
    near = np.flatnonzero((low < point).all(1) & (high > point).all(1))
    inside = [int(i) for i in near if _contains(outers[i], point)]
    return min(inside, key=lambda i: _signed_area(outers[i]))


def _contains(ring: np.ndarray, point: np.ndarray) -> bool:
    """For rings of horizontal and vertical edges and a point at a pixel's centre."""
    x, y = ring[:, 0], ring[:, 1]
    next_y = np.roll(y, -1)
    crosses = (np.minimum(y, next_y) < point[1]) & (np.maximum(y, next_y) > point[1])
    return bool((crosses & (x < point[0])).sum() % 2)


def _as_ring(ring: np.ndarray) -> Ring:
    return tuple((float(x), float(y)) for x, y in ring)


def _read_ring(ring: Sequence[tuple[float, float]]) -> np.ndarray:
    try:
        corners = np.asarray(ring, float)
    except (TypeError, ValueError):
        corners = np.zeros(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise InputError("A ring must be a list of at least three corners (x, y).")
    if not np.isfinite(corners).all():
        raise InputError("The corners of a ring must be finite numbers.")
    return corners


def _parity(rings: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Even-odd fill of rings together: (height, width) bool."""
    xa, ya = np.concatenate(rings).T
    xb, yb = np.concatenate([np.roll(ring, -1, 0) for ring in rings]).T
    # Downwards, all of them: then the two ways along a seam cross a row in the very same place.
    up = ya > yb
    xa, xb, ya, yb = (
        np.where(up, xb, xa),
        np.where(up, xa, xb),
        np.where(up, yb, ya),
        np.where(up, ya, yb),
    )
    # An edge crosses the centre lines of the rows first <= row < last (half-open, so that a corner
    # on a centre line counts once).
    first = np.clip(np.ceil(ya - 0.5), 0, height).astype(int)
    last = np.clip(np.ceil(yb - 0.5), 0, height).astype(int)
    edge = np.repeat(np.arange(xa.size), last - first)
    begin = np.cumsum(last - first) - (last - first)
    row = np.arange(edge.size) - begin[edge] + first[edge]
    slope = (xb[edge] - xa[edge]) / (yb[edge] - ya[edge])
    crossing = xa[edge] + (row + 0.5 - ya[edge]) * slope
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
    inside = np.empty((height, width), bool)
    step = max(1, _PIXELS_AT_A_TIME // (width + 1))
    for start in range(0, height, step):
        rows = min(step, height - start)
        in_rows = slice(None) if rows == height else (row >= start) & (row < start + rows)
        places = (row[in_rows] - start) * (width + 1) + column[in_rows]
        flips = np.bincount(places, minlength=rows * (width + 1)).reshape(rows, width + 1)
        inside[start : start + rows] = np.cumsum(flips[:, :-1], axis=1) % 2
    return inside
