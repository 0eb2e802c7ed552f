"""Segment Anything: one look at a picture, then masks for any number of boxes and clicks.

Runs `transformers.SamModel`. Reads folders and hub ids in that form, and the original
`sam_vit_{b,l,h}_*.pth`. Weights and method: Kirillov et al. 2023, arXiv:2304.02643, Apache-2.0.

The image encoder takes nearly all of the time and may run in half precision. Prompt encoder and
mask decoder always run in float32: they take a hundredth of it, and half precision there costs
accuracy at the borders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from segue.errors import ModelError
from segue.runtime import device as devices
from segue.runtime.weights import (
    locate,
    pretrained,
    read_json,
    read_options,
    read_tensors,
    require_model_type,
)
from segue.segment.closer_look import CloserView
from segue.segment.original_sam import config_of, is_original_sam, renamed
from segue.segment.sam_view import SamView
from segue.values.box import Size
from segue.values.image import Image

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pixels in [0, 1]


@dataclass(frozen=True, kw_only=True)
class SamOptions:
    """Settings that travel with the weights, in `segue.json` and `preprocessor_config.json`."""

    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD
    clip_to_box: bool = False
    """Nothing outside its box belongs to an object that was asked for by box."""
    zoom: float = 0.0
    """Look at each object again through a window of so many times its box; 0: once, at the whole.
    For small networks, which see too little of a small object. See `closer_look.py`."""

    @classmethod
    def read(cls, place: Path) -> "SamOptions":
        """The settings beside the weights at `place`; those of the published models else."""
        pixels, own = read_json(place, "preprocessor_config.json"), read_options(place)
        return cls(
            mean=tuple(pixels.get("image_mean") or _MEAN),
            std=tuple(pixels.get("image_std") or _STD),
            clip_to_box=bool(own.get("clip_to_box", False)),
            zoom=float(own.get("zoom", 0.0)),
        )


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "Sam":
    """Load a Segment Anything model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form, or an
            original `sam_vit_*.pth` by path or URL.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as `segue.runtime.device.pick` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    place = devices.pick(device, dtype)
    path = locate(source)
    return Sam(read_sam(path), SamOptions.read(path), place, name or str(source))


def read_sam(path: Path) -> Any:
    """The `transformers.SamModel` in a folder or an original checkpoint, float32, on the processor.

    Raises:
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import SamModel

    if path.is_dir():
        require_model_type(path, "sam")
        return pretrained(SamModel, path)
    tensors = read_tensors(path)
    if not is_original_sam(tensors):
        raise ModelError(
            f"{path} must be an original Segment Anything checkpoint (sam_vit_*.pth), but its "
            f"first tensor is {next(iter(tensors))!r}."
        )
    return pretrained(SamModel, config=config_of(tensors), tensors=renamed(tensors))


class Sam:
    """A Segment Anything model, ready to look at pictures."""

    padded = True
    """A picture keeps its shape inside the square that the network sees."""

    def __init__(
        self, model: Any, options: SamOptions, place: devices.Placement, name: str
    ) -> None:
        self.name = name
        self.options = options
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        config = model.config.prompt_encoder_config
        self.side = int(config.image_size)
        """Of the square that the network sees, in pixels."""
        self.logits_side = 4 * (self.side // int(config.patch_size))
        """Of the square low-resolution logits: four for each patch of the encoder."""
        self._prepare()

    def look(self, image: Image) -> SamView:
        """Encode `image` once.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        (view,) = self.look_at([image])
        if self.options.zoom:
            return CloserView(self, view.maps, view.size, view.inner, image)
        return view

    @torch.inference_mode()
    def look_at(self, images: Sequence[Image]) -> list[SamView]:
        """Encode several pictures in one run; each is seen as a whole.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        squares, inners = zip(*(self.pixels(image) for image in images))
        maps = self._encode(torch.cat(squares))
        if not all(bool(torch.isfinite(one).all()) for one in maps):
            raise ModelError(
                f"The image encoder of {self.name!r} gave numbers that are not finite in "
                f"{self.dtype}. Load it with dtype='float32'."
            )
        return [
            SamView(self, tuple(one[row : row + 1] for one in maps), image.size, inner)
            for row, (image, inner) in enumerate(zip(images, inners))
        ]

    def pixels(self, image: Image) -> tuple[Tensor, Size]:
        """The network's input (1, 3, S, S) float32, and the picture's size inside that square.

        The longer side becomes S; the rest, right or below, is filled with the mean colour.
        """
        inner = self._inner(image.size)
        small = image.to_pil().resize(inner[::-1], PIL.Image.Resampling.BILINEAR)
        values = torch.from_numpy(np.array(small)).to(self.device).permute(2, 0, 1).float() / 255
        mean = values.new_tensor(self.options.mean)[:, None, None]
        std = values.new_tensor(self.options.std)[:, None, None]
        square = values.new_zeros(1, 3, self.side, self.side)
        square[0, :, : inner.height, : inner.width] = (values - mean) / std
        return square, inner

    def answer(self, maps: Sequence[Tensor], **asked: Any) -> tuple[Tensor, Tensor]:
        """Logits (1, N, M, s, s) and predicted IoU (1, N, M) for prompts in the network's frame."""
        out = self.model(image_embeddings=self._embedding(maps), **asked)
        return out.pred_masks.float(), out.iou_scores.float()

    def _prepare(self) -> None:
        self.model.vision_encoder.to(self.dtype)

    def _inner(self, size: Size) -> Size:
        scale = self.side / max(size)
        return Size(*(max(1, int(length * scale + 0.5)) for length in size))

    def _encode(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return (self.model.vision_encoder(pixels.to(self.dtype))[0].float(),)

    def _embedding(self, maps: Sequence[Tensor]) -> Any:
        return maps[0]
