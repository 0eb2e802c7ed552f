"""Protocols of referring segmentation: one mask an expression.

An answer is the union of its masks. A question that failed (its picture is missing, a model broke
off) is wrong in any case, except in `SegZeroProtocol`, which drops it, as its authors' script does.

Sources, papers and the evaluation code published with them: GRES, arXiv:2306.00968; LISA,
arXiv:2308.00692; Seg-Zero, arXiv:2503.06520; PhraseCut, arXiv:2008.01187. Rules only; no code of
theirs is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, ItemScore
from segue.benchmarks.protocol import Respondent, Sums, ratio
from segue.errors import InputError
from segue.values.mask import rle

SEGMENT_PROMPT = "Can you segment the {sent} in this image?"
PERCENTILES = (0.5, 0.6, 0.7, 0.8, 0.9)


def answered_mask(answer: BenchmarkAnswer) -> np.ndarray:
    """Return the union of an answer's masks, (H, W) bool; boxes without masks do not count."""
    union = np.zeros(answer.size, bool)
    for region in answer.regions:
        if region.rle is not None:
            union |= rle.decode(region.rle, expected_size=answer.size)
    return union


def pixels(target: np.ndarray) -> float | None:
    """Return the area of a target; None where there is none."""
    return float(np.count_nonzero(target)) or None


def _overlap(predicted: np.ndarray, target: np.ndarray) -> tuple[int, int]:
    """Return intersection and union, in pixels."""
    if predicted.shape != target.shape:
        raise InputError(
            f"The true mask is {target.shape} (height, width), the picture {predicted.shape}. Is "
            "it of another file, or rotated by its EXIF data?"
        )
    return int(np.count_nonzero(predicted & target)), int(np.count_nonzero(predicted | target))


