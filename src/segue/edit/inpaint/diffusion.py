"""Fill a hole with a diffusion model, through the diffusers package.

Any inpainting checkpoint that `AutoPipelineForInpainting` reads: Stable Diffusion 1.5 or 2, XL,
Flux fill, … The hole and as much bounding_slices it again are cut out, brought to the size that the
model was trained for, filled, and put back; outside the hole nothing changes.
"""

from math import sqrt
from typing import Any

import diffusers
import numpy as np
import PIL.Image
import torch

from segue.edit.inpaint.telea import bounding_slices
from segue.errors import ModelError
from segue.runtime.device import pick

DEFAULT = "stable-diffusion-v1-5/stable-diffusion-inpainting"
PROMPT = "background, empty, natural, same style"
"""What is asked for when nobody says: models with text guidance need some words."""


class Diffusion:
    """A diffusers inpainting pipeline as an inpainter."""

    def __init__(self, pipeline: Any, name: str, *, steps: int = 30, side: int = 512) -> None:
        """Wrap a pipeline.

        Args:
            pipeline: a loaded diffusers inpainting pipeline.
            name: what to call it.
            steps: denoising steps.
            side: the model's training size; the part is brought to about side x side pixels.
        """
        self.name = name
        self._pipeline, self._steps, self._side = pipeline, steps, side

    def fill(
        self, array: np.ndarray, hole: np.ndarray, *, prompt: str = "", seed: int | None = None
    ) -> np.ndarray:
        """See `Inpainter.fill`.

        Raises:
            ModelError: the model ran out of memory.
        """
        filled = array.copy()
        if not hole.any():
            return filled
        rows, columns = bounding_slices(hole, 0)
        extent = max(rows.stop - rows.start, columns.stop - columns.start)
        window = bounding_slices(hole, margin=max(32, extent // 2))
        part, gap = PIL.Image.fromarray(array[window]), PIL.Image.fromarray(hole[window])
        size_wh = self._working_size(part.width, part.height)
        generator = None if seed is None else torch.Generator("cpu").manual_seed(seed)
        try:
            generated = self._pipeline(
                prompt=prompt or PROMPT,
                image=part.resize(size_wh, PIL.Image.Resampling.LANCZOS),
                mask_image=gap.convert("L").resize(size_wh, PIL.Image.Resampling.BILINEAR),
                width=size_wh[0],
                height=size_wh[1],
                num_inference_steps=self._steps,
                generator=generator,
            ).images[0]
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self.name} ran out of memory on {size_wh[0]} x {size_wh[1]} pixels. Use a "
                "smaller side, device='cpu', or the inpainter 'telea'."
            ) from error
        back = np.asarray(generated.convert("RGB").resize(part.size, PIL.Image.Resampling.LANCZOS))
        filled[window][hole[window]] = back[hole[window]]
        return filled

    def _working_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of about side² pixels, of the same shape, divisible by eight."""
        scale = self._side / sqrt(width * height)
        return max(8, round(width * scale / 8) * 8), max(8, round(height * scale / 8) * 8)


def load(source: str = DEFAULT, *, device: str = "auto", **options: Any) -> Diffusion:
    """Load an inpainting pipeline.

    Args:
        source: a hub id or a folder in the diffusers layout.
        device: "auto", "cuda", "mps" or "cpu".
        options: `steps` and `side` of `Diffusion`.

    Raises:
        ModelError: it is not there or cannot be read.
    """
    place = pick(device)
    try:
        pipeline = diffusers.AutoPipelineForInpainting.from_pretrained(
            source, torch_dtype=place.dtype, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"Cannot load the inpainting model {source!r}: {error}. Give a hub id or a folder in "
            "the diffusers layout; without a network it must have been downloaded before."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return Diffusion(pipeline.to(place.device), source, **options)
