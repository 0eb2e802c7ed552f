"""How a detector wants its pictures: which size, which mean and spread of the pixel values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.errors import ModelError
from segue.runtime.weights import read_json
from segue.values.box import Size
from segue.values.image import Image


@dataclass(frozen=True, kw_only=True)
class DetectorResizing:
    """Read from the `preprocessor_config.json` beside the weights."""

    short: int = 800
    """The shorter side becomes this long, in pixels …"""
    long: int = 1333
    """… unless the longer one would become longer than this."""
    fixed: Size | None = None
    """Every picture is stretched to this size instead."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Of pixels in [0, 1]."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @classmethod
    def read(cls, place: Path) -> "DetectorResizing":
        """Read the settings beside the weights at `place`; those of Grounding DINO where none are.

        Raises:
            ModelError: the sizes there are in a form that is not known.
        """
        settings = read_json(place, "preprocessor_config.json")
        options: dict[str, Any] = {
            field: tuple(settings[key])
            for field, key in (("mean", "image_mean"), ("std", "image_std"))
            if settings.get(key)
        }
        size = settings.get("size") or {}
        if "height" in size and "width" in size:
            options["fixed"] = Size(int(size["height"]), int(size["width"]))
        elif "shortest_edge" in size:
            options["short"] = int(size["shortest_edge"])
            options["long"] = int(size.get("longest_edge") or 1333)
        elif size:
            raise ModelError(
                f"The 'size' in {place / 'preprocessor_config.json'} must have height and width, "
                f"or shortest_edge and longest_edge, got {size}."
            )
        return cls(**options)

    def size_for(self, size: Size) -> Size:
        """Return the size that a picture of `size` is resized to.

        Rounded as in transformers; the original program differs by one pixel on some pictures
        that are limited by their longer side.
        """
        if self.fixed is not None:
            return self.fixed
        shorter, longer = min(size), max(size)
        short: float = self.short
        if longer / shorter * short > self.long:
            short = self.long * shorter / longer
        side = round(short)
        longer_side = longer if side == shorter else max(1, int(short * longer / shorter))
        side = max(1, side)
        return Size(side, longer_side) if size.height <= size.width else Size(longer_side, side)

    def pixels(self, image: Image) -> np.ndarray:
        """Return the network's input, (3, h, w) float32."""
        small = image.resized(self.size_for(image.size), PIL.Image.Resampling.BILINEAR)
        return self.normalized(small.astype(np.float32).transpose(2, 0, 1) / 255)

    def normalized(self, values: np.ndarray) -> np.ndarray:
        """Return pixels (3, h, w) float32 in [0, 1] with their mean and spread taken off."""
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return (values - mean) / std
