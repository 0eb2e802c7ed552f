"""A reviewer who knows the truth, and has few actions.

Pictures are taken in the order of the review queue, the most doubtful first. Every step of a
reviewer is an action, as each is one in `segue review`: accept a picture, give a region another
class, delete one, add one, or correct a mask. The review ends before the first picture that would
need more actions than are left.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from examples.flywheel.matching import mask_ious, match
from examples.flywheel.scenes import TrueObject
from segue.export.reading import read_data_set
from segue.review import OriginalPicture, PictureChange, Review, ReviewJournal
from segue.review.originals import free_id
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json

ActionKind = Literal["accept", "other class", "delete", "new region", "correct mask"]
GOOD_MASK = 0.75
"""A mask with a lower IoU is corrected."""


@dataclass(frozen=True)
class Action:
    """One step of the reviewer on a picture."""

    kind: ActionKind
    region: Region | None = None
    """The region as it is from now on; of a deleted one, as it was; None: accept the picture."""


def plan_actions(regions: Sequence[Region], objects: Sequence[TrueObject]) -> list[Action]:
    """Return what makes the regions of a picture true, with the acceptance at the end."""
    ious = mask_ious(regions, objects)
    pairs = match(ious)
    actions = []
    for number, region in enumerate(regions):
        if number not in pairs:
            actions.append(Action("delete", region))
            continue
        thing = objects[pairs[number]]
        if region.phrase != thing.name:
            region = replace(region, phrase=thing.name, found_by="user")
            actions.append(Action("other class", region))
        if ious[number, pairs[number]] < GOOD_MASK:
            box = thing.mask.box or region.box
            region = replace(region, mask=thing.mask, box=box, found_by="user")
            actions.append(Action("correct mask", region))
    ids = [region.id for region in regions]
    for number, thing in enumerate(objects):
        if number not in pairs.values() and thing.mask.box is not None:
            ids.append(free_id(ids))
            region = Region(ids[-1], thing.name, thing.mask.box, "user", mask=thing.mask)
            actions.append(Action("new region", region))
    return [*actions, Action("accept")]


def review_run(run: Path, truth: dict[str, list[TrueObject]], max_actions: int) -> Counter[str]:
    """Review a run of `segue annotate`, and return how many actions of each kind it took.

    Args:
        run: its folder; the journal of the review is written into it.
        truth: what is on each picture, by its name.
        max_actions: in all.

    Returns:
        Actions by kind, and "pictures".
    """
    data = read_data_set(run, reviewed="original")
    originals = [OriginalPicture.of(one.name, one.size, one.regions) for one in data.pictures]
    counts: Counter[str] = Counter()
    assert data.journal is not None
    with ReviewJournal(data.journal) as journal:
        review = Review(originals, journal, data.classes)
        for index in review.select("todo"):
            picture = review.reviews[index]
            regions = [region_from_json(one) for one in picture.regions.values()]
            actions = plan_actions(regions, truth[picture.original.name])
            if sum(counts.values()) - counts["pictures"] + len(actions) > max_actions:
                break
            for action in actions:
                review.submit(index, _change_of(action, index, picture.version))
                counts[action.kind] += 1
            counts["pictures"] += 1
    return counts


def _change_of(action: Action, index: int, version: int) -> PictureChange:
    region = action.region
    is_deleted = action.kind == "delete" and region is not None
    return PictureChange(
        id=f"{index}-{version}",
        picture="",
        origin="",
        base=version,
        reviewer="truth",
        time="",
        decision="accept" if action.kind == "accept" else None,
        regions=() if region is None or is_deleted else (region_to_json(region),),
        deleted=(region.id,) if is_deleted and region is not None else (),
    )
