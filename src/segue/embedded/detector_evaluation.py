"""How well the detector finds what phrases name, and which score is worth believing.

Scenes are drawn from seeds that training never uses, in the trained styles or in the held-out one.
Each is asked for the nouns it shows and for five that it does not, one plain caption a scene.
Figures:

``ap50``, ``ap75``     average precision at IoU 0.5 and 0.75 over all scored boxes, after class-wise
suppression of doubles
``recall``, ``precision``  at the threshold
``absent``             share of the absent phrases that fire at the threshold

A tag of a reply asks for one phrase alone, which has no rivals for a box, so each scene is asked
again for one noun that it shows and for one that it does not, each by itself: ``alone recall`` is
the share of the objects of such nouns that are found, ``alone absent`` of the absent ones that
fire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GroundingDinoForObjectDetection

from segue.embedded.detector_losses import corners
from segue.embedded.detector_network import run_detector
from segue.embedded.detector_samples import Shown, make_detector_batch, shown, write_caption
from segue.embedded.detector_settings import (
    DetectorSettings,
    read_detector_settings,
    write_settings,
)
from segue.embedded.scenes import SceneRecipe, render
from segue.embedded.sprites import SpriteBank, best_bank
from segue.embedded.training_run import HELD_OUT_STYLE
from segue.embedded.vocabulary import nouns

TEST_SEED = 9_100_001  # neither training nor the choice of thresholds sees these scenes
VALIDATION_SEED = 9_200_001
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """A scene and the nouns it is asked for; those in ``scene.nouns`` are there, the others are
    not."""

    scene: Shown
    nouns: tuple[int, ...]
    chinese: bool = False


@dataclass(frozen=True)
class Detections:
    """What came back for one scene: for each asked noun, boxes (n, 4) in pixels and scores (n,),
    best first."""

    boxes: tuple[Floats, ...]
    scores: tuple[Floats, ...]


def asked_scenes(
    bank: SpriteBank,
    count: int,
    seed: int,
    *,
    absent: int = 5,
    side: int = 256,
    chinese: bool = False,
) -> list[Asked]:
    """``count`` scenes with a shuffled list of what they show and of ``absent`` nouns that they do
    not."""
    asked = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scene = shown(render(rng, bank, SceneRecipe(side, side, restyle=0.0)))
        others = [i for i in range(len(nouns())) if i not in scene.nouns]
        wanted = [*sorted(set(scene.nouns)), *(int(i) for i in rng.permutation(others)[:absent])]
        asked.append(Asked(scene, tuple(int(i) for i in rng.permutation(wanted)), chinese))
    return asked


def asked_alone(cases: Sequence[Asked]) -> list[Asked]:
    """For each scene two questions of a single noun: one that is there, one that is not."""
    alone = []
    for case in cases:
        for there in (True, False):
            some = [noun for noun in case.nouns if (noun in case.scene.nouns) is there]
            alone += [replace(case, nouns=(some[0],))] if some else []
    return alone


def pair_iou(a: Floats, b: Floats) -> Floats:
    """IoU (n, m) of corner boxes (n, 4) and (m, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inside = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = (np.clip(x[:, 2:] - x[:, :2], 0, None).prod(-1) for x in (a, b))
    return np.asarray(inside / (area_a[:, None] + area_b[None] - inside + 1e-7), np.float32)


def without_doubles(boxes: Floats, scores: Floats, iou: float) -> NDArray[np.int64]:
    """Indices, best first, of the boxes that no better one overlaps by more than ``iou``."""
    order = np.argsort(-scores, kind="stable")
    overlap = pair_iou(boxes, boxes)
    kept: list[int] = []
    for index in order:
        if all(overlap[index, k] <= iou for k in kept):
            kept.append(int(index))
    return np.array(kept, np.int64)


@torch.no_grad()
def detect(
    model: GroundingDinoForObjectDetection,
    cases: Sequence[Asked],
    nms_iou: float,
    *,
    best_only: bool = True,
    batch: int = 8,
) -> list[Detections]:
    """Run the network. With ``best_only`` a box answers only the phrase it fits best, as in the
    package's backend."""
    side = model.config.backbone_config.image_size
    answers = []
    for start in range(0, len(cases), batch):
        some = cases[start : start + batch]
        captions = [
            write_caption(
                [nouns()[n].chinese if c.chinese else nouns()[n].english for n in c.nouns],
                list(c.nouns),
            )
            for c in some
        ]
        asked = make_detector_batch([c.scene for c in some], captions, side, side)
        output = run_detector(model, asked.pixels, asked.ids, asked.attention)
        scores, boxes = output.logits[-1].sigmoid(), corners(output.boxes[-1])
        for row, (case, caption) in enumerate(zip(some, captions, strict=True)):
            each = torch.stack([scores[row, :, a:b].max(-1).values for a, b in caption.spans], 1)
            answers.append(_sorted_out(case, each.numpy(), boxes[row].numpy(), nms_iou, best_only))
    return answers


def _sorted_out(
    case: Asked, scores: Floats, boxes: Floats, nms_iou: float, best_only: bool
) -> Detections:
    high, wide = case.scene.picture.shape[:2]
    boxes = boxes * np.array([wide, high, wide, high], np.float32)
    kept_boxes, kept_scores = [], []
    for phrase in range(len(case.nouns)):
        rows = np.flatnonzero(scores.argmax(1) == phrase) if best_only else np.arange(len(scores))
        best = rows[without_doubles(boxes[rows], scores[rows, phrase], nms_iou)]
        kept_boxes.append(boxes[best])
        kept_scores.append(scores[best, phrase])
    return Detections(tuple(kept_boxes), tuple(kept_scores))


def _matches(
    cases: Sequence[Asked], answers: Sequence[Detections], iou: float
) -> tuple[Floats, NDArray[np.bool_], int]:
    """Every box's score, whether it is the first to hit an object of its noun, and how many objects
    there are."""
    scores: list[float] = []
    hits: list[bool] = []
    total = 0
    for case, answer in zip(cases, answers, strict=True):
        total += sum(noun in case.nouns for noun in case.scene.nouns)
        for noun, boxes, values in zip(case.nouns, answer.boxes, answer.scores, strict=True):
            mine = case.scene.boxes[[n == noun for n in case.scene.nouns]]
            overlap = pair_iou(boxes, mine)
            taken: set[int] = set()
            for index, value in enumerate(values):
                free = [j for j in range(len(mine)) if j not in taken and overlap[index, j] >= iou]
                if free:
                    taken.add(max(free, key=lambda j: float(overlap[index, j])))
                scores.append(float(value))
                hits.append(bool(free))
    return np.array(scores, np.float32), np.array(hits, bool), total


def average_precision(scores: Floats, hits: NDArray[np.bool_], total: int) -> float:
    """Area under the precision-recall curve, precision made monotone; 0 where there is nothing to
    find."""
    if not total or not len(scores):
        return 0.0
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * np.diff(right, prepend=0)).sum() / total)


