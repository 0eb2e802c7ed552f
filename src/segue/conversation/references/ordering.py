"""Orders of objects in a picture, and which places in them are clear."""

from collections.abc import Callable, Sequence

from segue.conversation.references.expressions import Side
from segue.conversation.references.referents import Referent

POSITION_TOLERANCE = 0.25
"""Centres closer than this share of the smaller object's side stand at the same place."""
SIZE_TOLERANCE = 0.1
"""Areas that differ by less than this share of the larger one are equal."""

Tie = Callable[[Referent, Referent], bool]


class Order:
    """Objects in an order in which neighbours may be equal."""

    def __init__(self, referents: Sequence[Referent], are_equal: Tie) -> None:
        """
        Args:
            referents: from the first to the last.
            are_equal: whether two of them could as well stand in the other order.
        """
        self._referents, self._are_equal = list(referents), are_equal

    def take(self, start: int, count: int = 1) -> tuple[list[Referent], list[Referent]]:
        """Take objects from the order.

        Args:
            start: index of the first of them.
            count: how many.

        Returns:
            The objects, and nothing; or nothing, and those among which it is not clear. Nothing
            twice where there are not so many.
        """
        stop = start + count
        taken = self._referents[start:stop]
        if len(taken) < count or start < 0:
            return [], []
        equal = [
            other
            for number, other in enumerate(self._referents)
            if not start <= number < stop
            and self._are_equal(other, taken[0] if number < start else taken[-1])
        ]
        return ([], [*taken, *equal]) if equal else (taken, [])


def order_by_side(referents: Sequence[Referent], side: Side) -> Order:
    """Order objects by their centres, beginning at a side.

    For "middle", along the axis on which they are spread more.
    """
    axis = 1 if side in ("top", "bottom") else 0
    if side == "middle":
        axis = max((0, 1), key=lambda axis: _spread(referents, axis))
    ordered = sorted(
        referents,
        key=lambda referent: referent.box.centre[axis],
        reverse=side in ("right", "bottom"),
    )

    def are_equal(first: Referent, second: Referent) -> bool:
        distance = abs(first.box.centre[axis] - second.box.centre[axis])
        return distance < POSITION_TOLERANCE * min(_side(first, axis), _side(second, axis))

    return Order(ordered, are_equal)


def order_by_size(referents: Sequence[Referent], *, largest_first: bool) -> Order:
    """Order objects by the area of their masks."""

    def are_equal(first: Referent, second: Referent) -> bool:
        small, large = sorted((first.area, second.area))
        return large - small < SIZE_TOLERANCE * large

    ordered = sorted(referents, key=lambda referent: referent.area, reverse=largest_first)
    return Order(ordered, are_equal)


def _side(referent: Referent, axis: int) -> float:
    return referent.box.width if axis == 0 else referent.box.height


def _spread(referents: Sequence[Referent], axis: int) -> float:
    centres = [referent.box.centre[axis] for referent in referents]
    return max(centres, default=0.0) - min(centres, default=0.0)


_PLACES = {
    "left": ("left", "左"),
    "right": ("right", "右"),
    "top": ("top", "上"),
    "bottom": ("bottom", "下"),
    "middle": ("middle", "中"),
}


def places_of(referents: Sequence[Referent], *, chinese: bool) -> list[str]:
    """Return where each of some objects stands among them, in a word; "" where that is not clear.

    Args:
        referents: two or more.
        chinese: in Chinese instead of English.
    """
    axis = max((0, 1), key=lambda axis: _spread(referents, axis))
    first, last = ("left", "right") if axis == 0 else ("top", "bottom")
    places = dict.fromkeys((referent.id for referent in referents), "")
    sides = ["middle"] if len(referents) == 3 else []
    for side in (first, last, *sides):
        order = order_by_side(referents, side)  # type: ignore[arg-type]
        taken, _ = order.take(1 if side == "middle" else 0)
        if taken:
            places[taken[0].id] = _PLACES[side][chinese]
    return [places[referent.id] for referent in referents]
