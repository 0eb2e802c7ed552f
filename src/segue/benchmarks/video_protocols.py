"""Protocols of referring segmentation in videos: region similarity J and boundary accuracy F.

J and F of a frame are those of DAVIS (`segue.evaluate.video_masks`), F with a tolerance of .008 of
the diagonal; both are 1 where neither side has a pixel. All frames count, the first and the last
too. A question that failed has J and F of 0.

Sources, papers and the evaluation code published with them: DAVIS 2017, arXiv:1704.00675, and its
unsupervised task, arXiv:1905.00737; MeViS, arXiv:2308.08544; Ref-DAVIS, arXiv:1803.08006, scored as
ReferFormer does, arXiv:2201.00487. Rules only; no code of theirs is used.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segue.benchmarks.item import (
    AnsweredRegion,
    BenchmarkAnswer,
    BenchmarkItem,
    ItemScore,
    VideoTruth,
)
from segue.benchmarks.mask_protocols import SEGMENT_PROMPT
from segue.benchmarks.protocol import Respondent, Sums, ratio
from segue.evaluate.video_masks import boundary_accuracy, region_similarity
from segue.values.box import Size
from segue.values.mask import rle

_IS_CORRECT = 0.5
"""J&F from which an item counts as solved, for McNemar's test; no figure of the papers."""


