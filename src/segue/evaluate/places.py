"""Scores of boxes and masks, by route and by language.

Route: a region comes from the chat model's own box ("chat") or from the detector after a tag
("detector"). Questions without ground truth for the metric are skipped, and counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.errors import InputError
from segue.evaluate.metrics import BoxScores, MaskScores
from segue.evaluate.predictions import Prediction, with_regions
from segue.values.mask import rle

ROUTES = ("chat", "detector")


@dataclass(slots=True)
class PlaceReport:
    """Scores of boxes or of masks."""

    all: BoxScores | MaskScores
    by_route: dict[str, BoxScores | MaskScores] = field(default_factory=dict)
    """Of the questions answered by this route alone."""
    by_language: dict[str, BoxScores | MaskScores] = field(default_factory=dict)
    skipped_questions: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "all": self.all.to_json(),
            "by route": _to_json(self.by_route),
            "by language": _to_json(self.by_language),
            "skipped, no ground truth": self.skipped_questions,
        }


def _to_json(scores_by_name: Mapping[str, BoxScores | MaskScores]) -> dict[str, Any]:
    return {name: scores.to_json() for name, scores in sorted(scores_by_name.items())}


def score_boxes(predictions: Iterable[Prediction]) -> PlaceReport:
    """Compute Acc@0.5 of questions with exactly one true box. See `BoxScores.add`."""
    total = BoxScores()
    report = PlaceReport(total)
    for prediction in predictions:
        boxes = prediction.question.boxes
        if boxes is None or len(boxes) != 1:
            report.skipped_questions += 1
            continue
        route = _single_route(prediction)
        for scores in (total, *_group_scores(report, prediction, route, BoxScores)):
            scores.add(prediction.box, boxes[0])
    return report


def score_masks(predictions: Iterable[Prediction]) -> PlaceReport:
    """Compute gIoU, cIoU, P@X, N-acc and T-acc of questions with a true mask, or about nothing.

    A failed question is wrong, even where an empty answer would be right. An answer is the union of
    its masks. It is empty when the reply has neither box nor tag, or when the detector found
    nothing above its threshold: always report the thresholds with the scores.

    Raises:
        InputError: a true mask is invalid, or not of the size of the answer's.
    """
    total = MaskScores()
    report = PlaceReport(total)
    for prediction in predictions:
        question = prediction.question
        if not question.has_mask_truth:
            report.skipped_questions += 1
            continue
        target = _decode_mask(question.mask, "mask", question.id)
        ignore = _decode_mask(question.ignore, "ignore", question.id)
        if prediction.error is not None:
            for scores in (total, *_group_scores(report, prediction, None, MaskScores)):
                scores.fail(target)
            continue
        answer = prediction.mask
        predicted = answer.array if answer is not None else None
        _check_size(question.id, predicted, target)
        for scores in (
            total,
            *_group_scores(report, prediction, _single_route(prediction), MaskScores),
        ):
            scores.add(predicted, target, ignore)
    return report


def _decode_mask(value: Any, field_name: str, question_id: str) -> np.ndarray | None:
    """Decode a mask of a question; None when there is none.

    Raises:
        InputError: it is invalid; the message names question and field.
    """
    if value is None:
        return None
    try:
        return rle.decode(value)
    except InputError as error:
        raise InputError(f"The {field_name!r} of question {question_id}: {error}") from error


def _single_route(prediction: Prediction) -> str | None:
    """Return the route of all its regions; None when there are none, or both routes were used."""
    routes = [route for route in ROUTES if with_regions(prediction, route).regions]
    return routes[0] if len(routes) == 1 else None


def _group_scores(
    report: PlaceReport, prediction: Prediction, route: str | None, scores_type: Any
) -> list[Any]:
    groups = [report.by_language.setdefault(prediction.question.language, scores_type())]
    if route is not None:
        groups.append(report.by_route.setdefault(route, scores_type()))
    return groups


def _check_size(question_id: str, predicted: np.ndarray | None, target: np.ndarray | None) -> None:
    if predicted is not None and target is not None and predicted.shape != target.shape:
        raise InputError(
            f"The true mask of question {question_id} is {target.shape} (height, width), its "
            f"picture {predicted.shape}. Is it of another file, or rotated by its EXIF data?"
        )
