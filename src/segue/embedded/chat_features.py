"""Pictures as the language model sees them, while the visual tower is frozen but for its end."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segue.embedded.chat_data import CELLS, MOST_OBJECTS, ShardReader
from segue.embedded.chat_turns import PackedScenes
from segue.embedded.chat_vision import to_pixels
from segue.embedded.training_run import training_precision
from segue.models.qwen_vl.visual import VisualTower

_ARRAYS = ("normal", "objects", "cells", "backgrounds", "colours")


@torch.no_grad()
def resampled(tower: VisualTower, images: NDArray[np.uint8]) -> Tensor:
    """What reaches the tower's last affine layer, normalised: (N, 64, 256) float32."""
    with training_precision():
        found = tower.attn_pool(tower.encode_patches(to_pixels(images)))
    return F.layer_norm(found.float(), found.shape[-1:], eps=1e-6)


def finish(tower: VisualTower, normal: Tensor) -> Tensor:
    """The tower's last affine layer on what `resampled` returned."""
    return (normal * tower.ln_post.weight + tower.ln_post.bias) @ tower.proj


class FeaturePool:
    """Pictures already seen by the frozen tower, renewed a little at every step."""

    def __init__(self, tower: VisualTower, reader: ShardReader, size: int) -> None:
        self.tower, self.reader, self.size = tower, reader, size
        self.at = 0
        self.normal = np.zeros((size, CELLS**2, tower.config.output_dim), np.float16)
        self.objects = np.zeros((size, MOST_OBJECTS, 5), np.int16)
        self.cells = np.zeros((size, CELLS**2), np.int8)
        self.backgrounds = np.zeros(size, np.int8)
        self.colours = np.zeros((size, MOST_OBJECTS), np.int8)

    def fill(self, rng: np.random.Generator) -> None:
        """Look at enough pictures to start with."""
        step = min(50, self.size)
        for _ in range(-(-self.size // step)):
            self.renew(rng, step)

    def renew(self, rng: np.random.Generator, count: int) -> None:
        """Look at `count` new pictures in place of the oldest."""
        arrays = self.reader.batch(rng, count)
        where = np.arange(self.at, self.at + count) % self.size
        self.normal[where] = resampled(self.tower, arrays.images).numpy()
        self.objects[where], self.cells[where] = arrays.objects, arrays.cells
        self.backgrounds[where], self.colours[where] = arrays.backgrounds, arrays.colours
        self.at = (self.at + count) % self.size

    def told(self, where: NDArray[np.int64]) -> PackedScenes:
        """What is told of some of the pictures."""
        return PackedScenes(
            self.objects[where], self.cells[where], self.backgrounds[where], self.colours[where]
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later."""
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in _ARRAYS}
        return {"at": self.at, **arrays}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self.at = state["at"]
        for name in _ARRAYS:
            getattr(self, name)[:] = state[name].numpy()