@dataclass(frozen=True, slots=True)
class MevisProtocol:
    """MeViS: each expression by itself, its masks united; the mean over expressions."""

    prompt: str = SEGMENT_PROMPT
    name: str = "mevis"
    headline: str = "J&F"
    respondent: Respondent = "chat"
    source: str = (
        "MeViS, arXiv:2308.08544: J and F of DAVIS over all frames, then the mean over "
        "expressions; J&F is the mean of both. Without a target every empty frame has 1, any other "
        "0. N-acc and T-acc as in GRES, arXiv:2306.00968"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        truth, n_phrases = item.video_truth(answer.size), len(item.phrases)
        has_failed = answer.error is not None
        n_frames = len(item.frame_names)
        regions = _by_frame(answer)
        scores = np.zeros((n_phrases, 2))  # J, F
        areas = np.zeros(n_phrases)
        is_answered = np.zeros(n_phrases, bool)
        for frame in range(0 if has_failed else n_frames):
            objects = truth.read_frame(frame)
            for phrase in range(n_phrases):
                target = truth.target(phrase, objects)
                areas[phrase] += np.count_nonzero(target)
                own = [region for region in regions[frame] if region.phrase == phrase]
                predicted = _union(own, answer.size)
                is_answered[phrase] |= bool(predicted.any())
                scores[phrase] += _j_and_f(predicted, target)
        scores /= max(1, n_frames)
        has_target = np.array([bool(objects) for objects in truth.objects_of_phrase])
        values = {
            "n": n_phrases,
            "J": scores[:, 0].sum(),
            "F": scores[:, 1].sum(),
            "targets": has_target.sum(),
            "answered targets": (has_target & is_answered).sum(),
            "declined absences": (~has_target & ~is_answered).sum() * (not has_failed),
        }
        return _item_score(values, areas, n_frames)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        absences = np.asarray(sums["n"]) - np.asarray(sums["targets"])
        return {
            **_j_and_f_figures(sums),
            "N-acc": ratio(sums["declined absences"], absences),
            "T-acc": ratio(sums["answered targets"], sums["targets"]),
        }


@dataclass(frozen=True, slots=True)
class RefDavisProtocol:
    """Ref-DAVIS: the objects of a video compete for pixels, and are matched as DAVIS matches."""

    prompt: str = SEGMENT_PROMPT
    name: str = "ref-davis"
    headline: str = "J&F"
    respondent: Respondent = "chat"
    source: str = (
        "ReferFormer, arXiv:2201.00487, with the evaluation of DAVIS' unsupervised task, "
        "arXiv:1905.00737: a pixel goes to the surest expression of one annotator, masks and "
        "objects are matched one to one by J&F over all frames, then the mean over objects; pixels "
        "of the value 255 are left out"
    )

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """See `EvaluationProtocol.score`."""
        truth = item.video_truth(answer.size)
        n_frames, n_objects = len(item.frame_names), truth.n_objects
        areas = np.zeros(n_objects)
        scores = np.zeros((2, n_objects))
        if answer.error is None:
            pairs = _pair_scores(item, answer, truth, areas)
            scores = _match(pairs / max(1, n_frames), n_objects)
        values = {"n": n_objects, "J": scores[0].sum(), "F": scores[1].sum()}
        return _item_score(values, areas, n_frames)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """See `EvaluationProtocol.figures`."""
        return _j_and_f_figures(sums)


def _by_frame(answer: BenchmarkAnswer) -> defaultdict[int, list[AnsweredRegion]]:
    regions: defaultdict[int, list[AnsweredRegion]] = defaultdict(list)
    for region in answer.regions:
        regions[region.frame].append(region)
    return regions


def _union(regions: Sequence[AnsweredRegion], size: Size) -> np.ndarray:
    union = np.zeros(size, bool)
    for region in regions:
        if region.rle is not None:
            union |= rle.decode(region.rle, expected_size=size)
    return union


def _j_and_f(predicted: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    return region_similarity(predicted, target), boundary_accuracy(predicted, target)


def _surest_phrases(regions: Sequence[AnsweredRegion], size: Size) -> np.ndarray:
    """Return for each pixel the number of the phrase that it goes to, from 1; 0: to none.

    Of several the surest region has it, of equally sure ones the first phrase.
    """
    numbers = np.zeros(size, np.int32)
    for region in sorted(regions, key=lambda region: (region.score or 0.0, -region.phrase)):
        if region.rle is not None:
            numbers[rle.decode(region.rle, expected_size=size)] = region.phrase + 1
    return numbers


def _pair_scores(
    item: BenchmarkItem, answer: BenchmarkAnswer, truth: VideoTruth, areas: np.ndarray
) -> np.ndarray:
    """Return sums over frames of J and F, (phrases + 1, objects, 2); the last row is no mask.

    Rows of phrases behind the last one with a pixel are left out: DAVIS counts masks by the
    highest number on its pictures. `areas` gets the pixels of the objects.
    """
    regions, size = _by_frame(answer), answer.size
    n_phrases, n_seen = len(item.phrases), 0
    sums = np.zeros((n_phrases + 1, truth.n_objects, 2))
    nothing = np.zeros(size, bool)
    for frame in range(len(item.frame_names)):
        numbers = _surest_phrases(regions[frame], size)
        n_seen = max(n_seen, int(numbers.max()))
        valid = ~nothing if truth.read_void is None else ~truth.read_void(frame)
        masks = [(numbers == number) & valid for number in range(1, n_phrases + 1)]
        for index, target in enumerate(truth.read_frame(frame) & valid):
            areas[index] += np.count_nonzero(target)
            for row, predicted in enumerate((*masks, nothing)):
                sums[row, index] += _j_and_f(predicted, target)
    return np.concatenate([sums[:n_seen], sums[-1:]])


def _match(pairs: np.ndarray, n_objects: int) -> np.ndarray:
    """Return J and F of each object, (2, objects), under the matching with the highest J&F.

    Args:
        pairs: (masks + 1, objects, 2), means over frames; the last row is no mask.
        n_objects: masks are filled up with empty ones to so many.
    """
    from scipy.optimize import linear_sum_assignment

    masks, nothing = pairs[:-1], pairs[-1:]
    missing = max(0, n_objects - len(masks))
    table = np.concatenate([masks, *[nothing] * missing])
    rows, columns = linear_sum_assignment(-table.mean(2))
    scores = np.zeros((2, n_objects))
    scores[:, columns] = table[rows, columns].T
    return scores


def _j_and_f_figures(sums: Sums) -> dict[str, np.ndarray]:
    j, f = ratio(sums["J"], sums["n"]), ratio(sums["F"], sums["n"])
    return {"J&F": (j + f) / 2, "J": j, "F": f}


def _item_score(values: dict[str, float], areas: np.ndarray, n_frames: int) -> ItemScore:
    """Return the score of an item, with the mean area of a target on a frame."""
    n = values["n"]
    quality = float((values["J"] + values["F"]) / (2 * n)) if n else 0.0
    area = float(areas.mean()) / max(1, n_frames) if len(areas) else 0.0
    numbers = {name: float(value) for name, value in values.items()}
    return ItemScore(numbers, quality, quality >= _IS_CORRECT, area or None)
