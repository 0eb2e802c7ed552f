"""Measure the segmenter's masks, beside two baselines that any box allows: an ellipse and GrabCut.

The masks are those of the product's own segmenter (`segue.segment.sam`). Scenes are drawn from
seeds that training never uses, in each of the `held_out_worlds`; photographs, where a
folder of them is given, are only ever measured. Every figure is the mean over objects of the IoU
with the true mask, at the image's own resolution. Prompts are the tight box, or the innermost
point of the object.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from lab.scenes.held_out import Draw, held_out_worlds
from lab.scenes.scene import SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.segmenter.data import inner_point, tight_box
from segue.errors import InputError
from segue.runtime.device import Placement
from segue.segment import Point, Segmenter
from segue.segment.sam import Sam, load
from segue.values.box import Box
from segue.values.image import Image

Pixels = NDArray[np.uint8]
BoolMask = NDArray[np.bool_]

SCENE_SEED = 9_000_001
"""Training draws from small seeds; these scenes are never among them."""


@dataclass(frozen=True)
class SegmentationCase:
    """An image and the truth about it."""

    pixels: Pixels
    """(H, W, 3) uint8."""
    masks: tuple[BoolMask, ...]
    """Of its objects, (H, W) bool each, none of them empty."""

    @property
    def boxes(self) -> list[Box]:
        """The tight box of each mask."""
        corners = (tight_box(mask) for mask in self.masks)
        return [Box(*map(float, box)) for box in corners if box]


def scene_cases(
    bank: SpriteBank, count: int, seed: int, side: int = 256, *, draw: Draw = render
) -> list[SegmentationCase]:
    """Draw `count` scenes as they are, not restyled."""
    recipe = SceneRecipe(side, side, smallest=0.12, restyle=0.0)
    scenes = (draw(np.random.default_rng([seed, i]), bank, recipe) for i in range(count))
    return [SegmentationCase(s.image, tuple(m for m in s.masks if m.sum() >= 40)) for s in scenes]


def photo_cases(folder: str | Path) -> dict[str, list[SegmentationCase]]:
    """Read photographs, grouped by their source.

    Args:
        folder: holds `photos.json`: image, label image (0 background, k object k), source.

    Raises:
        InputError: there is no `photos.json`.
    """
    index = Path(folder) / "photos.json"
    if not index.exists():
        raise InputError(f"No photos.json in {folder}. Give a folder of photographs with masks.")
    cases: dict[str, list[SegmentationCase]] = {}
    for entry in json.loads(index.read_text("utf-8")):
        pixels = np.asarray(PILImage.open(index.parent / entry["image"]).convert("RGB"))
        labels = np.asarray(PILImage.open(index.parent / entry["mask"]))
        masks = tuple(labels == int(k) for k in entry["boxes"] if (labels == int(k)).any())
        cases.setdefault(entry["source"], []).append(SegmentationCase(pixels, masks))
    return cases


def ellipse_mask(shape: tuple[int, int], box: Box) -> BoolMask:
    """Fill the ellipse inscribed in the box."""
    x0, y0, x1, y1 = box.corners
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + 0.5
    across = (2 * x - x0 - x1) / max(x1 - x0, 1e-6)
    down = (2 * y - y0 - y1) / max(y1 - y0, 1e-6)
    return np.asarray(across**2 + down**2 <= 1)


def grabcut_mask(pixels: Pixels, box: Box, rounds: int = 5) -> BoolMask:
    """Run OpenCV's GrabCut from the box."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (round(v) for v in box.corners)
    state = np.full((height, width), cv2.GC_BGD, np.uint8)
    state[max(0, y0) : y1, max(0, x0) : x1] = cv2.GC_PR_FGD
    if (state == cv2.GC_BGD).sum() < 20:
        return state == cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(bgr, state, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # it gives up on boxes of one colour
        return state == cv2.GC_PR_FGD
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)


def masks_for_boxes(segmenter: Segmenter, pixels: Pixels, boxes: Sequence[Box]) -> list[BoolMask]:
    """Ask the product's segmenter for the mask in each box: N arrays (H, W) bool."""
    return [mask.array for mask in segmenter.look(Image(pixels)).mask(boxes)] if boxes else []


