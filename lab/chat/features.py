"""Pictures as the language model sees them, while the visual tower is frozen but for its end."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.chat.data import CELLS, MOST_OBJECTS, ShardReader
from lab.chat.packing import PackedScenes
from lab.chat.vision_stage import to_pixels
from lab.training.precision import training_precision
from segue.models.qwen_vl.visual import VisualTower

_ARRAYS = ("normal", "objects", "cells", "backgrounds", "colours")


@torch.no_grad()
def resample(tower: VisualTower, images: NDArray[np.uint8]) -> Tensor:
    """Return what reaches the tower's last affine layer, normalised: (N, 64, 256) float32."""
    with training_precision():
        cells = tower.attn_pool(tower.encode_patches(to_pixels(images)))
    return F.layer_norm(cells.float(), cells.shape[-1:], eps=1e-6)


def apply_last_layer(tower: VisualTower, normal: Tensor) -> Tensor:
    """Apply the tower's last affine layer to what `resample` returned."""
    return (normal * tower.ln_post.weight + tower.ln_post.bias) @ tower.proj


class FeaturePool:
    """Pictures already seen by the frozen tower, renewed a little at every step."""

    def __init__(self, tower: VisualTower, reader: ShardReader, size: int) -> None:
        self.tower, self.reader, self.size = tower, reader, size
        self.next_index = 0
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
        indices = np.arange(self.next_index, self.next_index + count) % self.size
        self.normal[indices] = resample(self.tower, arrays.images).numpy()
        self.objects[indices], self.cells[indices] = arrays.objects, arrays.cells
        self.backgrounds[indices], self.colours[indices] = arrays.backgrounds, arrays.colours
        self.next_index = (self.next_index + count) % self.size

    def truth(self, indices: NDArray[np.int64]) -> PackedScenes:
        """Return the truth about some of the images."""
        return PackedScenes(
            self.objects[indices],
            self.cells[indices],
            self.backgrounds[indices],
            self.colours[indices],
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the whole pool, and which image is the oldest."""
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in _ARRAYS}
        return {"at": self.next_index, **arrays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.next_index = state["at"]
        for name in _ARRAYS:
            getattr(self, name)[:] = state[name].numpy()
