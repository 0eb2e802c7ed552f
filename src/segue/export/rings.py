"""One closed line for a shape with holes and islands, for formats that know no more.

The line runs from ring to ring and back along the same way, a seam without width. Filled by the
even-odd rule, as `contour.fill` does, the seams vanish and the shape is exact. A program that draws
the line itself shows the seams, and one that counts border pixels in leaves them a pixel wide.
"""

from collections.abc import Sequence

import numpy as np

from segue.values.mask.contour import Polygon, Ring


def seamed(rings: Sequence[Ring]) -> Ring:
    """Join rings into one, each to the nearest corner of those before it."""
    joined = np.asarray(rings[0], float)
    for ring in rings[1:]:
        other = np.asarray(ring, float)
        # The leftmost corner of the new ring is near enough to what lies around it.
        begin = int(np.lexsort((other[:, 1], other[:, 0]))[0])
        place = int(((joined - other[begin]) ** 2).sum(1).argmin())
        detour = np.concatenate([other[begin:], other[: begin + 1], joined[place : place + 1]])
        joined = np.insert(joined, place + 1, detour, axis=0)
    return tuple((float(x), float(y)) for x, y in joined)


def one_ring(polygons: Sequence[Polygon]) -> Ring:
    """All pieces and holes of a mask as one ring; empty when there are none."""
    rings = [ring for polygon in polygons for ring in (polygon.outer, *polygon.holes)]
    return seamed(rings) if rings else ()
