"""How good the segmenter's masks are, beside the two baselines that any box allows: an ellipse and
GrabCut.

Scenes are drawn from seeds that training never uses, in the trained styles or in the held-out one;
photographs, where a folder of them is given, are only ever measured. Every figure is the mean over
objects of the IoU with the true mask, at the picture's own resolution. Prompts are the tight box,
or the innermost point of the object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from transformers import SamModel

from segue.embedded.scenes import SceneRecipe, render
from segue.embedded.segmenter_answers import (
    BoolMask,
    Box,
    LookSettings,
    Picture,
    mask_iou,
    masks_for_boxes,
    masks_for_points,
)
from segue.embedded.segmenter_samples import inner_point, tight_box
from segue.embedded.shapes import cluttered_scene
from segue.embedded.sprites import SpriteBank, best_bank
from segue.embedded.training_run import HELD_OUT_STYLE
from segue.errors import InputError

SCENE_SEED = 9_000_001  # training draws from small seeds; these scenes are never among them


@dataclass(frozen=True)
class Case:
    """A picture (H, W, 3) uint8 and the true masks of its objects, (H, W) bool each, none of them
    empty."""

    picture: Picture
    masks: tuple[BoolMask, ...]

    @property
    def boxes(self) -> list[Box]:
        """The tight half-open box of each mask."""
        found = (tight_box(mask) for mask in self.masks)
        return [(float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in found if b]


def scene_cases(bank: SpriteBank, count: int, seed: int, side: int = 256) -> list[Case]:
    """``count`` drawn scenes as they are, not restyled."""
    recipe = SceneRecipe(side, side, smallest=0.12, restyle=0.0)
    scenes = (render(np.random.default_rng([seed, i]), bank, recipe) for i in range(count))
    return [Case(s.image, tuple(m for m in s.masks if m.sum() >= 40)) for s in scenes]


def clutter_cases(count: int, seed: int) -> list[Case]:
    """``count`` cluttered pictures of textured shapes, the kind that stands for photographs in
    training."""
    cases = []
    for i in range(count):
        picture, covers = cluttered_scene(np.random.default_rng([seed, i]))
        masks = tuple(c > 0.5 for c in covers if (c > 0.5).sum() >= 60)
        cases.append(Case(picture.astype(np.uint8), masks))
    return cases


def photo_cases(folder: str | Path) -> dict[str, list[Case]]:
    """Photographs by source. ``folder`` holds ``photos.json``: image, label picture (0 background,
    k object k), source."""
    index = Path(folder) / "photos.json"
    if not index.exists():
        raise InputError(f"no photos.json in {folder}; expected a folder of photographs with masks")
    cases: dict[str, list[Case]] = {}
    for entry in json.loads(index.read_text("utf-8")):
        picture = np.asarray(Image.open(index.parent / entry["image"]).convert("RGB"))
        labels = np.asarray(Image.open(index.parent / entry["mask"]))
        masks = tuple(labels == int(k) for k in entry["boxes"] if (labels == int(k)).any())
        cases.setdefault(entry["source"], []).append(Case(picture, masks))
    return cases


def ellipse_mask(shape: tuple[int, int], box: Box) -> BoolMask:
    """The ellipse inscribed in the box."""
    x0, y0, x1, y1 = box
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + 0.5
    across = (2 * x - x0 - x1) / max(x1 - x0, 1e-6)
    down = (2 * y - y0 - y1) / max(y1 - y0, 1e-6)
    return np.asarray(across**2 + down**2 <= 1)


def grabcut_mask(picture: Picture, box: Box, rounds: int = 5) -> BoolMask:
    """OpenCV's GrabCut from the box."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(v) for v in box)
    state = np.full((height, width), cv2.GC_BGD, np.uint8)
    state[max(0, y0) : y1, max(0, x0) : x1] = cv2.GC_PR_FGD
    if (state == cv2.GC_BGD).sum() < 20:
        return state == cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(bgr, state, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # it gives up on boxes of one colour
        return state == cv2.GC_PR_FGD
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)


BoxMethod = Callable[[Picture, Sequence[Box]], list[BoolMask]]


def box_methods(model: SamModel, settings: LookSettings, grabcut: bool) -> dict[str, BoxMethod]:
    """What is compared on boxes: the network as shipped, the network plain, and the baselines."""
    plain = LookSettings(zoom=0, clip_to_box=False)
    methods: dict[str, BoxMethod] = {
        "box": lambda p, b: masks_for_boxes(model, p, b, settings),
        "box, plain": lambda p, b: masks_for_boxes(model, p, b, plain),
        "ellipse": lambda p, b: [ellipse_mask(p.shape[:2], one) for one in b],
    }
    if grabcut:
        methods["grabcut"] = lambda p, b: [grabcut_mask(p, one) for one in b]
    return methods


