"""Shapes of annotation tools that are neither boxes nor polygons: turned rectangles, ellipses."""

import math

import numpy as np

from segue.values.box import Box, Size

Corners = tuple[tuple[float, float], ...]


def turned_corners(box: Box, degrees: float, pivot: tuple[float, float]) -> Corners:
    """Return the four corners of a box, turned clockwise on the screen about a point.

    Args:
        box: before it is turned.
        degrees: the angle.
        pivot: (x, y), which stays where it is.

    >>> [(round(x), round(y)) for x, y in turned_corners(Box(0, 0, 4, 2), 90, (0, 0))]
    [(0, 0), (0, 4), (-2, 4), (-2, 0)]
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
    return tuple(
        (
            pivot[0] + (x - pivot[0]) * cos - (y - pivot[1]) * sin,
            pivot[1] + (x - pivot[0]) * sin + (y - pivot[1]) * cos,
        )
        for x, y in corners
    )


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float, size: Size
) -> np.ndarray:
    """Return the pixels whose centres lie in an ellipse.

    Args:
        centre: (x, y).
        radii: along x and along y, before it is turned.
        degrees: clockwise on the screen.
        size: of the picture.

    Returns:
        (H, W) bool.
    """
    if min(radii) <= 0:
        return np.zeros(size, bool)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    inside = np.zeros(size, bool)
    x = (np.arange(size.width) + 0.5 - centre[0])[None, :]
    step = max(1, 4_000_000 // size.width)  # rows at a time, so that memory stays small
    for top in range(0, size.height, step):
        y = (np.arange(top, min(top + step, size.height)) + 0.5 - centre[1])[:, None]
        along, across = (x * cos + y * sin) / radii[0], (y * cos - x * sin) / radii[1]
        inside[top : top + step] = along**2 + across**2 <= 1
    return inside
