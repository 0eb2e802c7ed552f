"""Regions as `supervision.Detections`, which trackers, annotators and metrics of that library take.

Kept: boxes, masks, phrases as `data["class_name"]`, scores, ids as `data["region_id"]`.
Lost: spans, quadrilaterals, clicks, who found a region.

Source: Detections of supervision 0.31, https://supervision.roboflow.com.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from segue.errors import InputError, MissingExtra
from segue.export.labels import label_of
from segue.values.box import Box
from segue.values.mask import Mask
from segue.values.region import Region


def to_supervision(regions: Sequence[Region], classes: Sequence[str] | None = None) -> Any:
    """Return the regions of one picture as `supervision.Detections`.

    Args:
        regions: of one picture.
        classes: their names in the order of their ids; None: in the order in which they occur.

    Returns:
        Detections with xyxy (N, 4) float32, class_id (N,) int64, confidence (N,) float32 where
        every region has a score, mask (N, H, W) bool where every region has a mask.

    Raises:
        InputError: a region is called by none of the classes.
        MissingExtra: supervision is not installed.
    """
    supervision = _supervision()
    labels = [label_of(region) for region in regions]
    names = list(dict.fromkeys(labels)) if classes is None else list(classes)
    unknown = sorted(set(labels) - set(names))
    if unknown:
        raise InputError(
            f"The classes must hold every phrase, but {', '.join(map(repr, unknown))} is missing."
        )
    if not regions:
        return supervision.Detections.empty()
    scores = [region.score for region in regions]
    masks = [region.mask for region in regions]
    return supervision.Detections(
        xyxy=np.array([region.box.corners for region in regions], np.float32),
        mask=None if None in masks else np.stack([np.asarray(mask) for mask in masks]),
        confidence=None if None in scores else np.array(scores, np.float32),
        class_id=np.array([names.index(label) for label in labels], np.int64),
        data={
            "class_name": np.array(labels),
            "region_id": np.array([region.id for region in regions]),
        },
    )


_FIELDS = ("xyxy", "mask", "confidence", "class_id", "data")
"""What `supervision.Detections` have."""


def from_supervision(detections: Any, classes: Sequence[str] | None = None) -> tuple[Region, ...]:
    """Return `supervision.Detections` as regions, numbered r1, r2, …

    Args:
        detections: of one picture.
        classes: names by class id; None: `data["class_name"]` names them, else they have no name.

    Raises:
        InputError: these are no detections, or a class id is beyond the classes.
    """
    if not all(hasattr(detections, name) for name in _FIELDS):
        raise InputError(f"Expected supervision.Detections, got {type(detections).__name__}.")
    names = detections.data.get("class_name") if classes is None else None
    regions = []
    for row in range(len(detections.xyxy)):
        phrase = "" if names is None else str(names[row])
        if classes is not None and detections.class_id is not None:
            number = int(detections.class_id[row])
            if not 0 <= number < len(classes):
                raise InputError(f"Class ids must be below {len(classes)}, got {number}.")
            phrase = classes[number]
        score = None if detections.confidence is None else float(detections.confidence[row])
        mask = None if detections.mask is None else Mask(np.asarray(detections.mask[row], bool))
        box = Box.spanning(*(float(value) for value in detections.xyxy[row]))
        regions.append(Region(f"r{row + 1}", phrase, box, "detector", mask=mask, score=score))
    return tuple(regions)


def _supervision() -> Any:
    try:
        import supervision
    except ImportError as error:
        raise MissingExtra(
            "Detections are a type of the package supervision, which is not installed. "
            "Run: pip install supervision"
        ) from error
    return supervision
