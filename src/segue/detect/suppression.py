"""From many overlapping boxes to one for each object: thresholds, clipping, suppression."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from segue.detect import Detection
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.nms import nms


def clip_boxes(corners: np.ndarray, size: Size) -> np.ndarray:
    """Boxes (N, 4) x0 y0 x1 y1 cut to a picture of `size`; one that lies outside becomes empty."""
    limits = np.array([size.width, size.height, size.width, size.height])
    return np.clip(np.asarray(corners, np.float64), 0, limits)


def detections_of(
    phrase: str, corners: np.ndarray, scores: np.ndarray, size: Size, max_iou: float
) -> list[Detection]:
    """Return the objects that answer a phrase: clipped, not empty, overlaps suppressed.

    Args:
        phrase: what they answer.
        corners: (N, 4) x0 y0 x1 y1 in pixels of the upright picture.
        scores: (N,) in [0, 1], those above the thresholds.
        size: of the picture.
        max_iou: see `nms`.
    """
    boxes = clip_boxes(corners, size)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes, scores = boxes[has_area], scores[has_area]
    return [
        Detection(phrase, Box(*map(float, boxes[row])), float(scores[row]))
        for row in nms(boxes, scores, max_iou)
    ]


def group_by_phrase(
    phrases: Sequence[str], detections: Mapping[str, Sequence[Detection]]
) -> list[Detection]:
    """Answers grouped by phrase, in the order in which the phrases were first asked for.

    Args:
        phrases: phrases as the caller wrote them; one that is repeated counts once.
        detections: by phrase as the caller wrote it.
    """
    return [
        detection for phrase in dict.fromkeys(phrases) for detection in detections.get(phrase, ())
    ]


def read_phrases(phrases: Sequence[str]) -> list[str]:
    """Check the `phrases` argument of a detector.

    Raises:
        InputError: it is a single text, or holds something else than texts.
    """
    if isinstance(phrases, str):
        raise InputError(f"Phrases must be a list of texts, got the text {phrases!r}. Pass [it].")
    texts = list(phrases)
    for phrase in texts:
        if not isinstance(phrase, str):
            raise InputError(f"A phrase must be text, got {type(phrase).__name__}: {phrase!r}.")
    return texts


def read_threshold(threshold: float | None, default: float, name: str) -> float:
    """Check a threshold argument of a detector; None means `default`.

    Raises:
        InputError: it is not in [0, 1].
    """
    value = default if threshold is None else threshold
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"The {name} must be in [0, 1], got {value!r}.")
    return float(value)


def score_floor(
    box_threshold: float | None,
    text_threshold: float | None,
    default_box: float = 0.3,
    default_text: float = 0.25,
) -> float:
    """Return the score above which a box answers a phrase.

    A phrase's score is that of its best word, so both thresholds ask of one number. A text
    threshold that nobody named follows a box threshold that somebody lowered; one that is named
    counts as it is.

    Raises:
        InputError: a threshold is not in [0, 1].

    >>> score_floor(None, None, 0.3, 0.3), score_floor(0.1, None, 0.3, 0.3)
    (0.3, 0.1)
    >>> score_floor(0.1, 0.2), score_floor(None, 0.4)
    (0.2, 0.4)
    """
    box = read_threshold(box_threshold, default_box, "box_threshold")
    follows = default_text if box_threshold is None else min(default_text, box)
    return max(box, read_threshold(text_threshold, follows, "text_threshold"))
