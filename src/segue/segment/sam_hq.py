"""SAM-HQ: Segment Anything with a further mask token, made for thin parts and sharp borders.

Runs `transformers.SamHQModel` on its folders and hub ids. Weights and method: Ke et al. 2023,
arXiv:2306.01567, Apache-2.0. A picture is prepared, and masks are made, as for Segment Anything.

Each mask is the sum of what Segment Anything's own token and the high-quality token give, as in the
original program; with `hq_token_only` it is the latter alone. Of the three masks for a single click
the network rates the first part of the sum only: the best one is taken, as there.

Limits: the original `sam_hq_vit_*.pth` are not read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segue.errors import InputError
from segue.runtime import device as devices
from segue.runtime.weights import load_pretrained, locate, read_options, require_model_type
from segue.segment.sam import Sam
from segue.segment.sam_network import SamOptions

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
    engine: str = "torch",
    hq_token_only: bool | str | None = None,
) -> "SamHq":
    """Load a SAM-HQ model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.
        engine: what runs the image encoder: one of `segue.runtime.engines.ENGINES`.
        hq_token_only: whether masks are those of the high-quality token alone, which suits single
            objects; "true" and "false" will do. None: what `segue.json` beside the weights says,
            else False.

    Raises:
        InputError: `source` is nothing that can name weights, or `hq_token_only` is not true or
            false.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import SamHQModel

    path = locate(source)
    require_model_type(path, "sam_hq")
    if hq_token_only is None:
        hq_token_only = read_options(path).get("hq_token_only", False)
    is_hq_only = _read_truth(hq_token_only)
    model = load_pretrained(SamHQModel, path)
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return SamHq(model, SamOptions.read(path), place, name or str(source), engine, is_hq_only)


def _read_truth(value: object) -> bool:
    if (text := str(value).lower()) not in _TRUTH:
        raise InputError(f"hq_token_only must be true or false, got {value!r}.")
    return _TRUTH[text]


class HqEncoder(torch.nn.Module):
    """The image encoder, with the early map that the high-quality token looks at."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Encode pixels (N, 3, S, S) to (N, C, g, g) and the early map (N, g, g, D).

        The early map is what the first layer without windows makes.
        """
        out = self.encoder(pixels)
        return out.last_hidden_state, out.intermediate_embeddings[0]


class SamHq(Sam):
    """A SAM-HQ model, ready to look at pictures."""

    def __init__(
        self,
        model: Any,
        options: SamOptions,
        place: devices.Placement,
        name: str,
        engine: str = "torch",
        hq_token_only: bool = False,
    ) -> None:
        self.hq_token_only = hq_token_only
        super().__init__(model, options, place, name, engine)

    def answer(self, maps: Sequence[Tensor], **prompts: Any) -> tuple[Tensor, Tensor]:
        """See `SamNetwork.answer`; the best mask of several comes first.

        The high-quality token gives one mask, so with `hq_token_only` M is always 1.
        """
        logits, iou = super().answer(
            maps,
            intermediate_embeddings=[maps[1]],
            hq_token_only=self.hq_token_only,
            **prompts,
        )
        return logits, iou[:, :, : logits.shape[2]]

    def _encoder(self) -> torch.nn.Module:
        return HqEncoder(self.model.vision_encoder)
