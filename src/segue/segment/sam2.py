"""Segment Anything 2 and 2.1 on single pictures: several times cheaper to encode than SAM.

Runs `transformers.Sam2Model` on its folders and hub ids. Weights and method: Ravi et al. 2024,
arXiv:2408.00714, Apache-2.0. The picture is stretched to a square; transformers' own
preprocessing for it needs torchvision, so the six lines are here.

Limits: pictures only; the memory for videos in the published files is left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segue.runtime import device as devices
from segue.runtime.weights import load_pretrained, locate, require_model_type
from segue.segment.sam import Sam
from segue.segment.sam_network import SamOptions
from segue.values.box import Size

_KINDS = ("sam2", "sam2_video")


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
    engine: str = "torch",
) -> "Sam2":
    """Load a Segment Anything 2 model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.
        engine: what runs the image encoder: one of `segue.runtime.engines.ENGINES`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import Sam2Model

    path = locate(source)
    require_model_type(path, *_KINDS)
    model = load_pretrained(Sam2Model, path)
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return Sam2(model, SamOptions.read(path), place, name or str(source), engine)


class ImageEmbeddings(torch.nn.Module):
    """The part of a model that makes embeddings of a picture."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Embed pixels (N, 3, S, S): a map for each level, coarse to fine as the model has them."""
        return tuple(self.model.get_image_embeddings(pixels))


class Sam2(Sam):
    """A Segment Anything 2 model, ready to look at pictures."""

    padded = False

    def _prepare(self) -> None:
        """Nothing: weights stay in float32, autocast does the rest."""

    def _inner(self, size: Size) -> Size:
        return Size(self.side, self.side)

    def _encoder(self) -> torch.nn.Module:
        return ImageEmbeddings(self.model)

    def _embedding(self, maps: Sequence[Tensor]) -> Any:
        return list(maps)
