"""Scenes as arrays, for training the chat model, and what is seen in each token.

Arrays have one row per scene:

    images       (N, S, S, 3) uint8      the picture
    objects      (N, 5, 5)    int16      noun, x0, y0, x1, y1 on the 0..1000 grid; -1 where absent
    patches      (N, P * P)   int8       the object that owns each patch of the vision tower, or -1
    cells        (N, C * C)   int8       the same for the resampler's tokens
    backgrounds  (N,)         int8       index in `backgrounds.NAMES`
    colours      (N, 5)       int8       of each object, index in `colours.NAMES`, or -1
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.scenes import backgrounds
from lab.scenes.colours import colours_of
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.training.replay import ReplayPool

SIDE = 192
PATCHES = 12
CELLS = 8
MOST_OBJECTS = 5
_FIELDS = ("images", "objects", "patches", "cells", "backgrounds", "colours")


DrawScene = Callable[[np.random.Generator], Scene]
"""Draws a scene of `SIDE` x `SIDE` pixels."""


@dataclass(frozen=True)
class SceneArrays:
    """The scenes of a batch; see the module for the shapes."""

    images: NDArray[np.uint8]
    objects: NDArray[np.int16]
    patches: NDArray[np.int8]
    cells: NDArray[np.int8]
    backgrounds: NDArray[np.int8]
    colours: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.objects)

    def rows(self, index: NDArray[np.int64]) -> "SceneArrays":
        """Return a copy of some rows."""
        return SceneArrays(*(np.array(getattr(self, field)[index]) for field in _FIELDS))


def owners(labels: NDArray[np.int8], grid: int) -> NDArray[np.int8]:
    """Find which object owns each cell of a `grid` x `grid` raster of a square label map.

    The object with the most pixels, if it covers 16 % of the cell; else -1. Shape (grid * grid,).
    """
    side = labels.shape[0] // grid
    cells = labels.reshape(grid, side, grid, side).transpose(0, 2, 1, 3).reshape(grid * grid, -1)
    counts = np.stack([(cells == number).sum(1) for number in range(MOST_OBJECTS)], 1)
    return np.where(counts.max(1) >= 0.16 * side * side, counts.argmax(1), -1).astype(np.int8)


def grid_box(box: tuple[float, float, float, float], height: int, width: int) -> list[int]:
    """Return a pixel box on the 0..1000 grid that Qwen-VL writes, kept within 0..999."""
    x0, y0, x1, y1 = box
    scaled = (1000 * x0 / width, 1000 * y0 / height, 1000 * x1 / width, 1000 * y1 / height)
    return [min(999, max(0, round(value))) for value in scaled]


class SceneRows(NamedTuple):
    """What the arrays say of one scene, picture excepted."""

    objects: NDArray[np.int16]
    patches: NDArray[np.int8]
    cells: NDArray[np.int8]
    background: int
    colours: NDArray[np.int8]


def describe_scene(scene: Scene) -> SceneRows:
    """Return the truth about one scene, as `SceneArrays` keep it."""
    height, width = scene.labels.shape
    objects = np.full((MOST_OBJECTS, 5), -1, np.int16)
    for row, item in zip(objects, scene.objects, strict=False):
        row[:] = [item.noun, *grid_box(item.box, height, width)]
    return SceneRows(
        objects,
        owners(scene.labels, PATCHES),
        owners(scene.labels, CELLS),
        backgrounds.NAMES.index(scene.background),
        colours_of(scene.image, scene.labels, MOST_OBJECTS),
    )


def draw_scenes(seed: int, bank: SpriteBank, recipe: SceneRecipe) -> Iterator[Scene]:
    """Yield scenes without end, the same for the same seed."""
    rng = np.random.default_rng(seed)
    while True:
        yield render(rng, bank, recipe)


def empty_arrays(count: int) -> SceneArrays:
    """Make arrays for `count` scenes, not filled."""
    return SceneArrays(
        np.zeros((count, SIDE, SIDE, 3), np.uint8),
        np.full((count, MOST_OBJECTS, 5), -1, np.int16),
        np.full((count, PATCHES**2), -1, np.int8),
        np.full((count, CELLS**2), -1, np.int8),
        np.zeros(count, np.int8),
        np.full((count, MOST_OBJECTS), -1, np.int8),
    )


def scene_arrays(scenes: Sequence[Scene]) -> SceneArrays:
    """Return scenes of `SIDE` x `SIDE` pixels as arrays."""
    arrays = empty_arrays(len(scenes))
    for row, scene in enumerate(scenes):
        arrays.images[row] = scene.image
        truth = describe_scene(scene)
        arrays.objects[row], arrays.patches[row], arrays.cells[row] = truth[:3]
        arrays.backgrounds[row], arrays.colours[row] = truth.background, truth.colours
    return arrays


def draw_arrays(count: int, seed: int, bank: SpriteBank, recipe: SceneRecipe) -> SceneArrays:
    """Draw `count` scenes of `SIDE` x `SIDE` pixels as arrays."""
    return scene_arrays(list(islice(draw_scenes(seed, bank, recipe), count)))


def stack(scenes: Sequence[SceneArrays]) -> SceneArrays:
    """Put arrays together, one after the other."""
    return SceneArrays(
        *(np.concatenate([getattr(arrays, field) for arrays in scenes]) for field in _FIELDS)
    )


def mirror(arrays: SceneArrays) -> SceneArrays:
    """Return the same scenes with left and right exchanged."""
    objects = arrays.objects.copy()
    present = objects[..., 0] >= 0
    objects[..., 1] = np.where(present, np.clip(1000 - arrays.objects[..., 3], 0, 999), -1)
    objects[..., 3] = np.where(present, np.clip(1000 - arrays.objects[..., 1], 0, 999), -1)
    count = len(arrays)
    return SceneArrays(
        np.ascontiguousarray(arrays.images[:, :, ::-1]),
        objects,
        arrays.patches.reshape(count, PATCHES, PATCHES)[..., ::-1].reshape(count, -1),
        arrays.cells.reshape(count, CELLS, CELLS)[..., ::-1].reshape(count, -1),
        arrays.backgrounds,
        arrays.colours,
    )


class SceneStream:
    """Draws batches of scenes to learn from: new ones, and the latest again."""

    def __init__(
        self,
        draw: DrawScene,
        *,
        batch: int,
        seed: int,
        pool: int,
        fresh: float,
    ) -> None:
        """Prepare the stream.

        Args:
            draw: draws a scene.
            batch: scenes in a batch.
            seed: of the stream.
            pool: how many of the latest scenes may be shown again.
            fresh: the share of new scenes in a batch.
        """
        self.draw, self.size, self.seed = draw, batch, seed
        self.pool = ReplayPool[SceneArrays](self._draw, (seed, 5), pool, fresh)

    def _draw(self, rng: np.random.Generator) -> SceneArrays:
        return scene_arrays([self.draw(rng)])

    def branch(self, number: int) -> None:
        """Turn to scenes of its own, as worker `number`."""
        self.pool.branch(number)

    def state_dict(self) -> int:
        """Return how many scenes have been drawn."""
        return self.pool.state_dict()

    def load_state_dict(self, state: int) -> None:
        """Draw the pool again as it was after so many scenes."""
        self.pool.load_state_dict(state)

    def batch(self, step: int) -> SceneArrays:
        """Draw batch number `step`, half of the scenes mirrored."""
        rng = np.random.default_rng([self.seed, 6, step])
        scenes = [self.pool.take(rng) for _ in range(self.size)]
        return stack([mirror(scene) if rng.random() < 0.5 else scene for scene in scenes])
