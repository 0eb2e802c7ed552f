"""Qwen-VLs with random weights that run in milliseconds, and sequences for them."""

from typing import Any

import torch

from segue.models.qwen_vl import QwenVLConfig, QwenVLForCausalLM, QwenVLProcessor, QwenVLTokenizer

N_SLOTS = 16
TRAINED_LENGTH = 96


def a_tokenizer() -> QwenVLTokenizer:
    """Single bytes only: 256 ranks, `<img>` is 470."""
    return QwenVLTokenizer({bytes([value]): value for value in range(256)})


def a_config(**changes: Any) -> QwenVLConfig:
    tokenizer = a_tokenizer()
    visual = {
        "image_size": 28, "patch_size": 7, "width": 24, "layers": 2, "heads": 2, "mlp_ratio": 2,
        "output_dim": 32, "n_queries": N_SLOTS, "positional_grid": 3, "resampler_heads": 2,
        "image_start_id": tokenizer.picture_start_id,
    }  # fmt: skip
    values = {
        "vocab_size": len(tokenizer) + 3, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "kv_channels": 16, "intermediate_size": 96,
        "seq_length": TRAINED_LENGTH, "initializer_range": 0.2, "visual": visual,
    }  # fmt: skip
    return QwenVLConfig(**(values | changes))


def a_model(seed: int = 0, **changes: Any) -> QwenVLForCausalLM:
    torch.manual_seed(seed)
    return QwenVLForCausalLM(a_config(**changes)).eval()


def a_processor(**generation: Any) -> QwenVLProcessor:
    return QwenVLProcessor(a_tokenizer(), a_config().visual_config, generation)


def some_pixels(n: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, 28, 28, generator=torch.Generator().manual_seed(seed))


def ids_with_pictures(*pieces: int | str) -> torch.Tensor:
    """(1, T) ids: a string is bytes, a number is so many pictures."""
    tokenizer = a_tokenizer()
    one = [tokenizer.picture_start_id, *[7] * N_SLOTS, tokenizer.picture_end_id]
    ids: list[int] = []
    for piece in pieces:
        ids += one * piece if isinstance(piece, int) else tokenizer.encode(piece)
    return torch.tensor([ids])
