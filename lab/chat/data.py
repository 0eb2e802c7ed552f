"""Scenes as arrays, for training the chat model: shards on disk, and what is seen in each token.

A shard is a folder of `.npy` files, one row per scene:

    images       (N, S, S, 3) uint8      the picture
    objects      (N, 5, 5)    int16      noun, x0, y0, x1, y1 on the 0..1000 grid; -1 where absent
    patches      (N, P * P)   int8       the object that owns each patch of the vision tower, or -1
    cells        (N, C * C)   int8       the same for the resampler's tokens
    backgrounds  (N,)         int8       index in `backgrounds.NAMES`
    colours      (N, 5)       int8       of each object, index in `colours.NAMES`, or -1
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.scenes import backgrounds
from lab.scenes.colours import colours_of
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import SpriteBank

SIDE = 192
PATCHES = 12
CELLS = 8
MOST_OBJECTS = 5
_FIELDS = ("images", "objects", "patches", "cells", "backgrounds", "colours")


@dataclass(frozen=True)
class SceneArrays:
    """Rows of a shard, in memory or mapped from disk; see the module for the shapes."""

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
    """What the arrays of a shard say of one scene, picture excepted."""

    objects: NDArray[np.int16]
    patches: NDArray[np.int8]
    cells: NDArray[np.int8]
    background: int
    colours: NDArray[np.int8]


def describe_scene(scene: Scene) -> SceneRows:
    """Return the truth about one scene, as a shard keeps it."""
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


def draw_arrays(count: int, seed: int, bank: SpriteBank, recipe: SceneRecipe) -> SceneArrays:
    """Draw `count` scenes of `SIDE` x `SIDE` pixels as arrays, in memory."""
    arrays = empty_arrays(count)
    for row, scene in zip(range(count), draw_scenes(seed, bank, recipe), strict=False):
        arrays.images[row] = scene.image
        truth = describe_scene(scene)
        arrays.objects[row], arrays.patches[row], arrays.cells[row] = truth[:3]
        arrays.backgrounds[row], arrays.colours[row] = truth.background, truth.colours
    return arrays


def write_shard(folder: Path, arrays: SceneArrays) -> None:
    """Write a shard; the folder appears under its name only when it is complete."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for field in _FIELDS:
        np.save(part / f"{field}.npy", getattr(arrays, field))
    part.rename(folder)


def read_shard(folder: Path) -> SceneArrays:
    """Map a shard from disk; images are read when they are used."""
    return SceneArrays(
        *(
            np.load(folder / f"{field}.npy", mmap_mode="r" if field == "images" else None)
            for field in _FIELDS
        )
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


class ShardReader:
    """Random scenes from a folder of shards; shards that appear later join in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: dict[str, SceneArrays] = {}

    def refresh(self) -> None:
        """Look for new shards. Their names are numbers."""
        for path in sorted(self.folder.iterdir()):
            if path.name.isdigit() and path.name not in self.shards:
                self.shards[path.name] = read_shard(path)

    def batch(self, rng: np.random.Generator, size: int) -> SceneArrays:
        """Draw `size` scenes of one shard, half of the time mirrored."""
        names = sorted(self.shards)
        shard = self.shards[names[rng.integers(len(names))]]
        arrays = shard.rows(np.sort(rng.choice(len(shard), size, replace=False)))
        return mirror(arrays) if rng.random() < 0.5 else arrays
