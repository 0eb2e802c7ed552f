"""Pictures, masks and prompts for training the segmenter, each one a pure function of a seed.

A *scene* is a picture with the visible coverage of each object. A *view* is what the network sees
of a scene: the whole picture or a window around one object, brought to the network's square exactly
as `SamImageProcessorPil` does it (longest side resized, bilinear; zeros after normalisation to
the right and below). Windows matter twice: they show objects at every size, and the shipped
segmenter takes a second, closer look at each box.

Scenes are expensive and views are cheap, so a pool of the latest scenes is replayed. Scene `i`
and batch `k` depend on the run's seed and on `i` and `k` alone: a resumed run draws its pool
again and resumes exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.segmenter.recipe import SegmenterRecipe
from lab.training.replay import ReplayPool

Draw = Callable[[np.random.Generator], "MaskedScene"]


@dataclass(frozen=True)
class MaskedScene:
    """An image and the visible coverage of each object.

    `picture` is (H, W, 3) uint8, each mask (H, W) uint8 from 0 to 255.
    """

    picture: NDArray[np.uint8]
    masks: tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True)
class SceneView:
    """A scene in the network's square.

    `picture` is (h, w, 3) uint8 with longest side S, each mask (h, w) uint8.
    """

    picture: NDArray[np.uint8]
    masks: tuple[NDArray[np.uint8], ...]


Window = tuple[float, float, float, float]


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return the half-open box of the true pixels, x0 y0 x1 y1, or None where there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def window_around(box: Window, width: int, height: int, zoom: float) -> tuple[int, int, int, int]:
    """Return the square of `zoom` times the box's longest side, centred, cut at the border."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0, 8.0) * zoom / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return (
        max(0, int(np.floor(cx - half))),
        max(0, int(np.floor(cy - half))),
        min(width, int(np.ceil(cx + half))),
        min(height, int(np.ceil(cy + half))),
    )


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the (width, height) SAM's processor resizes an image to, halves rounded up."""
    scale = side / max(width, height)
    return int(width * scale + 0.5), int(height * scale + 0.5)


def crop_view(scene: MaskedScene, window: tuple[int, int, int, int], side: int) -> SceneView:
    """Cut the window out and fit it to `side`; objects that are almost outside are left out."""
    x0, y0, x1, y1 = window
    size = fitted(x1 - x0, y1 - y0, side)
    picture = Image.fromarray(np.ascontiguousarray(scene.picture[y0:y1, x0:x1]))
    masks = []
    for mask in scene.masks:
        window_mask = mask[y0:y1, x0:x1]
        if (window_mask > 127).sum() < 24:
            continue
        small = np.asarray(Image.fromarray(window_mask).resize(size, Image.Resampling.BILINEAR))
        if (small > 127).sum() >= 40:
            masks.append(small)
    return SceneView(np.asarray(picture.resize(size, Image.Resampling.BILINEAR)), tuple(masks))


def random_view(rng: np.random.Generator, scene: MaskedScene, side: int) -> SceneView:
    """View the whole scene, a random part, or a window round one object, mirrored and relit."""
    height, width = scene.picture.shape[:2]
    kind = rng.random()
    window = (0, 0, width, height)
    if kind < 0.6:
        box = tight_box(scene.masks[int(rng.integers(len(scene.masks)))] > 127)
        if box is not None:
            shake = rng.normal(0, 0.05, 4) * max(box[2] - box[0], box[3] - box[1])
            x0, y0, x1, y1 = (float(b + s) for b, s in zip(box, shake, strict=True))
            zoom = float(rng.uniform(1.15, 2.2))
            window = window_around((x0, y0, x1, y1), width, height, zoom)
    elif kind < 0.75:
        part = rng.uniform(0.6, 1.0, 2)
        w, h = int(width * part[0]), int(height * part[1])
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        window = (x, y, x + w, y + h)
    view = crop_view(scene, window, side)
    return _relight(rng, _mirror(rng, view))


