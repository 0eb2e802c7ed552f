"""Chat models of transformers in miniature: random weights, a tokenizer of single bytes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

END, PAD = "<|im_end|>", "<|endoftext|>"
QWEN = (
    "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
    "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
)  # fmt: skip
CLIP = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def chatml(picture: str) -> str:
    """A chat template that writes `picture` for each picture."""
    return (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}"
        "{% if p.type == 'image' %}" + picture + "{% else %}{{ p.text }}{% endif %}{% endfor %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def tiny_tokenizer(folder: Path, special: Sequence[str] = (), plain: Sequence[str] = (),
                   template: str | None = None, extra: Mapping[str, str] | None = None,
                   **roles: str) -> dict[str, int]:  # fmt: skip
    """Write a tokenizer of single bytes and some whole tokens; returns the ids of those.

    Args:
        folder: where to.
        special: tokens that are left out of a text when special tokens are skipped.
        plain: whole tokens that are text.
        template: the chat template.
        extra: names and texts of special tokens that a family looks for by name.
        roles: names and texts of the usual ones, such as bos_token.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    named = {"eos_token": END, "pad_token": PAD, **roles}
    extra = dict(extra or {})
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, extra_special_tokens=extra, **named
    )
    special = (*special, *extra.values())
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in plain])
    tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))
    named_ids = {t: tokenizer.convert_tokens_to_ids(t) for t in (*special, *plain, *named.values())}
    return {**named_ids, "size": len(tokenizer)}


def _text(ids: dict[str, int], **changes: Any) -> dict[str, Any]:
    """A language model of two small layers."""
    return {
        "vocab_size": ids["size"], "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 4096, "bos_token_id": None, "eos_token_id": ids[END],
        "pad_token_id": ids[PAD], "initializer_range": 0.3, **changes,
    }  # fmt: skip


def _qwen_ids(ids: dict[str, int]) -> dict[str, int]:
    return {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip


QWEN_TEMPLATE = chatml("<|vision_start|><|image_pad|><|vision_end|>")
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}


def tiny_qwen2_vl(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, QWEN, template=QWEN_TEMPLATE)
    text = _text(ids, rope_parameters=MROPE)
    text.pop("head_dim")
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    config = transformers.Qwen2VLConfig(text_config=text, vision_config=vision, **_qwen_ids(ids))
    pixels = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 784,
              "max_pixels": 784 * 16, "patch_size": 14, "merge_size": 2, **CLIP}  # fmt: skip
    return _saved(config, folder, pixels)


def tiny_qwen2_5_vl(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, QWEN, template=QWEN_TEMPLATE)
    text = _text(ids, rope_parameters=MROPE)
    text.pop("head_dim")
    vision = {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48,
              "num_heads": 2, "window_size": 56, "fullatt_block_indexes": [1]}  # fmt: skip
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **_qwen_ids(ids))
    pixels = {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 784,
              "max_pixels": 784 * 16, "patch_size": 14, "merge_size": 2,
              "processor_class": "Qwen2_5_VLProcessor", **CLIP}  # fmt: skip
    return _saved(config, folder, pixels)


def _qwen3_pixels(processor: str = "Qwen3VLProcessor") -> dict[str, Any]:
    return {"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 16, "merge_size": 2,
            "size": {"shortest_edge": 1024, "longest_edge": 1024 * 16},
            "processor_class": processor, **CLIP}  # fmt: skip


def _qwen3_vision(**changes: Any) -> dict[str, Any]:
    return {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48,
            "num_heads": 2, "num_position_embeddings": 16, "patch_size": 16, **changes}  # fmt: skip


INTERLEAVED = {**MROPE, "mrope_interleaved": True}


def tiny_qwen3_vl(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, QWEN, ["<think>", "</think>"], template=QWEN_TEMPLATE)
    config = transformers.Qwen3VLConfig(
        text_config=_text(ids, rope_parameters=INTERLEAVED),
        vision_config=_qwen3_vision(deepstack_visual_indexes=[0]),
        **_qwen_ids(ids),
    )
    return _saved(config, folder, _qwen3_pixels())


def tiny_qwen3_vl_moe(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, QWEN, template=QWEN_TEMPLATE)
    text = _text(
        ids, rope_parameters=INTERLEAVED, moe_intermediate_size=16, num_experts=4,
        num_experts_per_tok=2,
    )  # fmt: skip
    config = transformers.Qwen3VLMoeConfig(
        text_config=text,
        vision_config=_qwen3_vision(deepstack_visual_indexes=[0]),
        **_qwen_ids(ids),
    )
    return _saved(config, folder, _qwen3_pixels())


