"""cgF1: segment every instance of a noun phrase, or say that there is none (SA-Co).

cgF1 is pmF1, how well the instances are segmented where there are some, times IL_MCC, how well
presence is told from absence.

Source: SAM 3, arXiv:2511.16719, and the evaluator in its repository. Rules only; no code of theirs
is used.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.benchmarks.box_protocols import THRESHOLDS
from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, ItemScore
from segue.benchmarks.protocol import Respondent, Sums, ratio
from segue.errors import MissingExtra

_RATE_EPS, _IMAGE_EPS = 1e-4, 1e-6
_IMAGE_LEVEL = ("IL_TP", "IL_FP", "IL_TN", "IL_FN")


def mask_library() -> Any:
    """Return faster-coco-eval's run-length functions, which are those of the COCO API.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import scipy  # noqa: F401
        from faster_coco_eval.core import mask
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Benchmarks need the 'evaluate' extra ({error.name} is not installed). "
            "Run: pip install 'segue[evaluate]'"
        ) from error
    return mask


@dataclass(slots=True)
class _Match:
    """An answer matched with the instances of one annotator."""

    n_true: int
    n_answered: int
    ious: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Of the matched pairs."""

    @property
    def true_positives(self) -> np.ndarray:
        """By threshold, (10,)."""
        return (self.ious[None, :] >= np.array(THRESHOLDS)[:, None]).sum(1).astype(float)

    @property
    def local_f1(self) -> np.ndarray | None:
        """By threshold, (10,); None where there is neither truth nor answer."""
        if not self.n_true and not self.n_answered:
            return None
        hits = self.true_positives
        return _f1(hits / (self.n_answered + _RATE_EPS), hits / (self.n_true + _RATE_EPS))


def _f1(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    return 2 * precision * recall / (precision + recall + _RATE_EPS)


def match_instances(predicted: list[Any], true: list[Any]) -> np.ndarray:
    """Return the IoUs of the pairs of masks that together overlap most (Hungarian), (min(P, T),).

    Args:
        predicted: P compressed COCO RLEs.
        true: T compressed COCO RLEs of the same picture.
    """
    from scipy.optimize import linear_sum_assignment

    if not predicted or not true:
        return np.zeros(0)
    ious = np.asarray(mask_library().iou(predicted, true, [0] * len(true)), float)
    rows, columns = linear_sum_assignment(-ious)
    return ious[rows, columns]


@dataclass(frozen=True, slots=True)
class CgF1Protocol:
    """cgF1 with the best of several annotators for each phrase."""

    prompt: str = "Can you segment the {sent} in this image?"
    name: str = "cgf1"
    headline: str = "cgF1"
    respondent: Respondent = "detector"
    min_score: float = 0.5
    source: str = (
        "SAM 3, arXiv:2511.16719: instances with a score of at least 0.5, matched once (Hungarian "
        "on mask IoU), thresholds 0.5, 0.55 … 0.95; pmF1 has precision over pictures with truth "
        "and answer, recall over all; IL_MCC is Matthews' correlation of presence; "
        "cgF1 = pmF1 x IL_MCC"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        predicted = [
            dict(region.rle)
            for region in answer.regions
            if region.rle is not None and (region.score is None or region.score >= self.min_score)
        ]
        matches = []
        for instances in item.instance_truth(answer.size):
            true = [dict(instance) for instance in instances]
            ious = match_instances(predicted, true)
            matches.append(_Match(len(true), len(predicted), ious))
        if answer.error is not None:  # as if everything were wrong, also where nothing is there
            n_true = max(match.n_true for match in matches)
            match = _Match(n_true, 0 if n_true else 1)
        else:
            match = _best_match(matches)
        return _item_score(match)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        hits = np.stack([np.asarray(sums[f"TP {t}"], float) for t in THRESHOLDS])
        positive_misses = np.stack([np.asarray(sums[f"pFP {t}"], float) for t in THRESHOLDS])
        all_misses = np.stack([np.asarray(sums[f"FP {t}"], float) for t in THRESHOLDS])
        false_negatives = np.stack([np.asarray(sums[f"FN {t}"], float) for t in THRESHOLDS])
        recall = hits / (hits + false_negatives + _RATE_EPS)
        pm_f1 = _f1(hits / (hits + positive_misses + _RATE_EPS), recall)
        f1 = _f1(hits / (hits + all_misses + _RATE_EPS), recall)
        tp, fp, tn, fn = (np.asarray(sums[name], float) for name in _IMAGE_LEVEL)
        root = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        mcc = (tp * tn - fp * fn) / (root + _IMAGE_EPS)
        local = np.stack([np.asarray(sums[f"F1 {t}"], float) for t in THRESHOLDS]).mean(0)
        return {
            "cgF1": (pm_f1 * mcc).mean(0),
            "IL_MCC": mcc,
            "pmF1": pm_f1.mean(0),
            "cgF1@0.5": pm_f1[0] * mcc,
            "pmF1@0.5": pm_f1[0],
            "micro F1": f1.mean(0),
            "macro F1": ratio(local, sums["answered"]),
        }


def _best_match(matches: list[_Match]) -> _Match:
    """Return the annotator's match with the best mean F1; agreement on absence is perfect."""
    best = matches[0]
    for match in matches[1:]:
        best_f1, f1 = best.local_f1, match.local_f1
        if f1 is None or (best_f1 is not None and f1.mean() > best_f1.mean()):
            best = match
    return best


def _item_score(match: _Match) -> ItemScore:
    has_truth, has_answer = match.n_true > 0, match.n_answered > 0
    hits, f1 = match.true_positives, match.local_f1
    values: dict[str, float] = {
        "IL_TP": has_truth and has_answer,
        "IL_FP": not has_truth and has_answer,
        "IL_TN": not has_truth and not has_answer,
        "IL_FN": has_truth and not has_answer,
        # Macro F1 is divided by items with truth and an answer, the only ones with a local F1.
        "answered": has_truth and has_answer,
    }
    for index, threshold in enumerate(THRESHOLDS):
        false_positives = match.n_answered - hits[index]
        values |= {
            f"TP {threshold}": hits[index],
            f"FP {threshold}": false_positives,
            f"pFP {threshold}": false_positives if has_truth and has_answer else 0,
            f"FN {threshold}": match.n_true - hits[index],
            f"F1 {threshold}": f1[index] if f1 is not None and has_truth and has_answer else 0,
        }
    quality = 1.0 if f1 is None else float(f1.mean())
    return ItemScore(
        {name: float(value) for name, value in values.items()},
        quality,
        f1 is None or bool(f1[0] >= 0.5),
    )