@dataclass(frozen=True, slots=True)
class LisaProtocol:
    """LISA: gIoU is the mean over sentences, cIoU the ratio of sums; ignored pixels leave both."""

    prompt: str = SEGMENT_PROMPT
    name: str = "lisa"
    headline: str = "gIoU"
    respondent: Respondent = "chat"
    source: str = (
        "LISA, arXiv:2308.00692: IoU = I / (U + 1e-5), 1 where U is 0; ignored pixels are removed "
        "from both masks; pixels that two polygons of one object cover do not count as target"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        truth = item.mask_truth(answer.size)
        predicted, target = answered_mask(answer), truth.target
        if truth.overlap is not None:
            target = target & ~truth.overlap
        if truth.ignore is not None:
            predicted, target = predicted & ~truth.ignore, target & ~truth.ignore
        intersection, union = _overlap(predicted, target)
        iou = intersection / (union + 1e-5) + (union == 0)
        if answer.error is not None:
            iou = 0.0
        values = {"n": 1, "iou": iou, "intersection": intersection, "union": union}
        return ItemScore(values, min(iou, 1.0), iou >= 0.5, pixels(truth.target))

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        return {
            "gIoU": ratio(sums["iou"], sums["n"]),
            "cIoU": np.asarray(sums["intersection"]) / (np.asarray(sums["union"]) + 1e-10),
        }


@dataclass(frozen=True, slots=True)
class SegZeroProtocol:
    """Seg-Zero: ignored pixels are target; what its script cannot score is dropped."""

    prompt: str = SEGMENT_PROMPT
    name: str = "seg-zero"
    headline: str = "gIoU"
    respondent: Respondent = "chat"
    source: str = (
        "Seg-Zero, arXiv:2503.06520: the mask is cast to bool, so ignored pixels count as target; "
        "a reply without a region has I = 0; failures, and items without any pixel, are dropped"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore | None:
        """See `EvaluationProtocol.score`."""
        if answer.error is not None:
            return None
        truth = item.mask_truth(answer.size)
        target = truth.target if truth.ignore is None else truth.target | truth.ignore
        intersection, union = _overlap(answered_mask(answer), target)
        if union == 0:
            return None
        iou = intersection / union
        return ItemScore({"n": 1, "iou": iou}, iou, iou >= 0.5, pixels(truth.target))

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        return {"gIoU": ratio(sums["iou"], sums["n"])}


@dataclass(frozen=True, slots=True)
class GresProtocol:
    """GRES: expressions may have no target; an answer without a region says so."""

    prompt: str = SEGMENT_PROMPT
    name: str = "gres"
    headline: str = "gIoU"
    respondent: Respondent = "chat"
    source: str = (
        "GRES, arXiv:2306.00968: without a target an empty answer has IoU 1 and adds no pixel, any "
        "other has IoU 0 and its pixels join the union; P@X with >= over items with a target"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        target = item.mask_truth(answer.size).target
        has_target, has_failed = bool(target.any()), answer.error is not None
        has_answer = bool(answer.regions)
        intersection, union = _overlap(answered_mask(answer), target)
        declines = not has_answer and not has_failed
        iou = intersection / union if has_target else float(declines)
        values: dict[str, float] = {
            "n": 1,
            "iou": iou,
            "intersection": intersection,
            "union": union,
            "targets": has_target,
            "answered targets": has_target and has_answer,
            "declined absences": not has_target and iou == 1,
        }
        values |= {f"at {x}": has_target and iou >= x for x in (0.7, 0.8, 0.9)}
        values = {name: float(value) for name, value in values.items()}
        return ItemScore(values, iou, iou >= 0.5, pixels(target))

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        absences = np.asarray(sums["n"]) - np.asarray(sums["targets"])
        return {
            "gIoU": ratio(sums["iou"], sums["n"]),
            "cIoU": ratio(sums["intersection"], sums["union"]),
            **{f"P@{x}": ratio(sums[f"at {x}"], sums["targets"]) for x in (0.7, 0.8, 0.9)},
            "N-acc": ratio(sums["declined absences"], absences),
            "T-acc": ratio(sums["answered targets"], sums["targets"]),
        }


@dataclass(frozen=True, slots=True)
class UnionProtocol:
    """Referring segmentation as most papers report it: oIoU, mIoU and P@X."""

    prompt: str = SEGMENT_PROMPT
    name: str = "union"
    headline: str = "oIoU"
    respondent: Respondent = "chat"
    is_strict: bool = False
    """P@X counts an IoU above X, rather than of at least X."""
    source: str = (
        "all polygons of an object united; oIoU is the ratio of sums, mIoU the mean over "
        "expressions, P@X the share with IoU >= X; nothing on both sides has IoU 0"
    )
    names: Sequence[str] = ("oIoU", "mIoU")
    """What the paper calls the ratio of sums and the mean."""

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        target = item.mask_truth(answer.size).target
        intersection, union = _overlap(answered_mask(answer), target)
        iou = intersection / union if union else 0.0
        values: dict[str, float] = {
            "n": 1, "iou": iou, "intersection": intersection, "union": union,
        }  # fmt: skip
        for x in PERCENTILES:
            values[f"at {x}"] = float(iou > x if self.is_strict else iou >= x)
        return ItemScore(values, iou, values["at 0.5"] == 1, pixels(target))

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        cumulative, mean = self.names
        return {
            cumulative: ratio(sums["intersection"], sums["union"]),
            mean: ratio(sums["iou"], sums["n"]),
            **{f"P@{x}": ratio(sums[f"at {x}"], sums["n"]) for x in PERCENTILES},
        }


PHRASECUT_PROTOCOL = UnionProtocol(
    name="phrasecut",
    headline="mean IoU",
    is_strict=True,
    names=("cumulative IoU", "mean IoU"),
    source=(
        "PhraseCut, arXiv:2008.01187: polygons of all instances drawn at whole pixels with their "
        "outline; mean IoU over phrases, cumulative IoU the ratio of sums, P@X the share above X"
    ),
)
