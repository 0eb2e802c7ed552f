"""Reads the published `groundingdino_swint_ogc.pth` and `swinb_cogcoor.pth` as they are.

Knows how a tensor is called there and here, and which configuration follows from the shapes.
Does not know pictures or words. Names after IDEA-Research/GroundingDINO, Apache-2.0.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from segue.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import GroundingDinoConfig

    Tensors = Mapping[str, torch.Tensor]

_MARK = "transformer.tgt_embed.weight"
_SWIN = "model.backbone.conv_encoder.model."
_DROPPED = re.compile(
    r"bert\.pooler\.|bert\.embeddings\.position_ids$|label_enc\.weight$|.*relative_position_index$"
)  # in the published files, but no weights of the network that runs

# First match wins; what follows the match is kept. {n} stands for a number.
_PREFIXES = tuple(
    (re.compile("^" + old.replace(".", r"\.").replace("{n}", r"(\d+)")), new)
    for old, new in (
        ("bert.", "model.text_backbone."),
        ("feat_map.", "model.text_projection."),
        ("input_proj.", "model.input_proj_vision."),
        ("backbone.0.patch_embed.proj.", _SWIN + "swin.embeddings.patch_embeddings.projection."),
        ("backbone.0.patch_embed.norm.", _SWIN + "swin.embeddings.norm."),
        ("backbone.0.layers.{n}.", _SWIN + r"swin.encoder.layers.\1."),
        ("transformer.level_embed", "model.level_embed"),
        ("transformer.tgt_embed.", "model.query_position_embeddings."),
        ("transformer.enc_output.", "model.enc_output."),
        ("transformer.enc_output_norm.", "model.enc_output_norm."),
        ("transformer.enc_out_bbox_embed.", "model.encoder_output_bbox_embed."),
        ("transformer.encoder.layers.{n}.", r"model.encoder.layers.\1.deformable_layer."),
        ("transformer.encoder.text_layers.{n}.", r"model.encoder.layers.\1.text_enhancer_layer."),
        ("transformer.encoder.fusion_layers.{n}.", r"model.encoder.layers.\1.fusion_layer."),
        ("transformer.decoder.layers.{n}.", r"model.decoder.layers.\1."),
        ("transformer.decoder.norm.", "model.decoder.layer_norm."),
        ("transformer.decoder.ref_point_head.", "model.decoder.reference_points_head."),
        ("transformer.decoder.bbox_embed.", "model.decoder.bbox_embed."),
        ("bbox_embed.", "bbox_embed."),
    )
)
_INSIDE: Mapping[str, Mapping[str, str]] = {  # the part of the network -> renames within it
    "deformable_layer": {
        "norm1.": "self_attn_layer_norm.",
        "linear1.": "fc1.",
        "linear2.": "fc2.",
        "norm2.": "final_layer_norm.",
    },
    "text_enhancer_layer": {
        "norm1.": "layer_norm_before.",
        "norm2.": "layer_norm_after.",
        "linear1.": "fc1.",
        "linear2.": "fc2.",
    },
    "fusion_layer": {
        "gamma_v": "vision_param",
        "gamma_l": "text_param",
        "layer_norm_v.": "layer_norm_vision.",
        "layer_norm_l.": "layer_norm_text.",
        "attn.v_proj.": "attn.vision_proj.",
        "attn.l_proj.": "attn.text_proj.",
        "attn.values_v_proj.": "attn.values_vision_proj.",
        "attn.values_l_proj.": "attn.values_text_proj.",
        "attn.out_v_proj.": "attn.out_vision_proj.",
        "attn.out_l_proj.": "attn.out_text_proj.",
    },
    "model.decoder.layers": {
        "norm1.": "encoder_attn_layer_norm.",  # there the first norm follows the cross-attention
        "norm2.": "self_attn_layer_norm.",
        "norm3.": "final_layer_norm.",
        "catext_norm.": "encoder_attn_text_layer_norm.",
        "ca_text.": "encoder_attn_text.",
        "cross_attn.": "encoder_attn.",
        "linear1.": "fc1.",
        "linear2.": "fc2.",
    },
    "swin.encoder.layers": {
        "norm1.": "layernorm_before.",
        "norm2.": "layernorm_after.",
        "attn.proj.": "attention.o_proj.",
        "attn.relative_position_bias_table": (
            "attention.relative_position_bias.relative_position_bias_table"
        ),
    },
}


def is_original_grounding_dino(names: object) -> bool:
    """Return whether these tensor names are those of an original Grounding DINO checkpoint."""
    return isinstance(names, Mapping) and _MARK in names and "feat_map.weight" in names


def rename_tensors(tensors: "Tensors") -> "dict[str, torch.Tensor]":
    """Return the same tensors under the names of `transformers.GroundingDinoForObjectDetection`.

    Raises:
        ModelError: a tensor has a name that no published file has.
    """
    return {
        new: part
        for name, tensor in tensors.items()
        if not _DROPPED.match(name)
        for new, part in _pieces(name, tensor)
    }


def _pieces(name: str, tensor: "torch.Tensor") -> "Iterator[tuple[str, torch.Tensor]]":
    """Yield new name and tensor; three of each where one fused projection becomes three."""
    if match := re.match(r"backbone\.0\.norm(\d)\.(\w+)$", name):
        yield f"{_SWIN}hidden_states_norms.stage{int(match[1]) + 1}.{match[2]}", tensor
        return
    new = _rename(name)
    if match := re.match(r"(.*)\.in_proj_(weight|bias)$", new):
        head, ending, parts = match[1], match[2], ("query", "key", "value")
    elif match := re.match(r"(.*)\.attn\.qkv\.(weight|bias)$", new):
        head, ending = f"{match[1]}.attention", match[2]
        parts = ("q_proj", "k_proj", "v_proj")
    else:
        yield new, tensor
        return
    for part, rows in zip(parts, tensor.chunk(3)):
        yield f"{head}.{part}.{ending}", rows


def _rename(name: str) -> str:
    for pattern, prefix in _PREFIXES:
        if match := pattern.match(name):
            start, ending = match.expand(prefix), name[match.end() :]
            break
    else:
        raise ModelError(
            f"An original Grounding DINO file must have only the published tensors, got {name!r}."
        )
    for part, renames in _INSIDE.items():
        if part in start:
            for old, new in renames.items():
                block = re.match(r"(blocks\.\d+\.)?", ending)
                at = block.end() if block else 0
                if ending.startswith(old, at):
                    return start + ending[:at] + new + ending[at + len(old) :]
    return start + ending


def config_of(tensors: "Tensors", heads: Mapping[str, int] | None = None) -> "GroundingDinoConfig":
    """Return the configuration that these tensors, under their original names, were built with.

    Args:
        tensors: a whole checkpoint.
        heads: numbers that no shape tells, where they are not the published ones: "text" attention
            heads of BERT (published: one for 64 channels), "points" sampled by a head of
            deformable attention (4), "image_size" the backbone was first trained at.

    Raises:
        ModelError: a tensor that an original Grounding DINO file has is missing.
    """
    from transformers import GroundingDinoConfig

    hints = heads or {}
    try:
        width = tensors["feat_map.weight"].shape[0]
        layers, decoder_layers = _count(tensors, "encoder"), _count(tensors, "decoder")
        levels = tensors["transformer.level_embed"].shape[0]
        points = hints.get("points", 4)
        attention = tensors["transformer.encoder.layers.0.self_attn.attention_weights.weight"]
        attention_heads = attention.shape[0] // (levels * points)
        return GroundingDinoConfig(
            backbone_config=_swin(tensors, hints),
            text_config=_bert(tensors, hints),
            num_queries=tensors[_MARK].shape[0],
            d_model=width,
            encoder_layers=layers,
            decoder_layers=decoder_layers,
            encoder_attention_heads=attention_heads,
            decoder_attention_heads=attention_heads,
            encoder_ffn_dim=tensors["transformer.encoder.layers.0.linear1.weight"].shape[0],
            decoder_ffn_dim=tensors["transformer.decoder.layers.0.linear1.weight"].shape[0],
            num_feature_levels=levels,
            encoder_n_points=points,
            decoder_n_points=points,
            decoder_bbox_embed_share=_shares_box_head(tensors, decoder_layers),
            dropout=0.0,
            disable_custom_kernels=True,
        )
    except KeyError as error:
        raise ModelError(
            f"An original Grounding DINO file must have the tensor {error}, this one has not. "
            "Download it again; fine-tuned files must keep the original names."
        ) from error


def _count(tensors: "Tensors", part: str) -> int:
    pattern = re.compile(rf"transformer\.{part}\.layers\.(\d+)\.")
    return 1 + max((int(m[1]) for name in tensors if (m := pattern.match(name))), default=-1)


def _shares_box_head(tensors: "Tensors", layers: int) -> bool:
    first = tensors["bbox_embed.0.layers.0.weight"]
    later_heads = (tensors[f"bbox_embed.{i}.layers.0.weight"] for i in range(1, layers))
    return all(bool((first == weight).all()) for weight in later_heads)


def _swin(tensors: "Tensors", hints: Mapping[str, int]) -> Any:
    from transformers import SwinConfig

    blocks = re.compile(r"backbone\.0\.layers\.(\d+)\.blocks\.(\d+)\.norm1\.weight")
    depths: dict[int, int] = {}
    for name in tensors:
        if match := blocks.match(name):
            stage = int(match[1])
            depths[stage] = max(depths.get(stage, 0), int(match[2]) + 1)
    first = "backbone.0.layers.{}.blocks.0.attn.relative_position_bias_table"
    tables = [tensors[first.format(stage)].shape for stage in sorted(depths)]
    window = (int(tables[0][0] ** 0.5) + 1) // 2  # a table has (2 * window - 1)² rows
    embed, _, patch, _ = tensors["backbone.0.patch_embed.proj.weight"].shape
    norms = sorted(
        int(m[1]) for name in tensors if (m := re.match(r"backbone\.0\.norm(\d)\.weight", name))
    )
    return SwinConfig(
        image_size=hints.get("image_size", 384 if window == 12 else 224),
        patch_size=patch,
        embed_dim=embed,
        depths=[depths[stage] for stage in sorted(depths)],
        num_heads=[heads for _, heads in tables],
        window_size=window,
        mlp_ratio=tensors["backbone.0.layers.0.blocks.0.mlp.fc1.weight"].shape[0] / embed,
        out_indices=[index + 1 for index in norms],
    )


def _bert(tensors: "Tensors", hints: Mapping[str, int]) -> Any:
    from transformers import BertConfig

    words, width = tensors["bert.embeddings.word_embeddings.weight"].shape
    layer = re.compile(r"bert\.encoder\.layer\.(\d+)\.")
    return BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=1 + max(int(m[1]) for name in tensors if (m := layer.match(name))),
        num_attention_heads=hints.get("text", max(1, width // 64)),
        intermediate_size=tensors["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=tensors["bert.embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=tensors["bert.embeddings.token_type_embeddings.weight"].shape[0],
    )
