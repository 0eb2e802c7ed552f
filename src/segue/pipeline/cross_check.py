"""How far the two routes put something in the same place."""

from collections.abc import Sequence

from segue.values.box import Box


def agreement(box: Box, others: Sequence[Box]) -> float:
    """How far another route agrees with a box: its best IoU with that route's boxes, in [0, 1].

    >>> agreement(Box(0, 0, 2, 1), [Box(5, 5, 6, 6), Box(1, 0, 3, 1)])
    0.3333333333333333
    >>> agreement(Box(0, 0, 2, 1), [])
    0.0
    """
    return max((box.iou(other) for other in others), default=0.0)