def masks_for_points(
    segmenter: Segmenter, pixels: Pixels, points: Sequence[Point]
) -> list[BoolMask]:
    """Ask the product's segmenter for the mask under each point: N arrays (H, W) bool."""
    if not points:
        return []
    view = segmenter.look(Image(pixels))
    return [mask.array for mask in view.mask(points=[[point] for point in points])]


def plain_segmenter(segmenter: Sam) -> Sam:
    """Return the same network without crop refinement and without clipping to the box."""
    options = replace(segmenter.options, zoom=0.0, clip_to_box=False)
    placement = Placement(segmenter.device, segmenter.dtype)
    return Sam(segmenter.model, options, placement, f"{segmenter.name}, plain")


BoxMethod = Callable[[Pixels, Sequence[Box]], list[BoolMask]]


def box_methods(segmenter: Sam, grabcut: bool) -> dict[str, BoxMethod]:
    """Return what is compared on boxes: the segmenter as shipped and plain, and the baselines."""
    plain_network = plain_segmenter(segmenter)
    methods: dict[str, BoxMethod] = {
        "box": lambda pixels, boxes: masks_for_boxes(segmenter, pixels, boxes),
        "box, plain": lambda pixels, boxes: masks_for_boxes(plain_network, pixels, boxes),
        "ellipse": lambda pixels, boxes: [ellipse_mask(pixels.shape[:2], box) for box in boxes],
    }
    if grabcut:
        methods["grabcut"] = lambda pixels, boxes: [grabcut_mask(pixels, box) for box in boxes]
    return methods


def measure(cases: Sequence[SegmentationCase], methods: dict[str, BoxMethod]) -> dict[str, float]:
    """Compute the mean IoU of each method over all objects of the cases."""
    scores: dict[str, list[float]] = {name: [] for name in methods}
    for case in cases:
        if not case.masks:
            continue
        for name, method in methods.items():
            answers = method(case.pixels, case.boxes)
            scores[name] += [mask_iou(a, m) for a, m in zip(answers, case.masks, strict=True)]
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def measure_points(segmenter: Sam, cases: Sequence[SegmentationCase]) -> dict[str, float]:
    """Compute the mean IoU from one point: as shipped (with crop refinement) and in one look."""
    segmenters = {"point": segmenter, "point, one look": plain_segmenter(segmenter)}
    scores: dict[str, list[float]] = {name: [] for name in segmenters}
    for case in cases:
        points = [inner_point(None, mask) for mask in case.masks]
        for name, network in segmenters.items():
            answers = masks_for_points(network, case.pixels, points)
            scores[name] += [mask_iou(a, m) for a, m in zip(answers, case.masks, strict=True)]
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def mask_iou(a: BoolMask, b: BoolMask) -> float:
    """Return the intersection over union of two masks of one shape; 0 where both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def evaluate_segmenter(
    weights: str | Path,
    *,
    scenes: int = 300,
    seed: int = SCENE_SEED,
    photos: str | Path | None = None,
    grabcut: bool = True,
    bank: SpriteBank | None = None,
) -> dict[str, dict[str, float]]:
    """Measure a segmenter.

    Args:
        weights: a transformers folder with `segue.json` beside the configuration.
        scenes: how many held-out scenes of each kind.
        seed: of the scenes.
        photos: a folder of photographs to measure too; see `photo_cases`.
        grabcut: whether to compare with GrabCut.
        bank: the drawings; None: all that have been fetched.

    Returns:
        A row for each kind of image: each of the `held_out_worlds`, and each source of
        photographs. `objects` counts what was measured.
    """
    segmenter = load(weights, device="cpu", dtype="float32")
    cases_by_kind = {
        name: scene_cases(world.bank, scenes, seed + row, draw=world.draw)
        for row, (name, world) in enumerate(held_out_worlds(bank).items())
    }
    cases_by_kind |= photo_cases(photos) if photos else {}
    table: dict[str, dict[str, float]] = {}
    for kind, cases in cases_by_kind.items():
        row = measure(cases, box_methods(segmenter, grabcut))
        row |= measure_points(segmenter, cases)
        table[kind] = row | {"objects": float(sum(len(case.masks) for case in cases))}
    return table
