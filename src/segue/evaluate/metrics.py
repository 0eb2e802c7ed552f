"""Metrics of masks and boxes. Pure functions of arrays and boxes; no models, no files.

Two words appear in papers for one thing: gIoU is the mean of the IoU of every question (also mIoU),
cIoU is all intersections over all unions (also oIoU), which large objects dominate.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.errors import InputError, MissingExtra
from segue.evaluate.detections import checked_detections
from segue.values.box import Box

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(slots=True)
class MaskScores:
    """Sums from which the scores of many questions follow. Two may be added: shards of one run.

    A question has a *target* when something in the picture is meant. Where there is none, the right
    answer is an empty mask.
    """

    questions: int = 0
    iou_sum: float = 0.0
    intersection: int = 0
    union: int = 0
    passed: dict[float, int] = field(default_factory=lambda: dict.fromkeys(THRESHOLDS, 0))
    """Questions with a target whose IoU reaches the threshold."""
    answered: int = 0
    """Questions with a target that got a mask."""
    unanswered: int = 0
    """Questions with a target that got none."""
    declined: int = 0
    """Questions without a target that got no mask, as they should."""
    invented: int = 0
    """Questions without a target that got a mask."""
    failed: int = 0
    """Questions without a target that could not be asked: nothing was declined."""

    def add(
        self,
        predicted: np.ndarray | None,
        target: np.ndarray | None,
        ignore: np.ndarray | None = None,
    ) -> float:
        """Take one question into account.

        Args:
            predicted: (H, W) bool; None or no pixel: nothing was answered.
            target: (H, W) bool; None or no pixel: there is nothing to find.
            ignore: (H, W) bool, pixels that count neither way.

        Returns:
            The IoU of this question, in [0, 1].

        Raises:
            InputError: the shapes differ, or an array is not bool.

        The protocol is that of GRES. Without a target: an empty answer has IoU 1 and adds nothing
        to the sums, any other has IoU 0 and its pixels join the union. With a target and an empty
        answer: IoU 0, and the target's pixels join the union. Where ignored pixels cover both
        masks whole, IoU is 1, as in LISA.

        Source: Liu et al. 2023, GRES, arXiv:2306.00968; ignored pixels as in Lai et al. 2023,
        LISA, arXiv:2308.00692.
        """
        shape = _common_shape(predicted, target, ignore)
        # Whether there is an answer is the model's word; the ignored pixels have no say in it.
        is_answer = predicted is not None and bool(predicted.any())
        is_target = target is not None and bool(target.any())
        p = predicted if predicted is not None else np.zeros(shape, bool)
        t = target if target is not None else np.zeros(shape, bool)
        if ignore is not None:
            p, t = p & ~ignore, t & ~ignore
        intersection, union = int(np.count_nonzero(p & t)), int(np.count_nonzero(p | t))
        self.questions += 1
        if not is_target:
            self.declined += not is_answer
            self.invented += is_answer
            self.union += union
            iou = 0.0 if is_answer else 1.0
            self.iou_sum += iou
            return iou
        self.answered += is_answer
        self.unanswered += not is_answer
        self.intersection += intersection
        self.union += union
        iou = intersection / union if union else float(is_answer)
        self.iou_sum += iou
        for threshold in self.passed:
            self.passed[threshold] += iou >= threshold
        return iou

    def fail(self, target: np.ndarray | None) -> float:
        """Take a question into account that could not be asked: it is wrong, whatever it was.

        Args:
            target: (H, W) bool; None or no pixel: there was nothing to find.

        Returns:
            0.0, the IoU of this question. A target's pixels join the union.
        """
        if target is not None and target.any():
            return self.add(None, target)
        self.questions += 1
        self.failed += 1
        return 0.0

    def __add__(self, other: "MaskScores") -> "MaskScores":
        both = {t: self.passed[t] + other.passed[t] for t in self.passed}
        return MaskScores(
            self.questions + other.questions,
            self.iou_sum + other.iou_sum,
            self.intersection + other.intersection,
            self.union + other.union,
            both,
            self.answered + other.answered,
            self.unanswered + other.unanswered,
            self.declined + other.declined,
            self.invented + other.invented,
            self.failed + other.failed,
        )

    @property
    def giou(self) -> float | None:
        """Mean IoU over all questions, in [0, 1]; None without any."""
        return _ratio(self.iou_sum, self.questions)

    @property
    def ciou(self) -> float | None:
        """Sum of intersections over sum of unions, in [0, 1]; None when no pixel was involved."""
        return _ratio(self.intersection, self.union)

    def precision_at(self, threshold: float) -> float | None:
        """P@X: share of the questions with a target whose IoU is at least `threshold`."""
        return _ratio(self.passed[threshold], self.answered + self.unanswered)

    @property
    def n_acc(self) -> float | None:
        """N-acc: share of the questions *without* a target that were asked and got no mask."""
        return _ratio(self.declined, self.declined + self.invented + self.failed)

    @property
    def t_acc(self) -> float | None:
        """T-acc: share of the questions *with* a target that got a mask, right or wrong."""
        return _ratio(self.answered, self.answered + self.unanswered)

    def to_json(self) -> dict[str, Any]:
        """All scores by the names papers use."""
        return {
            "questions": self.questions,
            "with_target": self.answered + self.unanswered,
            "gIoU": self.giou,
            "cIoU": self.ciou,
            **{f"P@{t}": self.precision_at(t) for t in self.passed},
            "N-acc": self.n_acc,
            "T-acc": self.t_acc,
        }


def mask_scores(
    pairs: Iterable[tuple[np.ndarray | None, np.ndarray | None]],
) -> MaskScores:
    """Score (predicted, target) masks, one pair a question. See `MaskScores.add`.

    >>> half, whole = np.array([[True, False]]), np.array([[True, True]])
    >>> scores = mask_scores([(half, whole), (whole, whole)])
    >>> scores.giou, scores.ciou, scores.precision_at(0.6)
    (0.75, 0.75, 0.5)
    """
    scores = MaskScores()
    for predicted, target in pairs:
        scores.add(predicted, target)
    return scores


@dataclass(slots=True)
class BoxScores:
    """Acc@0.5 of referring expressions, and the mean IoU beside it."""

    questions: int = 0
    right: int = 0
    iou_sum: float = 0.0
    missing: int = 0
    """Questions without a usable box in the answer; they count as wrong."""

    def add(self, predicted: Box | None, target: Box, threshold: float = 0.5) -> float:
        """Take one question into account.

        Args:
            predicted: the first box of the answer; None: there was none.
            target: the true box, in the same frame.
            threshold: an IoU of exactly this is right.

        Returns:
            The IoU, in [0, 1].

        Source: the evaluation script published with Qwen-VL: the first box counts, and the
        threshold is inclusive. That script reads the grid with 999 as the right edge where this
        package has 1000, which moves a box by at most a thousandth of the picture.
        """
        iou = predicted.iou(target) if predicted is not None else 0.0
        self.questions += 1
        self.missing += predicted is None
        self.iou_sum += iou
        self.right += iou >= threshold
        return iou

    @property
    def accuracy(self) -> float | None:
        """Share that is right; None without questions."""
        return _ratio(self.right, self.questions)

    def to_json(self) -> dict[str, Any]:
        """All scores."""
        return {
            "questions": self.questions,
            "Acc@0.5": self.accuracy,
            "mean IoU": _ratio(self.iou_sum, self.questions),
            "without a box": self.missing,
        }


def average_precision(
    truth: Mapping[str, Any],
    detections: Sequence[Mapping[str, Any]],
    kind: str = "bbox",
    max_detections: int = 100,
) -> dict[str, float | None]:
    """COCO's AP of detections that have a category and a score.

    Args:
        truth: a COCO instances file as a dict: images, annotations, categories.
        detections: COCO results: image_id, category_id, score, and bbox (x, y, width, height) or
            segmentation (RLE). None at all is fine, and scores 0.
        kind: "bbox" or "segm".
        max_detections: per picture; COCO takes 100, LVIS 300.

    Returns:
        AP, AP50, AP75, AP_small, AP_medium, AP_large and AR in [0, 1]; None where the truth has
        no object of that size.

    Raises:
        MissingExtra: faster-coco-eval is not installed.
        InputError: kind is something else, or an entry makes no sense; the message names it.

    A chat model names things without a score; ask a detector for each category, or report recall of
    phrases instead.

    Source: faster-coco-eval, which gives the numbers of pycocotools.
    """
    if kind not in ("bbox", "segm"):
        raise InputError(f"kind must be 'bbox' or 'segm', got {kind!r}.")
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "AP needs the 'evaluate' extra (faster-coco-eval is not installed). "
            "Run: pip install 'segue[evaluate]'"
        ) from error
    complete, results = checked_detections(truth, detections, kind)
    reference = COCO(complete)
    evaluation = COCOeval_faster(reference, reference.loadRes(results), kind)
    evaluation.params.maxDets = [1, 10, max_detections]
    evaluation.evaluate()
    evaluation.accumulate()
    return _from_curves(evaluation)


def _from_curves(evaluation: Any) -> dict[str, float | None]:
    """COCO's summary from its precision (T, R, K, A, M) and recall (T, K, A, M) arrays."""
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    thresholds = np.round(np.asarray(evaluation.params.iouThrs), 2)

    def mean(values: np.ndarray) -> float | None:
        known = values[values > -1]
        return float(known.mean()) if known.size else None

    at = {t: np.flatnonzero(thresholds == t) for t in (0.5, 0.75)}
    areas = dict(zip(evaluation.params.areaRngLbl, range(precision.shape[3])))
    return {
        "AP": mean(precision[..., 0, -1]),
        "AP50": mean(precision[at[0.5], ..., 0, -1]),
        "AP75": mean(precision[at[0.75], ..., 0, -1]),
        "AP_small": mean(precision[..., areas["small"], -1]),
        "AP_medium": mean(precision[..., areas["medium"], -1]),
        "AP_large": mean(precision[..., areas["large"], -1]),
        "AR": mean(recall[..., 0, -1]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _common_shape(*arrays: np.ndarray | None) -> tuple[int, ...]:
    given = [array for array in arrays if array is not None]
    if not given:
        return (1, 1)  # nothing asked for, nothing answered
    shapes = {array.shape for array in given}
    if len(shapes) > 1 or given[0].ndim != 2:
        raise InputError(
            f"Masks of one question must have one shape (H, W), got {sorted(shapes)}. Bring the "
            "prediction to the size of the picture first."
        )
    if any(array.dtype != np.bool_ for array in given):
        raise InputError(
            f"Masks must be bool arrays, got {[str(array.dtype) for array in given]}. "
            "Compare first: values > 0."
        )
    return given[0].shape


def percent(value: float | None) -> str:
    """For tables.

    >>> percent(0.98765), percent(None)
    ('98.8', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"