def tiny_qwen3_5(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, QWEN, template=QWEN_TEMPLATE)
    text = _text(
        ids, rope_parameters={**INTERLEAVED, "partial_rotary_factor": 1.0},
        layer_types=["linear_attention", "full_attention"], linear_key_head_dim=8,
        linear_value_head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4,
    )  # fmt: skip
    config = transformers.Qwen3_5Config(
        text_config=text, vision_config=_qwen3_vision(), **_qwen_ids(ids)
    )
    return _saved(config, folder, _qwen3_pixels())


SIGLIP = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
          "num_attention_heads": 2, "image_size": 32, "patch_size": 8}  # fmt: skip


def tiny_internvl(folder: Path) -> Path:
    import transformers

    marks = {
        "start_image_token": "<img>", "end_image_token": "</img>", "video_token": "<video>",
        "context_image_token": "<IMG_CONTEXT>",
    }  # fmt: skip
    special = ("<|im_start|>", "<ref>", "</ref>", "<box>", "</box>")
    ids = tiny_tokenizer(folder, special, template=chatml("<IMG_CONTEXT>\n"), extra=marks)
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
              "num_attention_heads": 2, "image_size": [28, 28], "patch_size": [7, 7]}  # fmt: skip
    config = transformers.InternVLConfig(
        text_config={"model_type": "qwen2", **_text(ids)}, vision_config=vision,
        image_token_id=ids["<IMG_CONTEXT>"], image_seq_length=4,
    )  # fmt: skip
    pixels = {"image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 28, "width": 28},
              "crop_to_patches": True, "min_patches": 1, "max_patches": 4, **CLIP}  # fmt: skip
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    return _saved(config, folder, pixels, **processor)


def tiny_gemma3(folder: Path) -> Path:
    import transformers

    template = (
        "{{ bos_token }}{% if messages[0].role == 'system' %}"
        "{{ raise_exception('no system turn') }}{% endif %}{% for m in messages %}<start_of_turn>"
        "{{ 'model' if m.role == 'assistant' else m.role }}\n{% for p in m.content %}"
        "{% if p.type == 'image' %}<start_of_image>{% else %}{{ p.text | trim }}{% endif %}"
        "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
        "<start_of_turn>model\n{% endif %}"
    )
    marks = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
             "image_token": "<image_soft_token>"}  # fmt: skip
    ids = tiny_tokenizer(folder, ("<start_of_turn>",), template=template, bos_token="<bos>",
                         extra=marks)  # fmt: skip
    text = _text(ids, sliding_window=16, layer_types=["sliding_attention", "full_attention"],
                 query_pre_attn_scalar=8)  # fmt: skip
    config = transformers.Gemma3Config(
        text_config=text, vision_config=SIGLIP, mm_tokens_per_image=4,
        boi_token_index=ids["<start_of_image>"], eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"], tie_word_embeddings=False,
    )  # fmt: skip
    pixels = {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 32, "width": 32},
              "image_seq_length": 4, **CLIP}  # fmt: skip
    processor = {"processor_class": "Gemma3Processor", "image_seq_length": 4}
    return _saved(config, folder, pixels, **processor)


GLM = ("<|begin_of_image|>", "<|image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|video|>",
       "<|end_of_video|>", "<|user|>", "<|im_start|>", "<|begin_of_box|>",
       "<|end_of_box|>")  # fmt: skip


def tiny_glm4v(folder: Path) -> Path:
    import transformers

    template = chatml("<|begin_of_image|><|image|><|end_of_image|>")
    ids = tiny_tokenizer(folder, GLM, template=template)
    text = _text(ids, rope_parameters={**MROPE, "partial_rotary_factor": 1.0})
    text.pop("head_dim")
    vision = {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48,
              "num_heads": 2, "image_size": 56}  # fmt: skip
    config = transformers.Glm4vConfig(
        text_config=text, vision_config=vision, image_token_id=ids["<|image|>"],
        video_token_id=ids["<|video|>"], image_start_token_id=ids["<|begin_of_image|>"],
        image_end_token_id=ids["<|end_of_image|>"], video_end_token_id=ids["<|end_of_video|>"],
        video_start_token_id=ids["<|begin_of_video|>"],
    )  # fmt: skip
    pixels = {"image_processor_type": "Glm4vImageProcessor", "processor_class": "Glm4vProcessor",
              "size": {"shortest_edge": 784, "longest_edge": 784 * 32}, "patch_size": 14,
              "merge_size": 2, **CLIP}  # fmt: skip
    return _saved(config, folder, pixels)