def measure_detections(
    cases: Sequence[Asked], answers: Sequence[Detections], threshold: float
) -> dict[str, float]:
    """The figures of the module's text; ``found`` is the recall of boxes whatever their score."""
    scores, hits, total = _matches(cases, answers, 0.5)
    finer = _matches(cases, answers, 0.75)
    believed = scores >= threshold
    right = int((hits & believed).sum())
    fired, absent = 0, 0
    for case, answer in zip(cases, answers, strict=True):
        for noun, values in zip(case.nouns, answer.scores, strict=True):
            if noun not in case.scene.nouns:
                absent += 1
                fired += bool(len(values) and values[0] >= threshold)
    return {
        "ap50": average_precision(scores, hits, total),
        "ap75": average_precision(*finer),
        "recall": right / max(1, total),
        "precision": right / max(1, int(believed.sum())),
        "absent": fired / max(1, absent),
        "found": int(hits.sum()) / max(1, total),
        "objects": float(total),
    }


def measure_alone(
    cases: Sequence[Asked], answers: Sequence[Detections], threshold: float
) -> dict[str, float]:
    """The two figures of phrases asked one at a time."""
    figures = measure_detections(cases, answers, threshold)
    return {"alone recall": figures["recall"], "alone absent": figures["absent"]}


def choose_threshold(
    cases: Sequence[Asked], answers: Sequence[Detections], most_absent: float = 0.05
) -> float:
    """The threshold with the best F1 among those at which at most ``most_absent`` of the absent
    phrases fire."""
    best, chosen = -1.0, 0.5
    for step in range(5, 90):
        figures = measure_detections(cases, answers, step / 100)
        wrong = figures["recall"] + figures["precision"]
        score = 2 * figures["recall"] * figures["precision"] / wrong if wrong else 0.0
        if figures["absent"] <= most_absent and score > best:
            best, chosen = score, step / 100
    return chosen


