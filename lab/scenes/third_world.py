"""The third held-out world: nothing in it was ever trained on, to measure what really carries over.

Its drawings are of a style that is in no training bank, its backgrounds are those of
`unseen_backgrounds.py`, and half of its scenes are drawn with an uneven, doubled ink line that no
training look has. One to five objects of all sizes stand in a scene, which is not degraded.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.scenes.scene import Scene, SceneRecipe, as_seen, plan, visible_objects
from lab.scenes.sprites import SpriteBank
from lab.scenes.unseen_backgrounds import paint_unseen

INK_SHARE = 0.5
"""The share of scenes that are drawn in ink."""

_MARGIN = 6
_COMPOSITION = SceneRecipe(
    counts=(1, 1, 1, 1, 1),
    smallest=0.1,
    largest=(0.95, 0.75, 0.6, 0.5, 0.45),
    overlap=0.3,
    squeeze=0.0,
    restyle=0.0,
)
_INKS = ((30, 30, 35), (70, 45, 30), (25, 45, 100), (110, 25, 45), (20, 80, 60))

Patch = NDArray[np.float32]
"""(h, w, 4), 0..255, colours premultiplied by alpha."""


def render_third_world(
    rng: np.random.Generator, bank: SpriteBank, recipe: SceneRecipe | None = None
) -> Scene:
    """Draw one scene of the third world; the same `rng` state gives the same scene.

    Args:
        rng: of everything.
        bank: the drawings; `art.third_world_bank()` has those that belong here.
        recipe: of which only the height and width count.
    """
    recipe = recipe or SceneRecipe()
    composition = replace(_COMPOSITION, height=recipe.height, width=recipe.width)
    while True:
        canvas, background = paint_unseen(rng, recipe.height, recipe.width)
        picture = canvas.astype(np.float32)
        labels = np.full(picture.shape[:2], -1, np.int8)
        placements = plan(rng, bank, composition)
        hand = int(rng.integers(2**31)) if rng.random() < INK_SHARE else None
        for number, placement in enumerate(placements):
            view = as_seen(placement, (recipe.height, recipe.width), _MARGIN)
            if view is None:
                continue
            patch, rows, columns = view
            if hand is not None:
                patch = in_ink(np.random.default_rng([hand, number]), _INKS[hand % 5], patch)
            alpha = patch[..., 3:] / 255
            picture[rows, columns] = picture[rows, columns] * (1 - alpha) + patch[..., :3]
            labels[rows, columns][alpha[..., 0] > 0.5] = number
        objects, labels = visible_objects(placements, labels)
        if objects:
            image = np.clip(picture, 0, 255).astype(np.uint8)
            return Scene(image, labels, objects, background)


def in_ink(rng: np.random.Generator, ink: tuple[int, int, int], patch: Patch) -> Patch:
    """Draw a patch with a twofold, uneven ink line over a pale fill that is printed a little aside.

    The line reaches up to four pixels beyond the drawing and belongs to it. Small drawings have a
    steadier line, so that they can be recognised.
    """
    alpha = patch[..., 3]
    unrest = min(1.0, float(alpha.sum() / 255) ** 0.5 / 70)
    grey = cv2.addWeighted(patch[..., :3].mean(-1), 1, alpha, 1, 0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    line = np.clip((cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, kernel) - 40) / 90, 0, 1)
    strokes = np.maximum(_unsteady(rng, line, unrest), _unsteady(rng, line, unrest))
    strokes *= 0.75 + 0.25 * cv2.resize(rng.random((9, 9), np.float32), alpha.shape[::-1])
    right, down = 3 * unrest * rng.uniform(-1, 1, 2)
    shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
    shifted_patch = cv2.warpAffine(patch, shift, alpha.shape[::-1])
    paper = alpha[..., None] / 255 * np.array([250, 248, 242], np.float32)
    pale = 0.35 * shifted_patch[..., 3:] + 0.65 * shifted_patch[..., :3]
    rgb = paper * (1 - shifted_patch[..., 3:] / 255) + pale
    rgb = rgb * (1 - strokes[..., None]) + np.array(ink, np.float32) * strokes[..., None]
    cover = 1 - (1 - alpha / 255) * (1 - shifted_patch[..., 3] / 255) * (1 - strokes)
    return np.concatenate([rgb, 255 * cover[..., None]], -1).astype(np.float32)


def _unsteady(
    rng: np.random.Generator, line: NDArray[np.float32], unrest: float
) -> NDArray[np.float32]:
    """Shake a line (h, w): bend it by up to some two pixels times `unrest`."""
    height, width = line.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cells = max(3, max(height, width) // 14)
    bend = rng.normal(0, 1.1 * unrest, (2, cells, cells)).astype(np.float32)
    x += cv2.resize(bend[0], (width, height), interpolation=cv2.INTER_CUBIC)
    y += cv2.resize(bend[1], (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.remap(line, x, y, cv2.INTER_LINEAR), np.float32)
