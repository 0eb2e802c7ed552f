"""Reads the published `sam_vit_{b,l,h}_*.pth`: names and sizes of the original program.

Knows how a tensor is called there and here, and which configuration follows from the shapes.
Does not know pictures. Names after facebookresearch/segment-anything, Apache-2.0.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segue.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import SamConfig

    Tensors = Mapping[str, torch.Tensor]

_FREQUENCIES = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_NOT_WEIGHTS = ("pixel_mean", "pixel_std")  # saved by some re-exports, constants here

# Applied in this order, each to what the last one left; plain text unless it holds a group.
_RENAMES = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"^vision_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"^vision_encoder\.blocks\.", "vision_encoder.layers."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.transformer\.layers\.(\d+)\.norm(\d)\.", r".transformer.layers.\1.layer_norm\2."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
)
_HEAD = re.compile(r"^(.*(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.(\d+)\.")


def is_original_sam(names: object) -> bool:
    """Return whether these tensor names are those of an original Segment Anything checkpoint."""
    return isinstance(names, Mapping) and _FREQUENCIES in names


def rename_tensors(tensors: "Tensors") -> "dict[str, torch.Tensor]":
    """Return the same tensors under the names `transformers.SamModel` gives them."""
    last_of_head: dict[str, int] = {}
    for name in tensors:
        if match := _HEAD.match(name):
            head, layer = match[1], int(match[2])
            last_of_head[head] = max(layer, last_of_head.get(head, 0))
    result = {}
    for name, tensor in tensors.items():
        if name == _FREQUENCIES:  # one tensor there, two tied copies here
            result["shared_image_embedding.positional_embedding"] = tensor
            result["prompt_encoder.shared_embedding.positional_embedding"] = tensor
        elif name not in _NOT_WEIGHTS:
            result[_rename(name, last_of_head)] = tensor
    return result


def _rename(name: str, last_of_head: Mapping[str, int]) -> str:
    if match := _HEAD.match(name):
        head, layer = match[1], int(match[2])
        inner = f"layers.{layer - 1}" if layer < last_of_head[head] else "proj_out"
        return f"{head}.{'proj_in' if layer == 0 else inner}.{name[match.end() :]}"
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def config_of(tensors: "Tensors") -> "SamConfig":
    """Return the configuration that these tensors, under their original names, were built with.

    Everything follows from the shapes but the number of attention heads of the mask decoder,
    which is 8 in every published file.

    Raises:
        ModelError: a tensor that an original Segment Anything file has is missing.
    """
    from transformers import SamConfig
    from transformers.models.sam.configuration_sam import (
        SamMaskDecoderConfig,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )

    try:
        vision = _vision(tensors)
        width = tensors["mask_decoder.iou_token.weight"].shape[1]
        depth = _count(tensors, r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\.")
        decoder = SamMaskDecoderConfig(
            hidden_size=width,
            mlp_dim=tensors["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
            num_hidden_layers=_count(tensors, r"mask_decoder\.transformer\.layers\.(\d+)\."),
            num_multimask_outputs=tensors["mask_decoder.mask_tokens.weight"].shape[0] - 1,
            iou_head_depth=depth,
            iou_head_hidden_dim=tensors["mask_decoder.iou_prediction_head.layers.0.weight"].shape[
                0
            ],
            attention_downsample_rate=width
            // tensors["mask_decoder.transformer.final_attn_token_to_image.q_proj.weight"].shape[0],
            layer_norm_eps=1e-5,  # torch's default, which the original leaves in this part only
        )
        prompts = SamPromptEncoderConfig(
            hidden_size=width,
            image_size=vision["image_size"],
            patch_size=vision["patch_size"],
            mask_input_channels=tensors["prompt_encoder.mask_downscaling.3.weight"].shape[0],
            num_point_embeddings=_count(tensors, r"prompt_encoder\.point_embeddings\.(\d+)\."),
        )
    except KeyError as error:
        raise ModelError(
            f"An original Segment Anything file must have the tensor {error}, this one has not. "
            "Download it again; fine-tuned files must keep the original names."
        ) from error
    return SamConfig(
        vision_config=SamVisionConfig(**vision, output_channels=width, num_pos_feats=width // 2),
        prompt_encoder_config=prompts,
        mask_decoder_config=decoder,
    )


def _vision(tensors: "Tensors") -> dict[str, Any]:
    """Sizes of the image encoder, from the shapes of its tensors."""
    _, side, _, width = tensors["image_encoder.pos_embed"].shape
    patch = tensors["image_encoder.patch_embed.proj.weight"].shape[-1]
    layers = _count(tensors, r"image_encoder\.blocks\.(\d+)\.")
    reach = [
        tensors[f"image_encoder.blocks.{i}.attn.rel_pos_h"].shape for i in range(layers)
    ]  # (2 * window - 1, width of a head); a global block's window is the whole side
    everywhere = [i for i, (rows, _) in enumerate(reach) if rows == 2 * side - 1]
    windows = {(rows + 1) // 2 for rows, _ in reach if rows != 2 * side - 1}
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // reach[0][1],
        "image_size": side * patch,
        "patch_size": patch,
        "window_size": windows.pop() if windows else 0,
        "global_attn_indexes": everywhere,
        "mlp_dim": tensors["image_encoder.blocks.0.mlp.lin1.weight"].shape[0],
    }


def _count(tensors: "Tensors", pattern: str) -> int:
    return 1 + max((int(m[1]) for name in tensors if (m := re.match(pattern, name))), default=-1)
