"""Masks of everything in a picture, without names: a grid of clicks, and what is sure of it stays.

Each point of a grid is a click. Of the masks that the network offers for it, those stay of which
it is sure itself (predicted IoU) and whose border does not move with the threshold (stability
score); of masks whose boxes overlap, the best one stays (NMS). This is the automatic mask generator
of Segment Anything for the whole picture, without its crops. Stability and boxes are judged at the
low resolution of the network, and only what stays is enlarged.

A small network that looks at each object again through a crop (`crop_refinement`) is not sure
of anything at first: there the boxes of all candidates are looked at again, and the predicted IoU
of the second look decides alone.

Source: Kirillov et al. 2023, arXiv:2304.02643, appendix B, and SamAutomaticMaskGenerator
of its code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segue.errors import InputError
from segue.segment import Point, View
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.nms import nms

if TYPE_CHECKING:
    from torch import Tensor

    from segue.segment.sam_view import SamView

OnClicks = Callable[[int, int], None]
"""Told how many clicks on a picture are done, of how many."""
POINTS_AT_ONCE = 64
"""Clicks that are answered together; memory decides for fewer."""
CANDIDATE_IOU = 0.3
"""Predicted IoU from which a candidate is looked at again, where there is a second look."""
STABILITY_OFFSET = 1.0
"""By how much the threshold on logits is moved, up and down, to see whether a mask is stable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EverythingOptions:
    """Which masks stay; the defaults are those of Segment Anything."""

    points_per_side: int = 32
    """Of the grid of clicks: 32 are 1024 clicks."""
    pred_iou_threshold: float = 0.88
    """Keep masks whose predicted IoU is at least this."""
    stability_score_threshold: float = 0.95
    """Keep masks that change at most so much with the threshold on their logits: an IoU."""
    box_nms_threshold: float = 0.7
    """Of masks whose boxes overlap more (IoU), the best one stays."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if not 1 <= self.points_per_side <= 256:
            raise InputError(
                f"The grid must have 1 to 256 points per side, got {self.points_per_side}."
            )
        for name in ("pred_iou_threshold", "stability_score_threshold", "box_nms_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"The {name.replace('_', ' ')} must be from 0 to 1, got {getattr(self, name)}."
                )

    def points(self, size: Size) -> list[Point]:
        """Return the clicks for a picture, row by row.

        >>> EverythingOptions(points_per_side=2).points(Size(height=20, width=40))
        [(10.0, 5.0), (30.0, 5.0), (10.0, 15.0), (30.0, 15.0)]
        """
        side = self.points_per_side
        return [
            (size.width * (column + 0.5) / side, size.height * (row + 0.5) / side)
            for row in range(side)
            for column in range(side)
        ]


def segment_everything(
    view: View,
    size: Size,
    options: EverythingOptions,
    on_clicks: OnClicks | None = None,
) -> list[Mask]:
    """Return masks of everything in a picture, best predicted IoU first.

    Args:
        view: the picture, encoded.
        size: of the picture.
        options: what stays.
        on_clicks: told how many clicks are done, of how many, whenever some are.

    Returns:
        Masks that are not empty, each with its `score`.
    """
    from segue.segment.crop_refinement import CropRefinedView
    from segue.segment.sam_view import SamView

    points = options.points(size)
    if isinstance(view, CropRefinedView):
        _, _, boxes = _candidates(
            view, points, CANDIDATE_IOU, 0.0, options.box_nms_threshold, on_clicks
        )
        masks = view.mask(boxes=boxes) if boxes else []
        masks = [mask for mask in masks if (mask.score or 0) >= options.pred_iou_threshold]
    elif isinstance(view, SamView):
        logits, scores, _ = _candidates(
            view,
            points,
            options.pred_iou_threshold,
            options.stability_score_threshold,
            options.box_nms_threshold,
            on_clicks,
        )
        arrays = view.arrays(logits) if len(logits) else []
        masks = [Mask(array, score=score) for array, score in zip(arrays, scores)]
    else:
        masks = []
        for start in range(0, len(points), POINTS_AT_ONCE):
            clicks = [[point] for point in points[start : start + POINTS_AT_ONCE]]
            masks += [
                mask
                for mask in view.mask(points=clicks)
                if (mask.score or 0) >= options.pred_iou_threshold
            ]
            _tell(on_clicks, start + len(clicks), len(points))
    return _without_overlaps([mask for mask in masks if not mask.is_empty], options)


def _tell(on_clicks: OnClicks | None, done: int, total: int) -> None:
    if on_clicks is not None:
        on_clicks(done, total)


def _without_overlaps(masks: Sequence[Mask], options: EverythingOptions) -> list[Mask]:
    """Of masks whose boxes overlap keep the best, best first."""
    if not masks:
        return []
    boxes = np.array([mask.box.corners for mask in masks if mask.box is not None])
    scores = np.array([mask.score or 0.0 for mask in masks])
    return [masks[place] for place in nms(boxes, scores, options.box_nms_threshold)]


def _candidates(
    view: "SamView",
    points: Sequence[Point],
    min_iou: float,
    min_stability: float,
    max_overlap: float,
    on_clicks: OnClicks | None,
) -> tuple["Tensor", list[float], list[Box]]:
    """Return logits (N, s, s), predicted IoU and boxes of the masks that clicks give.

    Boxes are in pixels of the picture, as exact as the low resolution is.
    """
    import torch

    from segue.segment.prompts import SegmentPrompt

    prompts = [SegmentPrompt(points=(point,), labels=(1,)) for point in points]
    side = view.network.logits_side
    rows = max(1, round(side * view.inner.height / view.network.side))
    columns = max(1, round(side * view.inner.width / view.network.side))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(prompts), POINTS_AT_ONCE):
            logits, iou = view.decode(prompts[start : start + POINTS_AT_ONCE], None, multimask=True)
            logits, iou = logits.flatten(0, 1), iou.flatten().clamp(0, 1)
            inside = logits[:, :rows, :columns]
            is_good = (iou >= min_iou) & (_stability(inside) >= min_stability)
            is_good &= (inside > 0).any(-1).any(-1)
            parts.append((logits[is_good], iou[is_good], _boxes(inside[is_good] > 0)))
            _tell(on_clicks, min(start + POINTS_AT_ONCE, len(prompts)), len(prompts))
    all_logits = torch.cat([part[0] for part in parts])
    all_scores = torch.cat([part[1] for part in parts]).cpu().numpy()
    scale = np.array([view.size.width / columns, view.size.height / rows] * 2)
    corners = np.concatenate([part[2] for part in parts]) * scale
    best = nms(corners, all_scores, max_overlap)
    boxes = [Box(*map(float, corners[place])) for place in best]
    picked = torch.from_numpy(best).to(all_logits.device)
    return all_logits[picked], [float(all_scores[place]) for place in best], boxes


def _stability(logits: "Tensor") -> "Tensor":
    """Return the IoU of each mask at a higher and a lower threshold, (N,)."""
    above = (logits > STABILITY_OFFSET).sum((-1, -2))
    below = (logits > -STABILITY_OFFSET).sum((-1, -2))
    return above / below.clamp(min=1)


def _boxes(masks: "Tensor") -> np.ndarray:
    """Return the boxes (N, 4) around masks (N, h, w) that are not empty, in their own pixels."""
    columns, rows = masks.any(1).int(), masks.any(2).int()  # (N, w), (N, h)
    x0, y0 = columns.argmax(1), rows.argmax(1)
    x1 = columns.shape[1] - columns.flip(1).argmax(1)
    y1 = rows.shape[1] - rows.flip(1).argmax(1)
    boxes: np.ndarray = np.stack(
        [side.cpu().numpy().astype(np.float64) for side in (x0, y0, x1, y1)], 1
    )
    return boxes