def _mirror(rng: np.random.Generator, view: SceneView) -> SceneView:
    if rng.random() < 0.5:
        return view
    return SceneView(view.picture[:, ::-1], tuple(m[:, ::-1] for m in view.masks))


def _relight(rng: np.random.Generator, view: SceneView) -> SceneView:
    if rng.random() < 0.4:
        return view
    table = np.arange(256)[:, None] * rng.uniform(0.75, 1.25) + rng.uniform(-20, 20, 3)
    table = np.clip(table, 0, 255).astype(np.uint8)
    picture = np.stack([table[view.picture[..., c], c] for c in range(3)], -1)
    if rng.random() < 0.2:
        picture = picture[..., rng.permutation(3)]
    return SceneView(picture, view.masks)


def shaken_box(
    rng: np.random.Generator, box: tuple[int, int, int, int], width: int, height: int
) -> NDArray[np.float32]:
    """Return the box as a detector or a user might give it.

    Three in four are moved by about 4 % of the side.
    """
    exact = np.array(box, np.float64)
    if rng.random() < 0.75:
        sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        exact += np.clip(rng.normal(0, 0.04, 4), -0.15, 0.15) * sides
    return np.clip(exact, 0, [width, height, width, height]).astype(np.float32)


def inner_point(rng: np.random.Generator | None, mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Choose a point on the object, at a pixel's centre.

    Without `rng` it is the innermost one; with it, four in ten lie deep inside.
    """
    if rng is None or rng.random() < 0.4:
        padded = np.pad(mask, 1).astype(np.uint8)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        limit = depth.max() if rng is None else 0.5 * depth.max()
        rows, columns = np.nonzero(depth >= limit)
    else:
        rows, columns = np.nonzero(mask)
    pick = 0 if rng is None else int(rng.integers(len(rows)))
    return float(columns[pick]) + 0.5, float(rows[pick]) + 0.5


def outer_point(rng: np.random.Generator, mask: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Choose a point within about 12 pixels of the object; None where it fills the image."""
    box = tight_box(mask)
    if box is None:
        return None
    height, width = mask.shape
    for _ in range(12):
        x = int(rng.integers(max(0, box[0] - 12), min(width, box[2] + 12)))
        y = int(rng.integers(max(0, box[1] - 12), min(height, box[3] + 12)))
        if not mask[y, x]:
            return x + 0.5, y + 0.5
    return None


Array = TypeVar("Array")
"""NumPy arrays where a batch is drawn, tensors where it is learned from."""


class SegmenterBatch(NamedTuple, Generic[Array]):
    """One training step's input.

    `images` (B, S, S, 3) uint8 fill the upper left (height, width) of `sizes` (B, 2) int64.
    `boxes` (B, P1, 4) float32, `points` (B, P2, K, 2) float32 and `labels` (B, P2, K) int64 are
    prompts as in `network.Prompts`; `targets` (B, P1 + P2, M, M) uint8 are area-averaged
    coverages, boxes first. `seed` (1,) int64 is for what the step itself chooses.
    """

    images: Array
    sizes: Array
    boxes: Array
    points: Array
    labels: Array
    targets: Array
    seed: Array


@dataclass(frozen=True)
class PromptPlan:
    """How many prompts an image gets.

    These are boxes, points, and how many clicks each point prompt has.
    """

    boxes: int = 2
    points: int = 2
    clicks: int = 1


def make_batch(
    rng: np.random.Generator, views: list[SceneView], plan: PromptPlan, side: int, mask_side: int
) -> SegmenterBatch[NDArray[Any]]:
    """Prompt every view as `plan` says.

    Objects are shared out so that each gets its turn before any is prompted twice.
    """
    count = len(views)
    images = np.zeros((count, side, side, 3), np.uint8)
    sizes = np.array([view.picture.shape[:2] for view in views], np.int64)
    boxes = np.zeros((count, plan.boxes, 4), np.float32)
    points = np.zeros((count, plan.points, plan.clicks, 2), np.float32)
    labels = np.full((count, plan.points, plan.clicks), -10, np.int64)
    targets = np.zeros((count, plan.boxes + plan.points, mask_side, mask_side), np.uint8)
    for row, view in enumerate(views):
        height, width = sizes[row].tolist()
        images[row, :height, :width] = view.picture
        for slot, index in enumerate(_turns(rng, len(view.masks), plan)):
            mask = view.masks[index] > 127
            targets[row, slot] = coverage(view.masks[index], side, mask_side)
            if slot < plan.boxes:
                box = tight_box(mask)
                assert box is not None, "a view keeps only objects with visible pixels"
                boxes[row, slot] = shaken_box(rng, box, width, height)
            else:
                _click(rng, mask, points[row, slot - plan.boxes], labels[row, slot - plan.boxes])
    seed = rng.integers(1 << 62, size=1)
    return SegmenterBatch(images, sizes, boxes, points, labels, targets, seed)


def _turns(rng: np.random.Generator, objects: int, plan: PromptPlan) -> list[int]:
    def deal(count: int) -> list[int]:
        order: list[int] = []
        while len(order) < count:
            order += [int(i) for i in rng.permutation(objects)]
        return order[:count]

    return deal(plan.boxes) + deal(plan.points)


def _click(
    rng: np.random.Generator,
    mask: NDArray[np.bool_],
    points: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> None:
    """Place the clicks of one prompt.

    The first is on the object; each further one is on it or, half of the time, beside it.
    """
    for k in range(len(points)):
        beside = outer_point(rng, mask) if k and rng.random() < 0.5 else None
        points[k] = beside or inner_point(rng, mask)
        labels[k] = 0 if beside else 1


def coverage(mask: NDArray[np.uint8], side: int, mask_side: int) -> NDArray[np.uint8]:
    """Pad a mask to `side` and average it down to (mask_side, mask_side), 0 to 255."""
    full = np.zeros((side, side), np.uint8)
    full[: mask.shape[0], : mask.shape[1]] = mask
    return cv2.resize(full, (mask_side, mask_side), interpolation=cv2.INTER_AREA)


class ScenePool:
    """Draws the batches that the segmenter learns from."""

    def __init__(self, draw: Draw, recipe: SegmenterRecipe) -> None:
        self.draw, self.recipe = draw, recipe
        key = (recipe.seed, 1)
        self.pool = ReplayPool[MaskedScene](self._draw, key, recipe.pool, recipe.fresh)

    def _draw(self, rng: np.random.Generator) -> MaskedScene:
        """Draw a scene with at least one object."""
        scene = self.draw(rng)
        while not scene.masks:
            scene = self.draw(rng)
        return scene

    def branch(self, number: int) -> None:
        """Turn to scenes of its own, as worker `number`."""
        self.pool.branch(number)

    def state_dict(self) -> int:
        """Return how many scenes have been drawn."""
        return self.pool.state_dict()

    def load_state_dict(self, state: int) -> None:
        """Draw the pool again as it was after so many scenes."""
        self.pool.load_state_dict(state)

    def batch(self, step: int) -> SegmenterBatch[NDArray[Any]]:
        """Draw batch number `step`."""
        size = self.recipe.size
        rng = np.random.default_rng([self.recipe.seed, 2, step])
        views: list[SceneView] = []
        while len(views) < self.recipe.batch:
            view = random_view(rng, self.pool.take(rng), size.image)
            if view.masks:
                views.append(view)
        return make_batch(rng, views, choose_plan(rng), size.image, size.mask)


def choose_plan(rng: np.random.Generator) -> PromptPlan:
    """Choose boxes and single clicks mostly; on one step in four, clicks with negatives."""
    if rng.random() < 0.75:
        return PromptPlan()
    return PromptPlan(clicks=int(rng.integers(2, 5)))
