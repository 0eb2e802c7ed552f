"""Regions by a person's hand: drawn boxes, clicks that correct a mask, several made one."""

from collections.abc import Sequence
from dataclasses import replace

from segue.assistant import Assistant
from segue.errors import InputError
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Click, Region


def clicks_of(
    points: Sequence[Sequence[float]] | None, labels: Sequence[int] | None
) -> tuple[Click, ...]:
    """Points and labels as clicks; all on the object when there are no labels.

    Raises:
        InputError: counts differ, a point is no pair, or a label is neither 0 nor 1.

    >>> clicks_of([(3, 4), (8, 9)], [1, 0])
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


def pointed_out(
    assistant: Assistant,
    image: Image,
    box: Box | None,
    clicks: Sequence[Click],
    *,
    id: str,
    index: int,
    phrase: str,
) -> Region:
    """A new region where a person drew a box or clicked.

    Raises:
        InputError: there is neither box nor click, one lies outside the picture, or the assistant
            has no segmenter.
    """
    mask = _mask(assistant, image, box, clicks)
    place = box.clipped(image.size) if box is not None else mask.box or _around(clicks)
    return Region(id, phrase, place, "person", index, mask=mask, clicks=tuple(clicks))


def corrected(
    assistant: Assistant, image: Image, region: Region, box: Box | None, clicks: Sequence[Click]
) -> Region:
    """A region with a mask made anew from its box and all clicks.

    The box grows to clicks on the object that lie outside it; a given box takes its place.

    Raises:
        InputError: as `pointed_out`.
    """
    place = (box or region.box).clipped(image.size)
    inside = [(x, y) for x, y, label in clicks if label]
    if inside:
        xs, ys = zip(*inside)
        place = Box(min(place.x0, *xs), min(place.y0, *ys), max(place.x1, *xs), max(place.y1, *ys))
    mask = _mask(assistant, image, place, clicks)
    return replace(region, box=place, mask=mask, clicks=tuple(clicks), quad=None)


def merged(regions: Sequence[Region], phrase: str | None) -> Region:
    """Several regions of one picture as one; it keeps the id, phrase and span of the first.

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
    whole: Mask = masks[0]
    for mask in masks[1:]:
        whole = whole | mask
    corners = zip(*(region.box.corners for region in regions))
    x0s, y0s, x1s, y1s = corners
    box = whole.box or Box(min(x0s), min(y0s), max(x1s), max(y1s))
    first = regions[0]
    name = first.phrase if phrase is None else phrase
    return replace(
        first, phrase=name, box=box, mask=whole, found_by="person", score=None, clicks=(), quad=None
    )


def _mask(assistant: Assistant, image: Image, box: Box | None, clicks: Sequence[Click]) -> Mask:
    if box is None and not clicks:
        raise InputError("Give a box, or points on the object.")
    (mask,) = assistant.look(image).mask(
        boxes=None if box is None else [box],
        points=[[(x, y) for x, y, _ in clicks]] if clicks else None,
        labels=[[label for _, _, label in clicks]] if clicks else None,
    )
    return mask


def _around(clicks: Sequence[Click]) -> Box:
    """The box around clicks that gave an empty mask."""
    xs, ys, _ = zip(*clicks)
    return Box(min(xs), min(ys), max(xs), max(ys))
