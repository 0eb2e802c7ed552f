"""What a segmenter is asked, read once for every backend: one prompt per object, checked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.errors import InputError
from segue.segment import Point
from segue.values.box import Box, BoxLike, Size, read_box


@dataclass(frozen=True, slots=True)
class SegmentPrompt:
    """What is known about one object: a box, clicks, or both."""

    box: Box | None = None
    """In pixels of the upright picture, clipped to it."""
    points: tuple[Point, ...] = ()
    """(x, y) in the same frame."""
    labels: tuple[int, ...] = ()
    """For each point 1 (on the object) or 0 (not on it)."""

    @property
    def is_empty(self) -> bool:
        """True when its box holds no pixel, so that no mask can be in it."""
        return self.box is not None and self.box.is_empty

    @property
    def is_vague(self) -> bool:
        """True for a single click: it may mean a part or the whole."""
        return self.box is None and len(self.points) == 1


def read_prompts(
    size: Size,
    boxes: Sequence[BoxLike] | None,
    points: Sequence[Point] | Sequence[Sequence[Point]] | None,
    labels: Sequence[int] | Sequence[Sequence[int]] | None,
) -> list[SegmentPrompt]:
    """Bring the arguments of `View.mask` into one form: a prompt for each of N objects.

    Raises:
        InputError: nothing was asked for, counts differ, a label is neither 0 nor 1, or a box or
            point lies outside a picture of `size`.
    """
    if boxes is None and points is None:
        raise InputError("A segmenter must be asked for something: give boxes or points.")
    if points is None and labels is not None:
        raise InputError("Labels must go with points, got labels without points.")
    clipped_boxes = [_clip_to_picture(box, size) for box in boxes] if boxes is not None else None
    clicks = _read_points(points, size) if points is not None else None
    if clipped_boxes is None:
        clipped_boxes = [None] * len(clicks or ())
    if clicks is None:
        clicks = [()] * len(clipped_boxes)
    if len(clipped_boxes) != len(clicks):
        raise InputError(
            "Boxes and points given together must describe the same objects, got "
            f"{len(clipped_boxes)} boxes and {len(clicks)} groups of points. Group the points: "
            "[[(x, y), …], …]."
        )
    marks = _read_labels(labels, clicks)
    return [SegmentPrompt(*fields) for fields in zip(clipped_boxes, clicks, marks)]


def check_prior(prior: Any, prompts: Sequence[SegmentPrompt], side: int) -> np.ndarray:
    """Return the low-resolution logits of an earlier mask as (side, side) float32.

    Raises:
        InputError: there is more than one object, or the shape is not this network's.
    """
    if len(prompts) != 1:
        raise InputError(
            f"An earlier mask (prior) must go with a single object, got {len(prompts)}. Ask for "
            "the objects one by one."
        )
    logits = np.asarray(prior, np.float32)
    if logits.shape != (side, side) or not np.isfinite(logits).all():
        raise InputError(
            f"An earlier mask (prior) must be finite logits of shape ({side}, {side}), got "
            f"{logits.shape}. Pass the `logits` of a mask of the same segmenter."
        )
    return logits


def _clip_to_picture(value: BoxLike, size: Size) -> Box | None:
    box = read_box(value)
    clipped = box.clipped(size)
    is_outside = box.x1 < 0 or box.y1 < 0 or box.x0 > size.width or box.y0 > size.height
    if is_outside or (clipped.is_empty and not box.is_empty):
        raise InputError(
            f"A box must touch the picture ({size.width} x {size.height} pixels), got "
            f"{box.corners}. Are its numbers fractions, or of another size of the picture?"
        )
    return clipped


def _read_points(points: Sequence[Any], size: Size) -> list[tuple[Point, ...]]:
    """Read groups of points, one group per object; a flat list is the clicks of one object."""
    try:
        flat = len(points) > 0 and np.ndim(points[0]) == 1
        groups = [points] if flat else points
        point_groups = [tuple((float(x), float(y)) for x, y in group) for group in groups]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Points must be [(x, y), …] or [[(x, y), …], …], got {points!r}."
        ) from error
    for group in point_groups:
        if not group:
            raise InputError("Each object must have at least one point, got an empty group.")
        for x, y in group:
            if not (
                math.isfinite(x)
                and 0 <= x <= size.width
                and math.isfinite(y)
                and 0 <= y <= size.height
            ):
                raise InputError(
                    f"A point must lie in the picture ({size.width} x {size.height} pixels), got "
                    f"({x}, {y})."
                )
    return point_groups


def _read_labels(labels: Any, clicks: Sequence[tuple[Point, ...]]) -> list[tuple[int, ...]]:
    """Labels in the grouping of the clicks; all 1 when none are given."""
    if labels is None:
        return [(1,) * len(group) for group in clicks]
    flat = len(labels) > 0 and np.ndim(labels[0]) == 0
    groups = [labels] if flat else labels
    if [len(group) for group in groups] != [len(group) for group in clicks]:
        raise InputError(
            f"There must be one label for each point, got labels {labels!r} for groups of "
            f"{[len(group) for group in clicks]} points."
        )
    label_groups = [tuple(int(label) for label in group) for group in groups]
    if any(label not in (0, 1) for group in label_groups for label in group):
        raise InputError(f"A label must be 1 (on the object) or 0 (not on it), got {labels!r}.")
    return label_groups
