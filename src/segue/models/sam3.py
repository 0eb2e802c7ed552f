"""SAM 3: which files hold it, and how its detector and its tracker see a picture.

Both halves of the published model look at the same square. transformers prepares it with
torchvision; here PyTorch does, with the same numbers: torchvision's resizing of a picture on a
processor is PyTorch's of whole numbers. Weights and method: Carion et al. 2025, arXiv:2511.16719;
SAM License.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.errors import ModelError
from segue.runtime.weights import read_json
from segue.values.image import Image

BOTH = "sam3_video"
"""The `model_type` of a folder that holds the detector and the tracker, as facebook/sam3 does."""

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Sam3Pixels:
    """The square that the network sees; read from the processor's settings beside the weights."""

    side: int
    """Of the square, in pixels; a picture is stretched to it."""
    mean: tuple[float, ...] = _HALF
    """Of pixels in [0, 1], for each channel."""
    std: tuple[float, ...] = _HALF

    @classmethod
    def read(cls, place: Path, image_size: Any) -> "Sam3Pixels":
        """Read the settings beside the weights at `place`; those of the published model else.

        Args:
            place: the folder of the weights.
            image_size: the `image_size` of the network's configuration.

        Raises:
            ModelError: the network does not see a square, or the processor makes another one.
        """
        sides = {image_size} if isinstance(image_size, int) else {int(side) for side in image_size}
        settings = read_json(place, "preprocessor_config.json") or read_json(
            place, "processor_config.json"
        ).get("image_processor", {})
        size = settings.get("size") or {}
        stated = {int(size[key]) for key in ("height", "width") if key in size}
        if len(sides) != 1 or not stated <= sides:
            raise ModelError(
                f"SAM 3 must see a square of the size its processor makes, but in {place} the "
                f"network takes {image_size!r} and the processor makes {size!r}. Are the files of "
                "the same model?"
            )
        return cls(
            side=sides.pop(),
            mean=tuple(settings.get("image_mean") or _HALF),
            std=tuple(settings.get("image_std") or _HALF),
        )

    def resized(self, image: Image) -> np.ndarray:
        """Return a picture stretched to the square, (side, side, 3) uint8."""
        pixels = torch.from_numpy(np.array(image.array)).permute(2, 0, 1)[None].contiguous()
        if image.size != (self.side, self.side):
            square = (self.side, self.side)
            pixels = F.interpolate(pixels, square, mode="bilinear", antialias=True)
        return pixels[0].permute(1, 2, 0).numpy()

    def normalized(self, squares: Tensor) -> Tensor:
        """Return the network's input, (N, 3, side, side) float32.

        Args:
            squares: N of what `resized` returns, (N, side, side, 3) uint8, on any device.
        """
        values = squares.permute(0, 3, 1, 2).float()
        mean, std = (values.new_tensor(v)[:, None, None] * 255 for v in (self.mean, self.std))
        return (values - mean) / std