def tiny_deepseek_vl(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, ("<|im_start|>",), template=chatml("<image_placeholder>"),
                         extra={"image_token": "<image_placeholder>"})  # fmt: skip
    config = transformers.DeepseekVLConfig(
        text_config={"model_type": "llama", **_text(ids)}, vision_config=SIGLIP,
        image_token_id=ids["<image_placeholder>"],
    )  # fmt: skip
    pixels = {"image_processor_type": "DeepseekVLImageProcessor", "min_size": 14,
              "size": {"height": 32, "width": 32}, **CLIP}  # fmt: skip
    processor = {"processor_class": "DeepseekVLProcessor", "num_image_tokens": 16}
    return _saved(config, folder, pixels, **processor)


TILES = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>",
         *(f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)))  # fmt: skip


def _tiled(folder: Path, config_class: str, kind: str) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, ("<|im_start|>", *TILES), template=chatml("<image>"))
    config = getattr(transformers, config_class)(
        text_config={"model_type": "llama", **_text(ids)}, vision_config=SIGLIP,
        image_token_id=ids["<image>"], scale_factor=2, pad_token_id=ids[PAD],
    )  # fmt: skip
    pixels = {"image_processor_type": f"{kind}ImageProcessor", "do_image_splitting": True,
              "size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32},
              **CLIP}  # fmt: skip
    processor = {"processor_class": f"{kind}Processor", "image_seq_len": 4}
    return _saved(config, folder, pixels, **processor)


def tiny_idefics3(folder: Path) -> Path:
    return _tiled(folder, "Idefics3Config", "Idefics3")


def tiny_smolvlm(folder: Path) -> Path:
    return _tiled(folder, "SmolVLMConfig", "SmolVLM")


def tiny_llava(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, ("<|im_start|>", "<image>"), template=chatml("<image>\n"))
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", **_text(ids)},
        vision_config={"model_type": "clip_vision_model", "projection_dim": 16, **SIGLIP},
        image_token_index=ids["<image>"],
    )
    pixels = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32},
              "crop_size": {"height": 32, "width": 32}, **CLIP}  # fmt: skip
    processor = {"processor_class": "LlavaProcessor", "patch_size": 8,
                 "num_additional_image_tokens": 1,
                 "vision_feature_select_strategy": "default"}  # fmt: skip
    return _saved(config, folder, pixels, **processor)


def tiny_llava_onevision(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, ("<|im_start|>", "<image>", "<video>"),
                         template=chatml("<image>\n"))  # fmt: skip
    config = transformers.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **_text(ids)},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP, "vision_use_head": False},
        image_token_index=ids["<image>"], video_token_index=ids["<video>"],
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
    )  # fmt: skip
    pixels = {"image_processor_type": "LlavaOnevisionImageProcessor",
              "size": {"height": 32, "width": 32},
              "image_grid_pinpoints": [[32, 64], [64, 32], [64, 64]], **CLIP}  # fmt: skip
    processor = {"processor_class": "LlavaOnevisionProcessor", "num_image_tokens": 16,
                 "vision_feature_select_strategy": "full"}  # fmt: skip
    return _saved(config, folder, pixels, **processor)


MOLMO = ("<im_patch>", "<im_col>", "<im_start>", "<low_res_im_start>", "<frame_start>", "<im_end>",
         "<frame_end>", "<im_low>", "<|image|>", "<|video|>", "<|im_start|>")  # fmt: skip


def tiny_molmo2(folder: Path) -> Path:
    import transformers

    ids = tiny_tokenizer(folder, MOLMO, template=chatml("<|image|>"))
    text = _text(ids, additional_vocab_size=4)
    vision = {**SIGLIP, "num_key_value_heads": 2, "head_dim": 16, "image_size": [28, 28],
              "patch_size": 7}  # fmt: skip
    adapter = {"vision_feature_layer": [1, 0], "hidden_size": 32, "num_attention_heads": 2,
               "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48,
               "text_hidden_size": 32}  # fmt: skip
    config = transformers.Molmo2Config(
        text_config=text, vision_config=vision, adapter_config=adapter,
        image_start_token_id=ids["<im_start>"], image_end_token_id=ids["<im_end>"],
        low_res_image_start_token_id=ids["<low_res_im_start>"], image_patch_id=ids["<im_patch>"],
        frame_start_token_id=ids["<frame_start>"], frame_end_token_id=ids["<frame_end>"],
    )  # fmt: skip
    pixels = {"image_processor_type": "Molmo2ImageProcessor", "size": {"height": 28, "width": 28},
              "patch_size": 7, "max_crops": 4, "overlap_margins": [1, 1],
              "pooling_size": [2, 2], **CLIP}  # fmt: skip
    return _saved(config, folder, pixels, processor_class="Molmo2Processor")


