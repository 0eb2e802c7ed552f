"""Which region of an annotation shows which true object."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from examples.flywheel.scenes import TrueObject
from segue.values.region import Region

SAME_OBJECT = 0.5
"""Masks that overlap at least this much (IoU) show the same object."""


def mask_ious(regions: Sequence[Region], objects: Sequence[TrueObject]) -> NDArray[np.float64]:
    """Return the IoU of each mask with each true one, (regions, objects)."""
    ious = np.zeros((len(regions), len(objects)))
    for row, region in enumerate(regions):
        for column, thing in enumerate(objects):
            ious[row, column] = 0.0 if region.mask is None else region.mask.iou(thing.mask)
    return ious


def match(ious: NDArray[np.float64]) -> dict[int, int]:
    """Match regions to objects one to one, the largest IoU first.

    Args:
        ious: (regions, objects).

    Returns:
        The object of each region that shows one.

    >>> match(np.array([[0.9, 0.6], [0.7, 0.2]]))
    {0: 0}
    """
    pairs, left = {}, ious.copy()
    while left.size and left.max() >= SAME_OBJECT:
        row, column = divmod(int(left.argmax()), left.shape[1])
        pairs[row] = column
        left[row], left[:, column] = 0.0, 0.0
    return pairs
