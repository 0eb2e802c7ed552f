"""Protocols of referring comprehension: boxes.

Sources, papers and the evaluation code published with them: Qwen-VL, arXiv:2308.12966; Ref-L4,
arXiv:2406.16866; GREC, arXiv:2308.16182, in the repository of gRefCOCO. Rules only; no code of
theirs is used.
"""

import math
from dataclasses import dataclass

import numpy as np

from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, ItemScore
from segue.benchmarks.protocol import Respondent, Sums, ratio
from segue.errors import InputError
from segue.values.box import Box

FRAME_PROMPT = "Frame the {sent} in the picture."
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.5, 0.55, … 0.95."""


def _first_iou(item: BenchmarkItem, answer: BenchmarkAnswer) -> float:
    """Return the IoU of the answer's first box with the one true box."""
    if len(item.boxes) != 1:
        raise InputError(f"The item {item.id} must have one true box, got {len(item.boxes)}.")
    return answer.regions[0].box.iou(item.boxes[0]) if answer.regions else 0.0


@dataclass(frozen=True, slots=True)
class QwenVlProtocol:
    """Qwen-VL's Acc@0.5: the first box counts, and an IoU of exactly 0.5 is correct."""

    prompt: str = FRAME_PROMPT
    name: str = "qwen-vl"
    headline: str = "Acc@0.5"
    respondent: Respondent = "chat"
    source: str = (
        "Qwen-VL, arXiv:2308.12966: the first box of the reply, IoU >= 0.5 is correct, no box is "
        "wrong; its script reads 999 as the right edge of the grid, this package 1000"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        iou = _first_iou(item, answer)
        values = {
            "n": 1,
            "correct": float(iou >= 0.5),
            "iou": iou,
            "boxes": len(answer.regions) > 0,
        }
        values = {name: float(value) for name, value in values.items()}
        return ItemScore(values, iou, iou >= 0.5, item.boxes[0].area)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        return {
            "Acc@0.5": ratio(sums["correct"], sums["n"]),
            "mean IoU": ratio(sums["iou"], sums["n"]),
            "with a box": ratio(sums["boxes"], sums["n"]),
        }


@dataclass(frozen=True, slots=True)
class RefL4Protocol:
    """Ref-L4: accuracy above IoU 0.5, 0.75 and 0.9, their mean over ten thresholds, and by size."""

    prompt: str = FRAME_PROMPT
    name: str = "ref-l4"
    headline: str = "Acc@0.5"
    respondent: Respondent = "chat"
    source: str = (
        "Ref-L4, arXiv:2406.16866: IoU above the threshold is correct; mAcc is the mean over 0.5, "
        "0.55 … 0.95; small is below 128 pixels (the root of the box's area), large above 256"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        iou = _first_iou(item, answer)
        side = math.sqrt(item.boxes[0].area)
        size = "small" if side < 128 else "medium" if side <= 256 else "large"
        macc = sum(iou > threshold for threshold in THRESHOLDS) / len(THRESHOLDS)
        values = {"n": 1.0, "mAcc": macc}
        values |= {f"at {x}": float(iou > x) for x in (0.5, 0.75, 0.9)}
        for name in ("small", "medium", "large"):
            is_of_size = float(name == size)
            values[name] = is_of_size
            values[f"{name} at 0.5"] = is_of_size * (iou > 0.5)
            values[f"{name} mAcc"] = is_of_size * macc
        return ItemScore(values, iou, iou > 0.5, item.boxes[0].area)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        figures = {f"Acc@{x}": ratio(sums[f"at {x}"], sums["n"]) for x in (0.5, 0.75, 0.9)}
        figures["mAcc"] = ratio(sums["mAcc"], sums["n"])
        for size in ("small", "medium", "large"):
            figures[f"{size} Acc@0.5"] = ratio(sums[f"{size} at 0.5"], sums[size])
            figures[f"{size} mAcc"] = ratio(sums[f"{size} mAcc"], sums[size])
        return figures


def generalized_iou(first: Box, second: Box) -> float:
    """Generalized IoU, in [-1, 1]: IoU less the empty share of the box around both.

    Source: Rezatofighi et al. 2019, arXiv:1902.09630.

    >>> generalized_iou(Box(0, 0, 1, 1), Box(2, 0, 3, 1))
    -0.3333333333333333
    """
    around = Box.around(
        [first.corners[:2], first.corners[2:], second.corners[:2], second.corners[2:]]
    )
    iou = first.iou(second)
    union = (first.area + second.area) / (1 + iou)
    return iou - (around.area - union) / around.area if around.area > 0 else 0.0


def matched_pairs(predicted: list[Box], true: list[Box], threshold: float = 0.5) -> int:
    """Count pairs that are matched one to one, always the best by generalized IoU first."""
    table = np.array([[generalized_iou(p, t) for t in true] for p in predicted]).reshape(
        len(predicted), len(true)
    )
    count = 0
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        if table[row, column] < threshold:
            break
        count += 1
        table[row, :] = table[:, column] = 0.0
    return count


@dataclass(frozen=True, slots=True)
class GrecProtocol:
    """GREC: an item is correct when exactly the true boxes are given."""

    prompt: str = FRAME_PROMPT
    name: str = "grec"
    headline: str = "Pr@(F1=1, IoU>=0.5)"
    respondent: Respondent = "chat"
    min_score: float = 0.7
    source: str = (
        "GREC, arXiv:2308.16182: boxes with a score of at least 0.7 (boxes without a score count), "
        "matched one to one by generalized IoU >= 0.5, the best first; an item counts if F1 is 1"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        boxes = [r.box for r in answer.regions if r.score is None or r.score >= self.min_score]
        has_target, has_failed = bool(item.boxes), answer.error is not None
        if has_target:
            n_matched = matched_pairs(boxes, list(item.boxes))
            f1 = 2 * n_matched / (len(boxes) + len(item.boxes))
        else:
            f1 = float(not boxes and not has_failed)
        values = {
            "n": 1.0,
            "correct": float(f1 >= 1),
            "targets": float(has_target),
            "answered targets": float(has_target and bool(boxes)),
            "declined absences": float(not has_target and f1 == 1),
        }
        area = sum(box.area for box in item.boxes) or None
        return ItemScore(values, f1, f1 >= 1, area)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        absences = np.asarray(sums["n"]) - np.asarray(sums["targets"])
        return {
            "Pr@(F1=1, IoU>=0.5)": ratio(sums["correct"], sums["n"]),
            "N-acc": ratio(sums["declined absences"], absences),
            "T-acc": ratio(sums["answered targets"], sums["targets"]),
        }
