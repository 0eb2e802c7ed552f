"""Any chat model of transformers in miniature, from its own default configuration.

What transformers knows of a class is enough to shrink it: widths, depths and vocabularies are made
small by the names of the settings; pictures and patches keep the sizes that the class was written
for. The tokens that its processor asks a tokenizer for are read in the processor's source.
"""

import inspect
import json
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import tiny_chats
from tiny_chats import END, PAD, chatml, tiny_tokenizer

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS, HEAD = 32, 64, 2, 4, 2, 8
MOST_PARAMETERS = 50_000_000
"""A network that stays larger is not built: a setting of its own escaped."""

SETTINGS: tuple[tuple[str, Any], ...] = (
    (r"(.*_)?vocab_size(_per_layer_input)?|n_vocab", "vocabulary"),
    (r"(moe_|shared_expert_|expert_|dense_)?intermediate_size(_mlp)?|.*ffn_(dim|hidden_size)|"
     r"mlp_dim|.*_inner_dim|ffn_hidden_size|ff_dim", INNER),
    (r"(.*_)?(hidden_size|d_model|embed_dim|n_embd|hidden_dim|embedding_dim|projection_dim|"
     r"output_dim|image_embed_dim|vision_dim|text_dim|width|model_dim)|dim|d_ff", WIDTH),
    (r"(num_hidden_layers|depth|num_layers|n_layers?|(en|de)coder_layers|layers|"
     r"num_(en|de)coder_layers|num_global_layers|n_layer)", LAYERS),
    (r"(.*_)?(num_attention_heads|num_heads|n_heads?|attention_heads|num_query_heads)", HEADS),
    (r"(.*_)?(num_key_value_heads|n_kv_heads|num_kv_heads)", KEY_HEADS),
    (r"(.*_)?(head_dim|head_size)|d_kv|attention_head_size|kv_channels", HEAD),
    (r"n_routed_experts|(moe_)?num_(local_)?experts|n_experts", 4),
    (r"(num_)?experts_per_tok(en)?|moe_(top)?k|top_k_experts", 2),
    (r"n_group|topk_group|n_shared_experts|moe_num_shared_experts|first_k_dense_replace", 1),
    (r".*lora_rank", 16),
    (r"partial_rotary_factor", 1.0),
    (r"num_kv_shared_layers", 0),
)  # fmt: skip
"""Names of settings, and what they become."""

LISTS: dict[str, Any] = {
    "mrope_section": [1, 1, 2], "deepstack_visual_indexes": [0], "fullatt_block_indexes": [1],
    "depths": [1, 1, 1, 1],
}  # fmt: skip


def shrunk(values: Mapping[str, Any], vocabulary: int, changes: Mapping[str, Any]) -> dict:
    """Return the settings of a configuration with small numbers in them.

    Args:
        values: as `to_dict` of the configuration gives them.
        vocabulary: how many tokens there are.
        changes: settings that become something else, by name or by `part.name`.
    """
    small: dict[str, Any] = {}
    if not all(isinstance(name, str) for name in values):
        return dict(values)
    for name, value in values.items():
        if name in changes:
            small[name] = changes[name]
        elif name == "per_layer_config":
            continue
        elif name in ("rope_parameters", "rope_scaling") and _is_plain_rope(value):
            small[name] = {**value, "mrope_section": [1, 1, 2], "partial_rotary_factor": 1.0}
        elif isinstance(value, Mapping):
            inner = {k.partition(".")[2]: v for k, v in changes.items() if k.startswith(f"{name}.")}
            small[name] = shrunk(value, vocabulary, {**changes, **inner})
        else:
            small[name] = _small(name, value, vocabulary)
    return small


def _is_plain_rope(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value
        and not any(isinstance(v, Mapping) for v in value.values())
    )


def _small(name: str, value: Any, vocabulary: int) -> Any:
    if name in LISTS and isinstance(value, list | tuple):
        return LISTS[name]
    if name.endswith(("layer_types", "mlp_layer_types", "layers_block_type")) and value:
        kinds = list(dict.fromkeys(value))[:LAYERS]
        return (kinds * LAYERS)[:LAYERS]
    if isinstance(value, list | tuple) and len(value) > LAYERS and "intermediate_size" in name:
        return [INNER] * LAYERS
    if name == "activation_sparsity_pattern" and value:
        return [0.0] * LAYERS
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    for pattern, small in SETTINGS:
        if re.fullmatch(pattern, name):
            return vocabulary if small == "vocabulary" else type(value)(small)
    return value


