"""One place under two names: regions of different names whose masks are the same.

Asked for a dog and for a cat, a detector may point at one animal twice. Which name is right it does
not know; whoever sees the regions should.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

from segue.values.region import Region

MIN_IOU = 0.9
"""Masks that overlap more are one place."""


@dataclass(frozen=True, slots=True)
class SamePlace:
    """Two regions of one picture in one place, under two names."""

    first: Region
    second: Region
    iou: float

    def __str__(self) -> str:
        first, second = (f"{region.phrase} {region.id}".strip() for region in self.regions)
        return f"{first} and {second} (IoU {self.iou:.2f})"

    @property
    def regions(self) -> tuple[Region, Region]:
        return self.first, self.second


def same_places(regions: Sequence[Region]) -> list[SamePlace]:
    """Return the pairs of regions in one place whose names differ, in the order of the regions.

    Masks are compared, or boxes where one of the two has no mask.
    """
    return [
        SamePlace(first, second, overlap)
        for first, second in combinations(regions, 2)
        if first.image == second.image
        and first.phrase
        and second.phrase
        and first.phrase.casefold() != second.phrase.casefold()
        and (overlap := _overlap(first, second)) > MIN_IOU
    ]


def same_place_notice(regions: Sequence[Region], new_ids: Collection[str]) -> str | None:
    """Return a sentence on new regions that lie where another one lies; None: there are none.

    Args:
        regions: all that exist.
        new_ids: of those that were not there before.
    """
    pairs = [
        pair
        for pair in same_places(regions)
        if any(region.id in new_ids for region in pair.regions)
    ]
    if not pairs:
        return None
    named = "; ".join(map(str, pairs))
    return (
        f"One place under two names: {named}. If it is one object, merge the two or delete one; "
        "one of the names may be wrong."
    )


def better_of(pair: SamePlace) -> Region:
    """Return the region whose name is more likely right: by verdict, by score, else the first."""
    return max(pair.regions, key=_likelihood)


def _likelihood(region: Region) -> tuple[bool, float]:
    probability = region.verdict.probability if region.verdict is not None else region.score
    return region.found_by == "user", 0.0 if probability is None else probability


def _overlap(first: Region, second: Region) -> float:
    overlap = first.box.iou(second.box)
    # Masks of one place have boxes of one place; most pairs need no look at pixels.
    if first.mask is None or second.mask is None or overlap < MIN_IOU / 2:
        return overlap
    return first.mask.iou(second.mask) if first.mask.size == second.mask.size else overlap
