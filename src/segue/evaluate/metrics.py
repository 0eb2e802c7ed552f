"""Metrics of masks and boxes. Pure functions of arrays and boxes; no models, no files.

Papers use two names for each: gIoU is the mean IoU over questions (also mIoU), cIoU is the sum of
intersections over the sum of unions (also oIoU), which large objects dominate.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.errors import InputError, MissingExtra
from segue.evaluate.detections import check_detections
from segue.values.box import Box

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(slots=True)
class MaskScores:
    """Sums from which the scores of many questions follow; sums of shards of a run can be added.

    A question has a *target* when it asks for something in the picture. Where there is none, the
    right answer is an empty mask. Positives and negatives are counted as in GRES.
    """

    questions: int = 0
    iou_sum: float = 0.0
    intersection: int = 0
    union: int = 0
    reached_thresholds: dict[float, int] = field(
        default_factory=lambda: dict.fromkeys(THRESHOLDS, 0)
    )
    """Questions with a target whose IoU reaches the threshold."""
    true_positives: int = 0
    """Questions with a target answered with a mask, right or wrong."""
    false_negatives: int = 0
    """Questions with a target answered without a mask."""
    true_negatives: int = 0
    """Questions without a target answered without a mask."""
    false_positives: int = 0
    """Questions without a target answered with a mask."""
    failed_negatives: int = 0
    """Questions without a target that failed: they have no answer and count as wrong."""

    def add(
        self,
        predicted: np.ndarray | None,
        target: np.ndarray | None,
        ignore: np.ndarray | None = None,
    ) -> float:
        """Add one question.

        Args:
            predicted: (H, W) bool; None or no pixel: an empty answer.
            target: (H, W) bool; None or no pixel: there is no target.
            ignore: (H, W) bool, pixels that are not scored.

        Returns:
            The IoU of this question, in [0, 1].

        Raises:
            InputError: the shapes differ, or an array is not bool.

        The protocol is that of GRES. Without a target: an empty answer has IoU 1 and adds nothing
        to the sums, any other has IoU 0 and its pixels join the union. With a target and an empty
        answer: IoU 0, and the target's pixels join the union. Where ignored pixels cover both
        masks completely, IoU is 1, as in LISA.

        Source: Liu et al. 2023, GRES, arXiv:2306.00968; ignored pixels as in Lai et al. 2023,
        LISA, arXiv:2308.00692.
        """
        shape = _common_shape(predicted, target, ignore)
        # Whether there is an answer depends on the model alone, not on the ignored pixels.
        is_answer = predicted is not None and bool(predicted.any())
        is_target = target is not None and bool(target.any())
        p = predicted if predicted is not None else np.zeros(shape, bool)
        t = target if target is not None else np.zeros(shape, bool)
        if ignore is not None:
            p, t = p & ~ignore, t & ~ignore
        intersection, union = int(np.count_nonzero(p & t)), int(np.count_nonzero(p | t))
        self.questions += 1
        if not is_target:
            self.true_negatives += not is_answer
            self.false_positives += is_answer
            self.union += union
            iou = 0.0 if is_answer else 1.0
            self.iou_sum += iou
            return iou
        self.true_positives += is_answer
        self.false_negatives += not is_answer
        self.intersection += intersection
        self.union += union
        iou = intersection / union if union else float(is_answer)
        self.iou_sum += iou
        for threshold in self.reached_thresholds:
            self.reached_thresholds[threshold] += iou >= threshold
        return iou

    def fail(self, target: np.ndarray | None) -> float:
        """Add a question that failed: it counts as wrong in any case.

        Args:
            target: (H, W) bool; None or no pixel: there is no target.

        Returns:
            0.0, the IoU of this question. A target's pixels join the union.
        """
        if target is not None and target.any():
            return self.add(None, target)
        self.questions += 1
        self.failed_negatives += 1
        return 0.0

    def __add__(self, other: "MaskScores") -> "MaskScores":
        reached_thresholds = {
            threshold: count + other.reached_thresholds[threshold]
            for threshold, count in self.reached_thresholds.items()
        }
        return MaskScores(
            self.questions + other.questions,
            self.iou_sum + other.iou_sum,
            self.intersection + other.intersection,
            self.union + other.union,
            reached_thresholds,
            self.true_positives + other.true_positives,
            self.false_negatives + other.false_negatives,
            self.true_negatives + other.true_negatives,
            self.false_positives + other.false_positives,
            self.failed_negatives + other.failed_negatives,
        )

    @property
    def giou(self) -> float | None:
        """Mean IoU over all questions, in [0, 1]; None without any."""
        return _ratio(self.iou_sum, self.questions)

    @property
    def ciou(self) -> float | None:
        """Sum of intersections over sum of unions, in [0, 1]; None without any pixel."""
        return _ratio(self.intersection, self.union)

    def precision_at(self, threshold: float) -> float | None:
        """Return P@X: the fraction of questions with a target whose IoU is at least `threshold`."""
        return _ratio(
            self.reached_thresholds[threshold], self.true_positives + self.false_negatives
        )

    @property
    def n_acc(self) -> float | None:
        """N-acc: the fraction of questions *without* a target that were answered without a mask."""
        return _ratio(
            self.true_negatives, self.true_negatives + self.false_positives + self.failed_negatives
        )

    @property
    def t_acc(self) -> float | None:
        """T-acc: the fraction of questions *with* a target answered with a mask, right or wrong."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    def to_json(self) -> dict[str, Any]:
        """Return all scores by the names that papers use."""
        return {
            "questions": self.questions,
            "with_target": self.true_positives + self.false_negatives,
            "gIoU": self.giou,
            "cIoU": self.ciou,
            **{f"P@{t}": self.precision_at(t) for t in self.reached_thresholds},
            "N-acc": self.n_acc,
            "T-acc": self.t_acc,
        }


