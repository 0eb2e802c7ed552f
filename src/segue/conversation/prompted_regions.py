"""Regions made by the user: from boxes and clicks, refined by clicks, several merged into one."""

from collections.abc import Sequence
from dataclasses import replace

from segue.errors import InputError
from segue.pipeline.grounder import Grounder
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Click, Region


def read_clicks(
    points: Sequence[Sequence[float]] | None, labels: Sequence[int] | None
) -> tuple[Click, ...]:
    """Read points and labels as clicks; all on the object when there are no labels.

    Raises:
        InputError: counts differ, a point is no pair, or a label is neither 0 nor 1.

    >>> read_clicks([(3, 4), (8, 9)], [1, 0])
    ((3.0, 4.0, 1), (8.0, 9.0, 0))
    """
    points = points or []
    labels = [1] * len(points) if labels is None else labels
    if len(labels) != len(points):
        raise InputError(
            f"There must be one label for each point, got {len(labels)} labels and "
            f"{len(points)} points."
        )
    if any(len(point) != 2 for point in points) or any(label not in (0, 1) for label in labels):
        raise InputError(
            "Points must be (x, y), labels 1 (on the object) or 0 (not on it), "
            f"got {list(points)!r} with {list(labels)!r}."
        )
    return tuple((float(x), float(y), int(label)) for (x, y), label in zip(points, labels))


def region_from_prompt(
    grounder: Grounder,
    image: Image,
    box: Box | None,
    clicks: Sequence[Click],
    *,
    id: str,
    index: int,
    phrase: str,
) -> Region:
    """Make a region where the user drew a box or clicked.

    Raises:
        InputError: there is neither box nor click, one lies outside the picture, or there is
            no segmenter.
    """
    mask = _mask(grounder, image, box, clicks)
    place = box.clipped(image.size) if box is not None else mask.box or Box.around(clicks)
    return Region(id, phrase, place, "user", index, mask=mask, clicks=tuple(clicks))


def refine_region(
    grounder: Grounder, image: Image, region: Region, box: Box | None, clicks: Sequence[Click]
) -> Region:
    """Make the mask of a region anew, from its box and all clicks.

    The box grows to clicks on the object that lie outside it; a given box takes its place.

    Raises:
        InputError: as `region_from_prompt`.
    """
    place = (box or region.box).clipped(image.size)
    on_object = [(x, y) for x, y, label in clicks if label]
    corners = [(place.x0, place.y0), (place.x1, place.y1)]
    place = Box.around([*corners, *on_object])
    mask = _mask(grounder, image, place, clicks)
    return replace(region, box=place, mask=mask, clicks=tuple(clicks), quad=None)


def union_of_regions(regions: Sequence[Region], phrase: str | None) -> Region:
    """Merge regions of one picture into one; it keeps the id, phrase and span of the first.

    Raises:
        InputError: fewer than two, of different pictures, or without masks.
    """
    if len(regions) < 2:
        raise InputError(f"Merging needs at least two different regions, got {len(regions)}.")
    if len({region.image for region in regions}) > 1:
        raise InputError("Only regions of one picture can be merged. Name some of the same.")
    masks = [region.mask for region in regions if region.mask is not None]
    if len(masks) < len(regions):
        raise InputError("Only regions with masks can be merged. Segment them first.")
    union: Mask = masks[0]
    for mask in masks[1:]:
        union = union | mask
    corners = [region.box.corners for region in regions]
    box = union.box or Box.around([point for c in corners for point in (c[:2], c[2:])])
    first = regions[0]
    name = first.phrase if phrase is None else phrase
    return replace(
        first, phrase=name, box=box, mask=union, found_by="user", score=None, clicks=(), quad=None
    )


def _mask(grounder: Grounder, image: Image, box: Box | None, clicks: Sequence[Click]) -> Mask:
    if box is None and not clicks:
        raise InputError("Give a box, or points on the object.")
    (mask,) = grounder.view(image).mask(
        boxes=None if box is None else [box],
        points=[[(x, y) for x, y, _ in clicks]] if clicks else None,
        labels=[[label for _, _, label in clicks]] if clicks else None,
    )
    return mask