def tiny_paligemma(folder: Path) -> Path:
    import transformers

    places = [f"<loc{i:04}>" for i in range(1024)] + [f"<seg{i:03}>" for i in range(128)]
    ids = tiny_tokenizer(folder, ("<image>",), places, bos_token="<bos>")
    config = transformers.PaliGemmaConfig(
        text_config={"model_type": "gemma", **_text(ids)},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP, "projection_dim": 32},
        image_token_index=ids["<image>"], projection_dim=32, hidden_size=32,
        vocab_size=ids["size"],
    )  # fmt: skip
    pixels = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32},
              "image_seq_length": 16, **CLIP}  # fmt: skip
    return _saved(config, folder, pixels, processor_class="PaliGemmaProcessor")


def tiny_florence2(folder: Path) -> Path:
    import transformers

    places = [f"<loc_{i}>" for i in range(1000)]
    ids = tiny_tokenizer(folder, places, bos_token="<s>", extra={"image_token": "<image>"})
    text = {
        "model_type": "bart", "vocab_size": ids["size"], "d_model": 32, "encoder_layers": 1,
        "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
        "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 256,
        "bos_token_id": ids["<s>"], "eos_token_id": ids[END], "pad_token_id": ids[PAD],
        "decoder_start_token_id": ids[END], "forced_eos_token_id": None, "init_std": 0.3,
        "is_encoder_decoder": True,
    }  # fmt: skip
    vision = {"depths": [1, 1, 1, 1], "embed_dim": [8, 8, 8, 8], "num_heads": [1, 1, 1, 1],
              "num_groups": [1, 1, 1, 1], "projection_dim": 32, "window_size": 2,
              "drop_path_rate": 0.0}  # fmt: skip
    config = transformers.Florence2Config(
        text_config=text, vision_config=vision, image_token_id=ids["<image>"]
    )
    pixels = {"image_processor_type": "CLIPImageProcessor", "size": {"height": 64, "width": 64},
              "crop_size": {"height": 64, "width": 64}, "do_center_crop": False,
              "image_seq_length": 5, **CLIP}  # fmt: skip
    return _saved(config, folder, pixels, processor_class="Florence2Processor")


KOSMOS = ("</doc>", "<image>", "</image>", "</chunk>", "</line>", "<phrase>", "</phrase>",
          "<object>", "</object>", "</delimiter_of_multi_objects/>", "<grounding>")  # fmt: skip


def tiny_kosmos2(folder: Path) -> Path:
    import transformers

    places = [f"<patch_index_{i:04}>" for i in range(1024)]
    ids = tiny_tokenizer(folder, ("<spare>",) * 0, (*KOSMOS, *places), bos_token="<s>",
                         unk_token="<unk>")  # fmt: skip
    text = {"vocab_size": ids["size"], "embed_dim": 32, "layers": 2, "ffn_dim": 48,
            "attention_heads": 2, "max_position_embeddings": 512, "pad_token_id": ids[PAD],
            "bos_token_id": ids["<s>"], "eos_token_id": ids[END], "init_std": 0.3}  # fmt: skip
    config = transformers.Kosmos2Config(text_config=text, vision_config=SIGLIP, latent_query_num=64)
    pixels = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32},
              "crop_size": {"height": 32, "width": 32}, **CLIP}  # fmt: skip
    return _saved(config, folder, pixels, processor_class="Kosmos2Processor")


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2_vl": tiny_qwen2_vl,
    "qwen2_5_vl": tiny_qwen2_5_vl,
    "qwen3_vl": tiny_qwen3_vl,
    "qwen3_vl_moe": tiny_qwen3_vl_moe,
    "qwen3_5": tiny_qwen3_5,
    "internvl": tiny_internvl,
    "gemma3": tiny_gemma3,
    "glm4v": tiny_glm4v,
    "deepseek_vl": tiny_deepseek_vl,
    "idefics3": tiny_idefics3,
    "smolvlm": tiny_smolvlm,
    "llava": tiny_llava,
    "llava_onevision": tiny_llava_onevision,
    "molmo2": tiny_molmo2,
    "paligemma": tiny_paligemma,
    "florence2": tiny_florence2,
    "kosmos-2": tiny_kosmos2,
}
"""A miniature of each family, by its `model_type`."""


def _saved(config: Any, folder: Path, pixels: dict[str, Any], **processor: Any) -> Path:
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AutoModelForImageTextToText.from_config(config)
        with torch.no_grad():
            for weight in model.parameters():  # so far apart that pictures and words matter
                if weight.ndim > 1:
                    weight.normal_(0, max(0.3, weight[0].numel() ** -0.5))
    model.eval().save_pretrained(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels), encoding="utf-8")
    if processor:
        (folder / "processor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder
