"""Pixels as Qwen-VL wants them: a square, bicubic, normalised.

The whole picture is squeezed into the square, whatever its shape. A picture is taken as it is
given: EXIF orientation is not looked at (`segue.Image` has applied it before).
"""

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from segue.errors import InputError
from segue.values.image import Image

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""RGB means of the pictures that the visual tower was trained on, in [0, 1]."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""RGB standard deviations, likewise."""

Picture = Image | PIL.Image.Image | np.ndarray[Any, Any] | str | Path
"""What is accepted as one picture: a segue.Image, a PIL image, (H, W, 3) uint8, a local path."""
_KINDS = (Image, PIL.Image.Image, np.ndarray, str, os.PathLike)


class PictureProcessor:
    """Turns pictures into `pixel_values`."""

    def __init__(self, size: int) -> None:
        """Prepare for squares of `size` pixels."""
        self.size = size
        self._mean = np.array(MEAN, np.float32)
        self._std = np.array(STD, np.float32)

    def __call__(self, images: Picture | Iterable[Picture]) -> Tensor:
        """Resize and normalise.

        Args:
            images: one picture or several.

        Returns:
            (N, 3, S, S) float32.

        Raises:
            InputError: something is no picture, or a file cannot be read.
        """
        several = [images] if isinstance(images, _KINDS) else images
        squares = [self._square(image) for image in several]
        if not squares:
            return torch.empty(0, 3, self.size, self.size)
        return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()

    def _square(self, image: Picture) -> np.ndarray[Any, Any]:
        """One picture as (S, S, 3) float32."""
        square = to_pil(image).resize((self.size, self.size), PIL.Image.Resampling.BICUBIC)
        scaled = np.asarray(square, np.float32) / np.float32(255)
        return (scaled - self._mean) / self._std


def to_pil(image: Picture) -> PIL.Image.Image:
    """Return a picture as PIL, RGB; transparency is dropped, as in the original.

    Raises:
        InputError: it is no picture, or the file cannot be read.
    """
    if isinstance(image, Image):
        return PIL.Image.fromarray(image.array)
    if isinstance(image, PIL.Image.Image):
        return image.convert("RGB")
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"An array must be (H, W, 3) uint8, got {image.shape} {image.dtype}. "
                "Open it with segue.Image.open, which converts."
            )
        return PIL.Image.fromarray(image)
    if isinstance(image, str | os.PathLike):
        try:
            with PIL.Image.open(image) as picture_file:
                return picture_file.convert("RGB")
        except (OSError, ValueError) as error:
            raise InputError(f"{image} cannot be read as a picture ({error}).") from error
    raise InputError(
        f"A picture must be a segue.Image, a PIL image, an array or a path, got {type(image)}."
    )


def digest(image: Picture) -> str:
    """Return a name for the content of a picture: equal pixels, equal name."""
    if isinstance(image, Image):
        return image.digest
    pixels = np.asarray(to_pil(image))
    return blake2b(str(pixels.shape).encode() + pixels.tobytes(), digest_size=20).hexdigest()
