"""Measure how well the detector finds what phrases name, and choose its threshold.

The boxes are those of the product's own detector (`segue.detect.grounding_dino`). Scenes are drawn
from seeds that training never uses, in each of the `held_out_worlds`. Each is searched
for the nouns it shows and for five that it does not, one plain caption a scene. Figures:

    ap50, ap75          average precision at IoU 0.5 and 0.75 over all boxes, whatever their score
    recall, precision   at the threshold
    absent              share of the absent phrases that fire at the threshold
    f1, best_f1         of recall and precision: at the threshold, and at the best one for the row

A tag of a reply asks for one phrase alone, which has no rivals for a box, so each scene is searched
again for one noun that it shows and for one that it does not, each by itself: `alone recall` is the
share of the objects of such nouns that are found, `alone absent` of the absent ones that fire.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.detector.data import LabelledImage, labelled_image
from lab.scenes.art import best_bank
from lab.scenes.held_out import Draw, held_out_worlds
from lab.scenes.scene import SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from lab.scenes.worlds import render_some_world
from segue.detect import Detection
from segue.detect.grounding_dino import DinoOptions, GroundingDino, load
from segue.values.box import Box
from segue.values.image import Image

TEST_SEED = 9_100_001
"""Neither training nor the choice of thresholds sees these scenes."""
VALIDATION_SEED = 9_200_001

Floats = NDArray[np.float32]
Detections = tuple[tuple[Detection, ...], ...]
"""The boxes in one scene: for each noun of its case, best score first."""


@dataclass(frozen=True)
class DetectionCase:
    """A scene and the nouns it is searched for."""

    scene: LabelledImage
    nouns: tuple[int, ...]
    """Those in `scene.nouns` are there, the others are absent."""
    chinese: bool = False

    @property
    def phrases(self) -> list[str]:
        """The name of each noun."""
        names = [nouns()[noun] for noun in self.nouns]
        return [noun.chinese if self.chinese else noun.english for noun in names]


def detection_cases(
    bank: SpriteBank,
    count: int,
    seed: int,
    *,
    absent: int = 5,
    side: int = 256,
    chinese: bool = False,
    draw: Draw = render,
) -> list[DetectionCase]:
    """Draw `count` scenes, each with a shuffled list of its nouns and of `absent` other ones."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scene = labelled_image(draw(rng, bank, SceneRecipe(side, side, restyle=0.0)))
        strangers = [i for i in range(len(nouns())) if i not in scene.nouns]
        noun_list = [
            *sorted(set(scene.nouns)),
            *(int(i) for i in rng.permutation(strangers)[:absent]),
        ]
        shuffled = tuple(int(i) for i in rng.permutation(noun_list))
        cases.append(DetectionCase(scene, shuffled, chinese))
    return cases


def single_noun_cases(cases: Sequence[DetectionCase]) -> list[DetectionCase]:
    """Return two cases of one noun for each case: one that is there, one that is absent."""
    singles = []
    for case in cases:
        for present in (True, False):
            matches = [noun for noun in case.nouns if (noun in case.scene.nouns) is present]
            singles += [replace(case, nouns=(matches[0],))] if matches else []
    return singles


def detect(
    detector: GroundingDino, cases: Sequence[DetectionCase], *, batch: int = 8
) -> list[Detections]:
    """Search every scene for its nouns; boxes of every score are returned.

    Args:
        detector: the product's detector.
        cases: scenes and nouns.
        batch: scenes that are searched together. Shorter captions of a batch are padded, which
            moves scores a little: published figures are comparable at 8 only.
    """
    answers: list[Detections] = []
    for start in range(0, len(cases), batch):
        chunk = cases[start : start + batch]
        images = [Image(case.scene.pixels) for case in chunk]
        phrases = [case.phrases for case in chunk]
        results = detector.find_many(images, phrases, box_threshold=0.0, text_threshold=0.0)
        for names, objects in zip(phrases, results, strict=True):
            answers.append(tuple(tuple(o for o in objects if o.phrase == name) for name in names))
    return answers


def _matches(
    cases: Sequence[DetectionCase], answers: Sequence[Detections], min_iou: float
) -> tuple[Floats, NDArray[np.bool_], int]:
    """Return each box's score, whether it is the first to hit an object, and the object count."""
    scores: list[float] = []
    hits: list[bool] = []
    total = 0
    for case, answer in zip(cases, answers, strict=True):
        total += sum(noun in case.nouns for noun in case.scene.nouns)
        for noun, detections in zip(case.nouns, answer, strict=True):
            truth = [Box(*map(float, box)) for box in case.scene.boxes_of(noun)]
            matched_rows: set[int] = set()
            for detection in detections:
                ious = [detection.box.iou(box) for box in truth]
                free = [j for j, iou in enumerate(ious) if j not in matched_rows and iou >= min_iou]
                if free:
                    matched_rows.add(max(free, key=ious.__getitem__))
                scores.append(detection.score)
                hits.append(bool(free))
    return np.array(scores, np.float32), np.array(hits, bool), total


def average_precision(scores: Floats, hits: NDArray[np.bool_], total: int) -> float:
    """Compute the area under the precision-recall curve, precision made monotone.

    Args:
        scores: (N,), of all boxes.
        hits: (N,), whether each box is the first to hit an object.
        total: how many objects there are.

    Returns:
        The area, in [0, 1]; 0 where there is nothing to find.
    """
    if not total or not len(scores):
        return 0.0
    correct = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = correct / np.arange(1, len(correct) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * np.diff(correct, prepend=0)).sum() / total)


