"""Tiny models of today's families with random weights: a Qwen2.5-VL and a Qwen3-VL."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from drawings import COLOURS, KINDS

SPECIAL = (
    "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
END, PAD = "<|im_end|>", "<|endoftext|>"
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}"
    "{% if p.type == 'image' %}" + PICTURE + "{% else %}{{ p.text }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SAID = [
    f"user assistant Find the {colour} {kind} in the picture. "
    f'```json\n[{{"bbox_2d": [1, 2, 3, 4], "label": "{colour} {kind}"}}]\n```'
    for colour in COLOURS
    for kind in KINDS
]
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 4, 4]}
PIXELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "merge_size": 2}


def qwen2_5_vl(folder: Path) -> None:
    """Boxes in pixels of the resized picture."""
    from transformers import Qwen2_5_VLConfig

    ids = _tokenizer(folder)
    text = _language(ids, rope_parameters=ROPE)
    del text["head_dim"]
    vision = {
        "depth": 3, "hidden_size": 96, "out_hidden_size": 96, "intermediate_size": 192,
        "num_heads": 4, "window_size": 112, "fullatt_block_indexes": [0, 1, 2],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, **_marks(ids))
    area = 112 * 112
    pixels = {"patch_size": 14, "min_pixels": area, "max_pixels": area}
    _write(folder, config, {**pixels, "processor_class": "Qwen2_5_VLProcessor"})


def qwen3_vl(folder: Path) -> None:
    """Boxes on a grid of 1000."""
    from transformers import Qwen3VLConfig

    ids = _tokenizer(folder)
    text = _language(ids, rope_parameters={**ROPE, "mrope_interleaved": True})
    vision = {
        "depth": 3, "hidden_size": 96, "out_hidden_size": 96, "intermediate_size": 192,
        "num_heads": 4, "num_position_embeddings": 64, "patch_size": 16,
        "deepstack_visual_indexes": [0],
    }  # fmt: skip
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **_marks(ids))
    area = 128 * 128
    size = {"shortest_edge": area, "longest_edge": area}
    _write(folder, config, {"patch_size": 16, "size": size, "processor_class": "Qwen3VLProcessor"})


FAMILIES: dict[str, Callable[[Path], None]] = {"qwen2_5_vl": qwen2_5_vl, "qwen3_vl": qwen3_vl}


def _language(ids: dict[str, int], **changes: Any) -> dict[str, Any]:
    return {
        "vocab_size": ids["size"], "hidden_size": 96, "intermediate_size": 256,
        "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 24,
        "max_position_embeddings": 1024, "bos_token_id": None, "eos_token_id": ids[END],
        "pad_token_id": ids[PAD], "initializer_range": 0.05, **changes,
    }  # fmt: skip


def _marks(ids: dict[str, int]) -> dict[str, int]:
    return {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip


def _tokenizer(folder: Path) -> dict[str, int]:
    """Byte pairs of what is said here, each digit alone as in the real ones; ids of the marks."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    whole_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.pre_tokenizer = pre_tokenizers.Sequence([digits, whole_bytes])
    plain.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=letters, show_progress=False)
    plain.train_from_iterator(SAID * 2, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=END, pad_token=PAD)
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(folder))
    named = {text: tokenizer.convert_tokens_to_ids(text) for text in (*SPECIAL, END, PAD)}
    return {**named, "size": len(tokenizer)}


def _write(folder: Path, config: Any, pixels: dict[str, Any]) -> None:
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(config).save_pretrained(str(folder))
    settings = {**PIXELS, "image_processor_type": "Qwen2VLImageProcessor", **pixels}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