def measure(cases: Sequence[Case], methods: dict[str, BoxMethod]) -> dict[str, float]:
    """Mean IoU of each method over all objects of the cases."""
    scores: dict[str, list[float]] = {name: [] for name in methods}
    for case in cases:
        if not case.masks:
            continue
        for name, method in methods.items():
            answers = method(case.picture, case.boxes)
            scores[name] += [mask_iou(a, m) for a, m in zip(answers, case.masks, strict=True)]
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def measure_points(
    model: SamModel, cases: Sequence[Case], settings: LookSettings
) -> dict[str, float]:
    """Mean IoU from one point: as shipped (a closer look at each reading) and in one look."""
    once = LookSettings(zoom=0, clip_to_box=False)
    scores: dict[str, list[float]] = {"point": [], "point, one look": []}
    for case in cases:
        points = [inner_point(None, mask) for mask in case.masks]
        for name, how in (("point", settings), ("point, one look", once)):
            answers = masks_for_points(model, case.picture, points, how)
            scores[name] += [mask_iou(a, m) for a, m in zip(answers, case.masks, strict=True)]
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def quick_check(
    photos: str | Path | None = None, count: int = 40, settings: LookSettings | None = None
) -> Callable[[SamModel], dict[str, float]]:
    """A check for use during training: a few scenes of each kind, drawn once."""
    bank, settings = best_bank(), settings or LookSettings()
    sets = {
        "scenes": scene_cases(bank.without(HELD_OUT_STYLE), count, SCENE_SEED + 7),
        "clutter": clutter_cases(count // 2, SCENE_SEED + 7),
    }
    if HELD_OUT_STYLE in bank.styles:
        sets["style"] = scene_cases(bank.only(HELD_OUT_STYLE), count, SCENE_SEED + 8)
    for source, cases in photo_cases(photos).items() if photos else ():
        sets[source.split()[0]] = cases[:20]

    def check(model: SamModel) -> dict[str, float]:
        figures: dict[str, float] = {}
        for name, cases in sets.items():
            for method, value in measure(cases, box_methods(model, settings, False)).items():
                if method != "ellipse":
                    figures[f"{name} {method}"] = round(value, 3)
            if name in ("scenes", "style"):
                for method, value in measure_points(model, cases[: count // 2], settings).items():
                    figures[f"{name} {method}"] = round(value, 3)
        return figures

    return check


def evaluate_segmenter(
    weights: str | Path,
    *,
    scenes: int = 300,
    seed: int = SCENE_SEED,
    photos: str | Path | None = None,
    grabcut: bool = True,
    bank: SpriteBank | None = None,
) -> dict[str, dict[str, float]]:
    """Every figure of the segmenter: a row for each kind of picture, a column for each method.

    ``weights`` is a transformers folder with ``segue.json`` beside the configuration. Rows:
    ``scenes``, ``style`` (where the held-out drawings are at hand), and one for each source of
    photographs. ``objects`` counts what was measured.
    """
    bank = bank or best_bank()
    model = SamModel.from_pretrained(weights, dtype="float32", trust_remote_code=False).eval()
    settings = read_settings(Path(weights))
    sets = {"scenes": scene_cases(bank.without(HELD_OUT_STYLE), scenes, seed)}
    if HELD_OUT_STYLE in bank.styles:
        sets["style"] = scene_cases(bank.only(HELD_OUT_STYLE), scenes, seed + 1)
    sets.update(photo_cases(photos) if photos else {})
    table: dict[str, dict[str, float]] = {}
    for name, cases in sets.items():
        row = measure(cases, box_methods(model, settings, grabcut))
        row |= measure_points(model, cases, settings)
        table[name] = row | {"objects": float(sum(len(c.masks) for c in cases))}
    return table


def read_settings(folder: Path) -> LookSettings:
    """The ``segue.json`` of a weights folder; plain SAM where there is none."""
    file = folder / "segue.json"
    if not file.exists():
        return LookSettings(zoom=0, clip_to_box=False)
    found = json.loads(file.read_text("utf-8"))
    return LookSettings(float(found.get("zoom", 0)), bool(found.get("clip_to_box", False)))
