"""Are the boxes and masks in the right place? By route, and for both together.

Route: a region comes from the chat model's own box ("chat") or from the detector after a tag
("detector"). A question whose truth is not known for the metric is left out, and counted.
"""

from collections.abc import Iterable
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
    """Of the questions that were answered by this route alone."""
    by_language: dict[str, BoxScores | MaskScores] = field(default_factory=dict)
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "all": self.all.to_json(),
            "by route": {name: s.to_json() for name, s in sorted(self.by_route.items())},
            "by language": {name: s.to_json() for name, s in sorted(self.by_language.items())},
            "left out, no truth": self.left_out,
        }


def score_boxes(predictions: Iterable[Prediction]) -> PlaceReport:
    """Acc@0.5 of questions with exactly one true box. See `BoxScores.add`."""
    total = BoxScores()
    report = PlaceReport(total)
    for prediction in predictions:
        boxes = prediction.question.boxes
        if boxes is None or len(boxes) != 1:
            report.left_out += 1
            continue
        route = _route(prediction)
        for scores in (total, *_own(report, prediction, route, BoxScores)):
            scores.add(prediction.box, boxes[0])
    return report


def score_masks(predictions: Iterable[Prediction]) -> PlaceReport:
    """gIoU, cIoU, P@X, N-acc and T-acc of questions with a true mask, or with nothing to find.

    A question that could not be asked is wrong, also where silence would have been right. An answer
    is the union of all its masks. It is empty when there was no box and no tag, or when
    the detector found nothing above its threshold: always state the thresholds with the number.

    Raises:
        InputError: a true mask makes no sense, or is of another size than the answer's.
    """
    total = MaskScores()
    report = PlaceReport(total)
    for prediction in predictions:
        question = prediction.question
        if not question.has_place:
            report.left_out += 1
            continue
        target = _decoded(question.mask, "mask", question.id)
        ignore = _decoded(question.ignore, "ignore", question.id)
        if prediction.error is not None:
            for scores in (total, *_own(report, prediction, None, MaskScores)):
                scores.fail(target)
            continue
        answer = prediction.mask
        predicted = answer.array if answer is not None else None
        _check(question.id, predicted, target)
        for scores in (total, *_own(report, prediction, _route(prediction), MaskScores)):
            scores.add(predicted, target, ignore)
    return report


def _decoded(value: Any, field: str, question: str) -> np.ndarray | None:
    """A mask of a question; None when there is none.

    Raises:
        InputError: it makes no sense; the message names question and field.
    """
    if value is None:
        return None
    try:
        return rle.decode(value)
    except InputError as error:
        raise InputError(f"The {field!r} of question {question}: {error}") from error


def _route(prediction: Prediction) -> str | None:
    """The route that all its regions came by; None when there are none, or both were used."""
    used = [route for route in ROUTES if with_regions(prediction, route).regions]
    return used[0] if len(used) == 1 else None


def _own(report: PlaceReport, prediction: Prediction, route: str | None, kind: Any) -> list[Any]:
    own = [report.by_language.setdefault(prediction.question.language, kind())]
    if route is not None:
        own.append(report.by_route.setdefault(route, kind()))
    return own


def _check(name: str, predicted: np.ndarray | None, target: np.ndarray | None) -> None:
    if predicted is not None and target is not None and predicted.shape != target.shape:
        raise InputError(
            f"The true mask of question {name} is {target.shape} (height, width), the picture "
            f"{predicted.shape}. Is it of another file, or turned by its EXIF data?"
        )
