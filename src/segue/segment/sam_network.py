"""The Segment Anything network: its settings, its weights, and what goes in and out.

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
from segue.runtime.engines import (
    check_engine,
    compile_encoder,
    convert_encoder,
    encoder_in_torch,
)
from segue.runtime.prepared_inputs import PreparedInputs
from segue.runtime.weights import (
    load_pretrained,
    read_json,
    read_options,
    read_tensors,
    require_model_type,
)
from segue.segment.original_sam import config_of, is_original_sam, rename_tensors
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
    """Refine each object in a crop of so many times its box; 0: not. For small networks, which see
    too little of a small object. See `crop_refinement.py`."""

    @classmethod
    def read(cls, place: Path) -> "SamOptions":
        """Read the settings beside the weights at `place`; those of the published models else."""
        pixels, own = read_json(place, "preprocessor_config.json"), read_options(place)
        return cls(
            mean=tuple(pixels.get("image_mean") or _MEAN),
            std=tuple(pixels.get("image_std") or _STD),
            clip_to_box=bool(own.get("clip_to_box", False)),
            zoom=float(own.get("zoom", 0.0)),
        )


def read_sam(path: Path) -> Any:
    """Read a `transformers.SamModel` from a folder or an original checkpoint, float32, on the CPU.

    Raises:
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import SamModel

    if path.is_dir():
        require_model_type(path, "sam")
        return load_pretrained(SamModel, path)
    tensors = read_tensors(path)
    if not is_original_sam(tensors):
        raise ModelError(
            f"{path} must be an original Segment Anything checkpoint (sam_vit_*.pth), but its "
            f"first tensor is {next(iter(tensors))!r}."
        )
    return load_pretrained(SamModel, config=config_of(tensors), tensors=rename_tensors(tensors))


class FirstOutput(torch.nn.Module):
    """An encoder of transformers of whose outputs the first one counts."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Encode pixels (N, 3, S, S)."""
        return (self.encoder(pixels)[0],)


class SamNetwork:
    """The network: pictures to embeddings, embeddings and prompts to logits."""

    padded = True
    """A picture keeps its shape inside the square that the network sees."""

    def __init__(
        self,
        model: Any,
        options: SamOptions,
        place: devices.Placement,
        name: str,
        engine: str = "torch",
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
        self._inputs = PreparedInputs(self._resized)
        check_engine(engine, place)
        example = torch.zeros(1, 3, self.side, self.side, device=self.device)
        if engine == "openvino":
            self._encode = convert_encoder(self._encoder(), example, place, name)
            return
        self._prepare()
        if engine == "compile":
            self._encode = compile_encoder(self._encoder(), example, place, name)
        else:
            self._encode = encoder_in_torch(self._encoder(), place)

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> list[tuple[tuple[Tensor, ...], Size]]:
        """Encode several pictures in one run.

        Returns:
            For each picture its embeddings, (1, C, g, g) float32 each, and its size inside the
            network's square input.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        squares, inner_sizes = zip(*(self.pixels(image) for image in images))
        maps = self._encode(torch.cat(squares))
        if not all(bool(torch.isfinite(level).all()) for level in maps):
            raise ModelError(
                f"The image encoder of {self.name!r} gave numbers that are not finite in "
                f"{self.dtype}. Load it with dtype='float32'."
            )
        return [
            (tuple(level[row : row + 1] for level in maps), inner)
            for row, inner in enumerate(inner_sizes)
        ]

    def pixels(self, image: Image) -> tuple[Tensor, Size]:
        """Return the network's input (1, 3, S, S) float32, and the picture's size inside it.

        The longer side becomes S; the rest, right or below, is filled with the mean colour.
        """
        inner = self._inner(image.size)
        small = self._inputs.get(image)
        values = torch.from_numpy(small).to(self.device).permute(2, 0, 1).float() / 255
        mean = values.new_tensor(self.options.mean)[:, None, None]
        std = values.new_tensor(self.options.std)[:, None, None]
        square = values.new_zeros(1, 3, self.side, self.side)
        square[0, :, : inner.height, : inner.width] = (values - mean) / std
        return square, inner

    def prepare(self, image: Image) -> None:
        """Resize a picture ahead, in any thread. See `segue.segment.BatchSegmenter.prepare`."""
        self._inputs.prepare(image)

    def _resized(self, image: Image) -> np.ndarray:
        """Return the picture (h, w, 3) uint8 at its size inside the network's square."""
        return image.resized(self._inner(image.size), PIL.Image.Resampling.BILINEAR)

    def answer(self, maps: Sequence[Tensor], **prompts: Any) -> tuple[Tensor, Tensor]:
        """Return logits (1, N, M, s, s) and predicted IoU (1, N, M); prompts in S x S pixels."""
        out = self.model(image_embeddings=self._embedding(maps), **prompts)
        return out.pred_masks.float(), out.iou_scores.float()

    def _prepare(self) -> None:
        """Convert the encoder's weights on an accelerator, which saves memory there."""
        if self.device.type != "cpu":
            self.model.vision_encoder.to(self.dtype)

    def _inner(self, size: Size) -> Size:
        scale = self.side / max(size)
        return Size(*(max(1, int(length * scale + 0.5)) for length in size))

    def _encoder(self) -> torch.nn.Module:
        """Return the image encoder: pixels to the maps that are kept of a picture."""
        return FirstOutput(self.model.vision_encoder)

    def _embedding(self, maps: Sequence[Tensor]) -> Any:
        return maps[0]