def mask_scores(
    pairs: Iterable[tuple[np.ndarray | None, np.ndarray | None]],
) -> MaskScores:
    """Score (predicted, target) masks, one pair per question. See `MaskScores.add`.

    >>> half, full = np.array([[True, False]]), np.array([[True, True]])
    >>> scores = mask_scores([(half, full), (full, full)])
    >>> scores.giou, scores.ciou, scores.precision_at(0.6)
    (0.75, 0.75, 0.5)
    """
    scores = MaskScores()
    for predicted, target in pairs:
        scores.add(predicted, target)
    return scores


@dataclass(slots=True)
class BoxScores:
    """Acc@0.5 and mean IoU of referring expressions."""

    questions: int = 0
    correct: int = 0
    iou_sum: float = 0.0
    without_box: int = 0
    """Questions whose answer has no usable box; they count as wrong."""

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
        self.without_box += predicted is None
        self.iou_sum += iou
        self.correct += iou >= threshold
        return iou

    @property
    def accuracy(self) -> float | None:
        """Fraction of correct boxes; None without questions."""
        return _ratio(self.correct, self.questions)

    def to_json(self) -> dict[str, Any]:
        """Return all scores."""
        return {
            "questions": self.questions,
            "Acc@0.5": self.accuracy,
            "mean IoU": _ratio(self.iou_sum, self.questions),
            "without a box": self.without_box,
        }


def average_precision(
    truth: Mapping[str, Any],
    detections: Sequence[Mapping[str, Any]],
    kind: str = "bbox",
    max_detections: int = 100,
) -> dict[str, float | None]:
    """Compute COCO's AP of detections that have a category and a score.

    Args:
        truth: a COCO instances file as a dict: images, annotations, categories.
        detections: COCO results: image_id, category_id, score, and bbox (x, y, width, height) or
            segmentation (RLE). An empty list scores 0.
        kind: "bbox" or "segm".
        max_detections: per picture; COCO uses 100, LVIS 300.

    Returns:
        AP, AP50, AP75, AP_small, AP_medium, AP_large and AR in [0, 1]; None where the ground
        truth has no object of that size.

    Raises:
        MissingExtra: faster-coco-eval is not installed.
        InputError: kind is neither, or an entry is invalid; the message names it.

    A chat model gives no scores; ask a detector for each category, or report recall of phrases
    instead.

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
    document, results = check_detections(truth, detections, kind)
    reference = COCO(document)
    evaluation = COCOeval_faster(reference, reference.loadRes(results), kind)
    evaluation.params.maxDets = [1, 10, max_detections]
    evaluation.evaluate()
    evaluation.accumulate()
    return _summarise_curves(evaluation)


def _summarise_curves(evaluation: Any) -> dict[str, float | None]:
    """Compute COCO's summary from precision (T, R, K, A, M) and recall (T, K, A, M) arrays."""
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    thresholds = np.round(np.asarray(evaluation.params.iouThrs), 2)

    def mean(values: np.ndarray) -> float | None:
        valid_values = values[values > -1]
        return float(valid_values.mean()) if valid_values.size else None

    threshold_index = {t: np.flatnonzero(thresholds == t) for t in (0.5, 0.75)}
    area_index = dict(zip(evaluation.params.areaRngLbl, range(precision.shape[3])))
    return {
        "AP": mean(precision[..., 0, -1]),
        "AP50": mean(precision[threshold_index[0.5], ..., 0, -1]),
        "AP75": mean(precision[threshold_index[0.75], ..., 0, -1]),
        "AP_small": mean(precision[..., area_index["small"], -1]),
        "AP_medium": mean(precision[..., area_index["medium"], -1]),
        "AP_large": mean(precision[..., area_index["large"], -1]),
        "AR": mean(recall[..., 0, -1]),
    }


def _ratio(part: float, total: float) -> float | None:
    return part / total if total else None


def _common_shape(*arrays: np.ndarray | None) -> tuple[int, ...]:
    masks = [array for array in arrays if array is not None]
    if not masks:
        return (1, 1)  # no target and no answer
    shapes = {mask.shape for mask in masks}
    if len(shapes) > 1 or masks[0].ndim != 2:
        raise InputError(
            f"All masks of a question must have one shape (H, W), got {sorted(shapes)}. Resize "
            "the prediction to the size of the picture first."
        )
    if any(mask.dtype != np.bool_ for mask in masks):
        raise InputError(
            f"Masks must be bool arrays, got {[str(mask.dtype) for mask in masks]}. "
            "Threshold them first: values > 0."
        )
    return masks[0].shape


def percent(value: float | None) -> str:
    """Format a rate for tables.

    >>> percent(0.98765), percent(None)
    ('98.8', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"