def measure_detections(
    cases: Sequence[DetectionCase], answers: Sequence[Detections], threshold: float
) -> dict[str, float]:
    """Compute the figures of the module's text; `found` is the recall at any score."""
    scores, hits, total = _matches(cases, answers, 0.5)
    strict_matches = _matches(cases, answers, 0.75)
    confident = scores >= threshold
    correct = int((hits & confident).sum())
    fired, absent = 0, 0
    for case, answer in zip(cases, answers, strict=True):
        for noun, detections in zip(case.nouns, answer, strict=True):
            if noun not in case.scene.nouns:
                absent += 1
                fired += bool(detections and detections[0].score >= threshold)
    recall, precision = correct / max(1, total), correct / max(1, int(confident.sum()))
    return {
        "ap50": average_precision(scores, hits, total),
        "ap75": average_precision(*strict_matches),
        "recall": recall,
        "precision": precision,
        "f1": 2 * recall * precision / max(1e-9, recall + precision),
        "absent": fired / max(1, absent),
        "found": int(hits.sum()) / max(1, total),
        "objects": float(total),
    }


def best_f1(cases: Sequence[DetectionCase], answers: Sequence[Detections]) -> float:
    """Return the best F1 of recall and precision that any threshold gives."""
    scores, hits, total = _matches(cases, answers, 0.5)
    if not len(scores) or not total:
        return 0.0
    correct = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    ranks = np.arange(1, len(correct) + 1)
    return float((2 * correct / (ranks + total)).max())


def measure_single_nouns(
    cases: Sequence[DetectionCase], answers: Sequence[Detections], threshold: float
) -> dict[str, float]:
    """Compute the two figures of phrases that are searched for one at a time."""
    figures = measure_detections(cases, answers, threshold)
    return {"alone recall": figures["recall"], "alone absent": figures["absent"]}


def choose_threshold(
    cases: Sequence[DetectionCase], answers: Sequence[Detections], max_absent: float = 0.05
) -> float:
    """Return the threshold with the best F1 at which few enough absent phrases fire.

    Args:
        cases: what was searched for.
        answers: what was found, in the same order.
        max_absent: the largest share of absent phrases that may fire.
    """
    best_score, best_threshold = -1.0, 0.5
    for step in range(5, 90):
        figures = measure_detections(cases, answers, step / 100)
        total = figures["recall"] + figures["precision"]
        score = 2 * figures["recall"] * figures["precision"] / total if total else 0.0
        if figures["absent"] <= max_absent and score > best_score:
            best_score, best_threshold = score, step / 100
    return best_threshold


def write_detector_options(folder: Path, options: DinoOptions) -> None:
    """Write `segue.json` beside the weights."""
    (folder / "segue.json").write_text(json.dumps(asdict(options), indent=2) + "\n", "utf-8")


def calibrate_detector(
    weights: str | Path,
    *,
    scenes: int = 200,
    bank: SpriteBank | None = None,
    device: str = "cpu",
) -> DinoOptions:
    """Choose the threshold on validation scenes and write it to `segue.json`.

    Of the absent phrases at most 5 % may fire among others and 18 % alone.

    Args:
        weights: a transformers folder with `segue.json`.
        scenes: how many validation scenes, half of them of the other worlds that are trained on.
        bank: the drawings; None: `best_bank()`.
        device: where the detector runs.
    """
    folder = Path(weights)
    detector = load(folder, device=device, dtype="float32")
    drawings = (bank or best_bank()).trainable()
    cases = detection_cases(drawings, scenes, VALIDATION_SEED, draw=render_some_world)
    threshold = max(
        choose_threshold(case_set, detect(detector, case_set), max_absent)
        for case_set, max_absent in ((cases, 0.05), (single_noun_cases(cases), 0.18))
    )
    options = replace(detector.options, box_threshold=threshold, text_threshold=threshold)
    write_detector_options(folder, options)
    return options


def evaluate_detector(
    weights: str | Path,
    *,
    scenes: int = 500,
    seed: int = TEST_SEED,
    bank: SpriteBank | None = None,
) -> dict[str, dict[str, float]]:
    """Measure a detector at its own threshold.

    Args:
        weights: a transformers folder with `segue.json` beside the configuration.
        scenes: how many held-out scenes of each kind.
        seed: of the scenes.
        bank: the drawings; None: all that have been fetched.

    Returns:
        A row for each of the `held_out_worlds`, in English and in Chinese.
    """
    detector = load(weights, device="cpu", dtype="float32")
    threshold = detector.options.box_threshold
    table: dict[str, dict[str, float]] = {}
    for row, (name, world) in enumerate(held_out_worlds(bank).items()):
        english = detection_cases(world.bank, scenes, seed + row, draw=world.draw)
        for language in ("English", "Chinese"):
            cases = [replace(case, chinese=language == "Chinese") for case in english]
            singles = single_noun_cases(cases)
            answers = detect(detector, cases)
            table[f"{name}, {language}"] = {
                **measure_detections(cases, answers, threshold),
                "best_f1": best_f1(cases, answers),
                **measure_single_nouns(singles, detect(detector, singles), threshold),
            }
    return table