def calibrate_detector(
    weights: str | Path, *, scenes: int = 200, bank: SpriteBank | None = None
) -> DetectorSettings:
    """Choose the threshold on validation scenes of the trained styles and write it to
    ``segue.json``: of the absent phrases at most 5 % may fire among others and 18 % alone."""
    folder = Path(weights)
    model = GroundingDinoForObjectDetection.from_pretrained(
        folder, dtype="float32", trust_remote_code=False
    ).eval()
    settings = read_detector_settings(folder)
    cases = asked_scenes((bank or best_bank()).without(HELD_OUT_STYLE), scenes, VALIDATION_SEED)
    alone = asked_alone(cases)
    chosen = max(
        choose_threshold(some, detect(model, some, settings.nms_iou), most_absent)
        for some, most_absent in ((cases, 0.05), (alone, 0.18))
    )
    settings = replace(settings, box_threshold=chosen, text_threshold=chosen)
    write_settings(folder, settings)
    return settings


def detector_check(
    count: int = 60,
) -> Callable[[GroundingDinoForObjectDetection], dict[str, float]]:
    """A check for use during training: a few validation scenes of each kind, drawn once."""
    bank = best_bank()
    sets = {"scenes": asked_scenes(bank.without(HELD_OUT_STYLE), count, VALIDATION_SEED)}
    if HELD_OUT_STYLE in bank.styles:
        sets["style"] = asked_scenes(bank.only(HELD_OUT_STYLE), count, VALIDATION_SEED + 1)

    def check(model: GroundingDinoForObjectDetection) -> dict[str, float]:
        figures: dict[str, float] = {}
        for name, cases in sets.items():
            measured = measure_detections(cases, detect(model, cases, 0.5), 0.3)
            alone = asked_alone(cases)
            measured |= measure_alone(alone, detect(model, alone, 0.5), 0.3)
            figures |= {f"{name} {k}": round(v, 3) for k, v in measured.items() if k != "objects"}
        return figures

    return check


def evaluate_detector(
    weights: str | Path,
    *,
    scenes: int = 500,
    seed: int = TEST_SEED,
    bank: SpriteBank | None = None,
) -> dict[str, dict[str, float]]:
    """Every figure of the detector: rows ``scenes`` and ``style`` (the held-out one), each in
    English and in Chinese."""
    folder = Path(weights)
    bank = bank or best_bank()
    model = GroundingDinoForObjectDetection.from_pretrained(
        folder, dtype="float32", trust_remote_code=False
    ).eval()
    settings = read_detector_settings(folder)
    banks = {"scenes": bank.without(HELD_OUT_STYLE)}
    if HELD_OUT_STYLE in bank.styles:
        banks["style"] = bank.only(HELD_OUT_STYLE)
    table: dict[str, dict[str, float]] = {}
    for row, (name, drawings) in enumerate(banks.items()):
        english = asked_scenes(drawings, scenes, seed + row)
        for language in ("English", "Chinese"):
            cases = [replace(case, chinese=language == "Chinese") for case in english]
            alone = asked_alone(cases)
            answers = detect(model, cases, settings.nms_iou)
            single = detect(model, alone, settings.nms_iou)
            threshold = settings.box_threshold
            table[f"{name}, {language}"] = {
                **measure_detections(cases, answers, threshold),
                **measure_alone(alone, single, threshold),
            }
    return table
