"""The register of objects: what is pointed at again is the same region again.

A region that an answer finds is compared with those of the conversation. It is one of them when it
lies on the same picture, its name fits (`phrases_agree`), and the boxes overlap: by `MIN_IOU` where
the names agree, by `MIN_IOU_OF_UNKNOWN` where nothing is known of the names. Then it takes over the
id; the region keeps its first name, collects the others, and remembers the turns that mentioned it.
A mask that the user corrected stays; others follow the newest answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from segue.prompting.synonyms import phrases_agree
from segue.values.region import Region

MIN_IOU = 0.5
"""Boxes of one object, where the names agree."""
MIN_IOU_OF_UNKNOWN = 0.85
"""Boxes of one object, where it is not known whether the names agree."""


class ObjectRegister:
    """The objects of a conversation, while one answer is written."""

    def __init__(self, regions: Sequence[Region], ids: Iterator[str], turn: int) -> None:
        """
        Args:
            regions: all that exist.
            ids: names for new ones.
            turn: index of the turn that is being answered.
        """
        self._regions = regions
        self._ids, self._turn = ids, turn
        self._matched: set[str] = set()

    def restart(self) -> None:
        """Forget what this answer has mentioned so far: it was withdrawn."""
        self._matched.clear()

    def identify(self, found: Sequence[Region]) -> list[Region]:
        """Give regions that are found together their ids.

        A known object answers for one region of an answer at most, and for the one that fits best
        of those that are found together.

        Args:
            found: regions whose ids mean nothing yet.

        Returns:
            The regions, in the same order. A known object whose mask the user corrected has that
            mask already.
        """
        known_of = self._best_matches(found)
        identified = []
        for number, region in enumerate(found):
            known = known_of.get(number)
            if known is None:
                names = (region.phrase,) if region.phrase else ()
                region = replace(region, id=next(self._ids), names=names, turns=(self._turn,))
            else:
                self._matched.add(known.id)
                region = _merge(known, region, self._turn)
            identified.append(region)
        return identified

    def _best_matches(self, found: Sequence[Region]) -> dict[int, Region]:
        pairs = sorted(
            (
                (overlap, -number, known)
                for number, region in enumerate(found)
                for known in self._regions
                if known.id not in self._matched
                and (overlap := object_overlap(known, region)) is not None
            ),
            key=lambda pair: pair[:2],
            reverse=True,
        )
        matches: dict[int, Region] = {}
        matched_ids: set[str] = set()
        for _, negative_number, known in pairs:
            if -negative_number not in matches and known.id not in matched_ids:
                matches[-negative_number] = known
                matched_ids.add(known.id)
        return matches


def object_overlap(known: Region, found: Region) -> float | None:
    """Return how far two regions overlap, if they can be the same object; else None.

    The overlap is the IoU of their boxes. Of a point without a box, it is 1 inside the known mask.
    """
    if known.image != found.image:
        return None
    verdicts = {phrases_agree(name, found.phrase) for name in _names(known)}
    is_same = True if True in verdicts else False if False in verdicts else None
    if is_same is False:
        return None
    if found.point is not None and found.box.area == 0:
        return 1.0 if is_same and known.mask is not None and _covers(known, found.point) else None
    overlap = known.box.iou(found.box)
    return overlap if overlap >= (MIN_IOU if is_same else MIN_IOU_OF_UNKNOWN) else None


def update_regions(regions: Sequence[Region], answer_regions: Iterable[Region]) -> list[Region]:
    """Return all regions of a conversation after an answer.

    Those that the answer mentions again stay in their places, under their first names.
    """
    updated = {region.id: region for region in regions}
    for region in answer_regions:
        first = updated.get(region.id)
        updated[region.id] = (
            region if first is None else replace(region, phrase=first.phrase or region.phrase)
        )
    return list(updated.values())


def is_user_corrected(region: Region) -> bool:
    """Whether the user made or corrected the mask, so that no answer may replace it."""
    return region.found_by == "user" or bool(region.clicks)


def _merge(known: Region, found: Region, turn: int) -> Region:
    """Return a known object as an answer mentions it again."""
    names = tuple(dict.fromkeys(name for name in (*_names(known), found.phrase) if name))
    turns = tuple(dict.fromkeys((*known.turns, turn)))
    base = known if is_user_corrected(known) else found
    return replace(
        base, id=known.id, phrase=found.phrase, span=found.span, names=names, turns=turns
    )


def _names(region: Region) -> tuple[str, ...]:
    return region.names or ((region.phrase,) if region.phrase else ())


def _covers(region: Region, point: tuple[float, float]) -> bool:
    x, y = point
    assert region.mask is not None
    height, width = region.mask.size
    return 0 <= x < width and 0 <= y < height and bool(np.asarray(region.mask)[int(y), int(x)])
