"""The Swin backbone of OmDet-Turbo, from timm's names to those of transformers.

The published files hold timm's network, which needs torchvision. transformers has the same one but
for the order of two steps: timm shifts a map and then fills it up to whole windows. Method: Liu et
al. 2021, arXiv:2103.14030.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from segue.errors import ModelError

_SIZES = {
    "swin_tiny_patch4_window7_224": {
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
        "window_size": 7,
    }
}
"""Architecture of timm -> settings of `transformers.SwinConfig`."""
_ABOUT_THE_BACKBONE = (
    "backbone",
    "backbone_config",
    "backbone_kwargs",
    "use_pretrained_backbone",
    "use_timm_backbone",
)
_HERE, _TIMM = "vision_backbone.vision_backbone.", "vision_backbone.vision_backbone._backbone."
_TEXT = "language_backbone.model."
_RENAMED = (
    (r"^patch_embed\.proj\.", "swin.embeddings.patch_embeddings.projection."),
    (r"^patch_embed\.norm\.", "swin.embeddings.norm."),
    (r"^layers_(\d+)\.", r"swin.encoder.layers.\1."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.attn\.(?=relative)", ".attention.relative_position_bias."),
)
_COMPUTED = ("relative_position_index", "attn_mask", "position_ids")
"""Ends of names of tensors that follow from the sizes."""


def is_of_timm(settings: Mapping[str, Any]) -> bool:
    """Return whether a `config.json` asks for a backbone of timm, as the published one does."""
    backbone = settings.get("backbone_config")
    if backbone is None:
        return bool(settings.get("use_timm_backbone", True))
    return isinstance(backbone, dict) and backbone.get("model_type") == "timm_backbone"


def settings_without_timm(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `config.json` with transformers' backbone in the place of timm's.

    Raises:
        ModelError: it is of another architecture than those here.
    """
    stated = settings.get("backbone_config") or {}
    name = stated.get("backbone") or settings.get("backbone") or next(iter(_SIZES))
    if name not in _SIZES:
        raise ModelError(
            f"The image backbone must be {' or '.join(_SIZES)}, or one of transformers' own, got "
            f"{name!r}, which only timm has. segue runs without timm."
        )
    swin = {
        "model_type": "swin",
        "image_size": settings.get("image_size", 640),
        "out_indices": [2, 3, 4],
        **_SIZES[name],
    }
    others = {key: value for key, value in settings.items() if key not in _ABOUT_THE_BACKBONE}
    return others | {"backbone_config": swin, "apply_layernorm_after_vision_backbone": False}


def tensors_without_timm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the whole detector under the names of transformers' own backbone."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(_COMPUTED):
            continue
        if not name.startswith(_TIMM):
            renamed[name.replace(f"{_TEXT}text_model.", _TEXT)] = tensor
            continue
        new_name = _HERE + _new_name(name.removeprefix(_TIMM))
        if ".attn.qkv." in new_name:
            for letter, part in zip("qkv", tensor.chunk(3)):
                renamed[new_name.replace(".attn.qkv.", f".attention.{letter}_proj.")] = part
        else:
            renamed[new_name] = tensor
    norm = "vision_backbone.layer_norms"
    for place in range(3):  # transformers' backbone has the norms inside
        for end in ("weight", "bias"):
            if f"{norm}.{place}.{end}" in tensors:
                stage = f"{_HERE}hidden_states_norms.stage{place + 2}.{end}"
                renamed[stage] = tensors[f"{norm}.{place}.{end}"]
    if f"{norm}.2.bias" in tensors:  # the norm of a head that is not there
        width = len(tensors[f"{norm}.2.bias"])
        renamed[f"{_HERE}swin.layernorm.weight"] = torch.ones(width)
        renamed[f"{_HERE}swin.layernorm.bias"] = torch.zeros(width)
    return renamed


def shift_as_timm(backbone: Any) -> None:
    """Let a `SwinBackbone` shift maps before it fills them up to whole windows, in place.

    Maps must be of one size in all runs, as those of a detector with a fixed input are.
    """
    for stage in backbone.swin.encoder.layers:
        for layer in stage.blocks:
            layer.maybe_pad = partial(_shift_and_fill, layer)
            layer.cyclic_shift = partial(_cut_and_shift_back, layer)


def _shift_and_fill(
    layer: Any, maps: Tensor, height: int, width: int
) -> tuple[Tensor, tuple[int, ...]]:
    """Return maps (N, h, w, C) shifted, and filled up right and below; and how much was filled."""
    layer.size_within = height, width
    maps = torch.roll(maps, (-layer.shift_size, -layer.shift_size), dims=(1, 2))
    filling = (0, 0, 0, -width % layer.window_size, 0, -height % layer.window_size)
    return F.pad(maps, filling), filling


def _cut_and_shift_back(layer: Any, maps: Tensor, reverse: bool = False) -> Tensor:
    """Undo `_shift_and_fill` where `reverse` is set; nothing is left to do before."""
    if not reverse:
        return maps
    height, width = layer.size_within
    return torch.roll(
        maps[:, :height, :width], (layer.shift_size, layer.shift_size), dims=(1, 2)
    ).contiguous()


def _new_name(name: str) -> str:
    """Return the name of a tensor of timm's Swin in that of transformers."""
    if found := re.match(r"layers_(\d+)\.downsample\.(.*)", name):
        # timm halves the map before a stage, transformers after the one before.
        return f"swin.encoder.layers.{int(found[1]) - 1}.downsample.{found[2]}"
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name