def tokens_of(processor_class: Any) -> tuple[dict[str, str], list[str]]:
    """Return what a processor looks for in its tokenizer: names with texts, and texts alone."""
    if not _is_importable(processor_class):  # loading will say what it needs
        return {}, []
    source = inspect.getsource(import_module(processor_class.__module__))
    names = {*re.findall(r"tokenizer\.(\w+_token)\b", source)}
    names |= {*re.findall(r"getattr\(tokenizer, \"(\w+_token)\"", source)}
    usual = {"eos_token", "pad_token", "bos_token", "unk_token", "add_bos_token", "add_eos_token"}
    texts = re.findall(r"[\"'](</?[^<>\s\"'{}]+>)[\"']", source)
    texts = list(dict.fromkeys(t for t in texts if t not in ("<s>", "</s>", "<unk>", END, PAD)))
    named = {name: f"<{name.removesuffix('_token')}>" for name in sorted(names - usual)}
    return named, [text for text in texts if text not in named.values()]


PROCESSORS = {
    "glm_ocr": "Glm46VProcessor", "glmga": "Glm46VProcessor", "fast_vlm": "LlavaProcessor",
    "kosmos-2": "Kosmos2Processor", "kosmos-2.5": "Kosmos2_5Processor",
    "mistral4": "PixtralProcessor", "mistral3": "PixtralProcessor",
    "mistral_large4": "PixtralProcessor",
    "qwen2_5_omni_thinker": "Qwen2_5OmniProcessor",
    "qwen3_omni_moe_thinker": "Qwen3OmniMoeProcessor", "cosmos3_omni": "Qwen3VLProcessor",
}  # fmt: skip
"""Processors that published folders name, where transformers has no rule."""
IMAGE_PROCESSORS = {
    "fast_vlm": "CLIPImageProcessor", "glm_ocr": "Glm46VImageProcessor",
    "glm4v_moe": "Glm4vImageProcessor", "qwen3_vl_moe": "Qwen2VLImageProcessor",
    "diffusion_gemma": "Gemma4ImageProcessor", "mistral4": "PixtralImageProcessor",
    "qwen2_5_omni_thinker": "Qwen2VLImageProcessor",
    "qwen3_omni_moe_thinker": "Qwen2VLImageProcessor",
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "aria": {"projector_patch_to_query_dict": {900: 16, 1225: 16}},
    "aya_vision": {"vision_config.image_size": 364},
    "deepseek_ocr2": {"downsample_channels": [16, WIDTH], "mlp_layer_types": ["dense", "sparse"]},
    "dots3_note": {"num_key_value_heads": 4, "adapter_input_size": WIDTH,
                   "adapter_in_dim": WIDTH, "adapter_out_dim": WIDTH},
    "glm5_next": {"num_key_value_heads": 4, "qk_rope_head_dim": 0},
    "cohere_compass": {"rope_parameters": {
        kind: {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
        for kind in ("full_attention", "sliding_attention")}},
    "blip-2": {"word_embed_proj_dim": WIDTH}, "instructblip": {"word_embed_proj_dim": WIDTH},
    "t5gemma2": {"mm_tokens_per_image": 49},
    "granite4_vision": {"hidden_size": 64, "downsample_rate": "4/8",
                        "vision_config.image_size": 256, "deepstack_layer_map": [[0, 0]],
                        "spatial_target_layers": [1]},
    "hunyuan_vl": {"head_dim": HEAD},
    "janus": {"vq_config.base_channels": 32, "vq_config.channel_multiplier": [1, 1, 1, 1, 1],
              "vq_config.num_embeddings": 16, "vq_config.embed_dim": 8},
    "kosmos-2.5": {"patch_embed_hidden_size": 768},
    "pix2struct": {"patch_embed_hidden_size": 768},
    "mllama": {"vision_output_dim": 3 * WIDTH, "intermediate_layers_indices": [0, 1]},
    "qwen4_exp": {"indexer_budget": 64, "indexer_compress_ratio": 8, "indexer_n_heads": 2,
                  "indexer_kv_heads": 1, "indexer_head_dim": HEAD},
    "vipllava": {"vision_feature_layer": [-1, -2]},
    "deepseek_vl_hybrid": {"global_attn_indexes": [1]},
    "chameleon": {"vq_config.base_channels": 32, "vq_config.channel_multiplier": [1, 1, 1, 1, 1],
                  "vq_config.num_embeddings": 4, "vq_config.embed_dim": 8},
    "emu3": {"vq_config.base_channels": 32, "vq_config.channel_multiplier": [1, 1, 1, 1],
             "vq_config.codebook_size": 4, "vq_config.embed_dim": 4},
}  # fmt: skip
"""Settings of single classes, for `shrunk`."""
TOKENS: dict[str, tuple[str, ...]] = {
    "chameleon": ("IMGIMGAZ", "IMGIMGBZ", "IMGIMGCZ", "IMGIMGDZ"),
    "fuyu": ("|SPEAKER|", "|NEWLINE|", "|ENDOFTEXT|"),
    "emu3": tuple(f"<|extra_{n}|>" for n in range(200, 204))
    + tuple(f"<|visual token {n:06}|>" for n in range(4)),
}
"""Tokens that single classes need besides."""
PICTURE_MARKS = {
    "blip-2": "", "instructblip": "",  # the processor puts its own before the text
    "t5gemma2": "<boi>", "shieldgemma2": "<boi>", "qianfan_ocr": "<image>", "ovis2": "<image>",
    "hunyuan_vl": "<image_start><image><image_end>",
    "pp_chart2table": "<img>" + "<imgpad>" * 256 + "</img>",
}  # fmt: skip
"""What templates of single classes write for a picture."""
SLOTS = {
    "ovis2": "<IMG_ATOM>",
    "aya_vision": "<|IMG_PATCH|>",
    "qianfan_ocr": "<context_image>",
    "pp_chart2table": "<imgpad>",
    "got_ocr2": "<imgpad>",
}
"""The token in the place of each piece of a picture, where it is another than the mark."""
UNNAMED = {"blip-2", "instructblip"}
"""Processors that take a tokenizer's own name for the token of pictures amiss."""
PIXELS: dict[str, dict[str, Any]] = {}
"""Settings of image processors of single classes."""


def tiny_chat_of(kind: str, folder: Path) -> Path:
    """Write a model of the `model_type` `kind` with random weights.

    Raises:
        Exception: whatever a class raises whose default configuration cannot be shrunk by name.
    """
    import transformers
    from transformers import CONFIG_MAPPING, AutoModelForImageTextToText
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
    from transformers.models.auto.processing_auto import (
        PROCESSOR_MAPPING_NAMES,
        processor_class_from_name,
    )
    from transformers.utils import logging

    if kind in tiny_chats.FAMILIES:
        return tiny_chats.FAMILIES[kind](folder)
    logging.disable_progress_bar()
    processor_name = PROCESSORS.get(kind) or PROCESSOR_MAPPING_NAMES.get(kind)
    if processor_name is None:
        raise LookupError("transformers has no processor for it")
    processor_class = processor_class_from_name(processor_name)
    named, texts = tokens_of(processor_class)
    if kind in UNNAMED:
        named, texts = {}, [*texts, "<image>"]
    mark = PICTURE_MARKS.get(kind, _mark(named, texts))
    slot = SLOTS.get(kind) or named.get("image_token", mark or "<image>")
    special = dict.fromkeys((*texts, *TOKENS.get(kind, ()), slot, "<|im_start|>"))
    special = [token for token in special if token not in named.values()]
    ids = tiny_tokenizer(
        folder, special, template=chatml(mark), extra=named, bos_token="<bos>",
        unk_token="<unk>",
    )  # fmt: skip
    config_class = CONFIG_MAPPING[kind]
    values = config_class().to_dict()
    for name, part in config_class.sub_configs.items():
        if "vision" in name and values.get(name) is None and hasattr(part, "model_type"):
            values[name] = part().to_dict()
    values = shrunk(values, ids["size"], CHANGES.get(kind, {}))
    values = _with_ids(values, ids, {**named, "image_token": slot})
    if kind.endswith(("omni_thinker", "omni_moe_thinker")):
        values["vision_start_token_id"] = ids["<|im_start|>"]
    if "vocabulary_map" in values:
        values["vocabulary_map"] = {name: i for name, i in ids.items() if name != "size"}
    names = IMAGE_PROCESSOR_MAPPING_NAMES.get(kind, {})
    pixels = IMAGE_PROCESSORS.get(kind) or names.get("torchvision") or names["pil"]
    settings = {"image_processor_type": pixels, **_geometry(pixels, values), **PIXELS.get(kind, {})}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    options = _options(processor_class, values) | OPTIONS.get(kind, {})
    options["processor_class"] = processor_name
    (folder / "processor_config.json").write_text(json.dumps(options), encoding="utf-8")
    of_pillow = "pil" in names or hasattr(transformers, f"{pixels}Pil")
    if find_spec("torchvision") is None and not (of_pillow and _is_importable(processor_class)):
        config_class().save_pretrained(str(folder))  # it is not read any further
        return folder
    config = config_class.from_dict(values)
    with torch.device("meta"):
        size = sum(p.numel() for p in AutoModelForImageTextToText.from_config(config).parameters())
    if size > MOST_PARAMETERS:
        raise ValueError(f"{size} parameters are too many for a miniature")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AutoModelForImageTextToText.from_config(config).eval()
    model.save_pretrained(str(folder))
    return folder


def _is_importable(processor_class: Any) -> bool:
    """Whether it is more than a name: some modules import torchvision at their beginning."""
    return find_spec(processor_class.__module__) is not None


OPTIONS: dict[str, dict[str, Any]] = {
    "aria": {"size_conversion": {"490": 16, "980": 16}},
    "vipllava": {"num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"},
    "t5gemma2": {"image_seq_length": 49},
}
"""Settings of processors of single classes."""


def _vision(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of the vision tower."""
    inner = values.get("thinker_config") or values
    for name in ("vision_config", "vision_encoder_config", "vision_tower_config"):
        if isinstance(inner.get(name), Mapping):
            return inner[name]
    return values


def _geometry(pixels: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Let an image processor cut pictures as the vision tower expects them."""
    import transformers

    vision, made = _vision(values), {}
    processor = getattr(transformers, f"{pixels}Pil", None)
    if processor is None:
        return {}
    for name, source in (
        ("patch_size", "patch_size"), ("temporal_patch_size", "temporal_patch_size"),
        ("merge_size", "spatial_merge_size"), ("num_patches", "num_patches"),
    ):  # fmt: skip
        value = vision.get(source)
        value = value[0] if isinstance(value, list | tuple) else value
        if isinstance(getattr(processor, name, None), int) and isinstance(value, int):
            made[name] = value
    side = vision.get("image_size")
    side = side[0] if isinstance(side, list | tuple) else side
    size = getattr(processor, "size", None)
    if isinstance(side, int) and isinstance(size, Mapping):
        if "height" in size:
            made["size"] = {"height": side, "width": side}
        elif "shortest_edge" in size and "longest_edge" not in size:
            made["size"] = {"shortest_edge": side}
        if getattr(processor, "crop_size", None):
            made["crop_size"] = {"height": side, "width": side}
    elif isinstance(size, Mapping) and size.get("longest_edge", 0) > 10_000:
        made["size"] = {"shortest_edge": 64 * 64, "longest_edge": 128 * 128}  # pixels in all
    return made


def _options(processor_class: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a processor that are also settings of its network."""
    vision, made = _vision(values), {}
    for name in inspect.signature(processor_class.__init__).parameters:
        if name in values and not isinstance(values[name], Mapping):
            made[name] = values[name]
        elif name in vision and isinstance(vision[name], int):
            made[name] = vision[name]
    side, patch = vision.get("image_size"), vision.get("patch_size")
    if isinstance(side, int) and isinstance(patch, int):
        if "num_image_tokens" in inspect.signature(processor_class.__init__).parameters:
            made["num_image_tokens"] = (side // patch) ** 2
        if "num_additional_image_tokens" in inspect.signature(processor_class.__init__).parameters:
            made["num_additional_image_tokens"] = int("clip" in str(vision.get("model_type")))
    return made


MARKS = (
    "<image>", "<|image_pad|>", "<|IMAGE_PAD|>", "<|imgpad|>", "<|image|>", "<|media_pad|>",
    "<|content_image|>", "<|patch|>", "<im_patch>", "<imgpad>",
)  # fmt: skip
"""What chat templates write for a picture, the likeliest first."""


def _mark(named: Mapping[str, str], texts: list[str]) -> str:
    for name in ("image_token", "context_image_token"):
        if name in named:
            return named[name]
    return next((mark for mark in MARKS if mark in texts), "<image>")


def _with_ids(values: dict[str, Any], ids: dict[str, int], named: Mapping[str, str]) -> dict:
    """Put the ids of this tokenizer in the place of the published ones."""
    if not all(isinstance(name, str) for name in values):
        return values
    free = iter(sorted(i for name, i in ids.items() if name != "size"))
    new = {}
    for name, value in values.items():
        stem = re.sub(r"_(id|index|ids)$", "", name)
        if isinstance(value, Mapping):
            new[name] = _with_ids(dict(value), ids, named)
        elif (
            value is None and not name.startswith(("image_token", "vision_start"))
        ) or not re.search(r"_(token_id|token_index|token_ids|start_id|end_id|patch_id)$", name):
            new[name] = value
        elif stem in ("eos_token", "decoder_start_token"):
            new[name] = ids[END]
        elif stem == "pad_token":
            new[name] = ids[PAD]
        elif stem == "bos_token":
            new[name] = ids["<bos>"]
        elif stem in named and named[stem] in ids:
            new[name] = ids[named[stem]]
        elif isinstance(value, int) and value >= ids["size"]:
            new[name] = next(free)
        else:
            new[name] = value
    return new
