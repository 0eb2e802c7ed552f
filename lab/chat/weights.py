"""The finished chat model as files."""

from pathlib import Path
from typing import Any

import torch

from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor, QwenVLTokenizer, save


def write_weights(model: QwenVLForCausalLM, tokenizer: QwenVLTokenizer, folder: Path) -> None:
    """Write the model in Qwen-VL's published layout, float16, greedy by default."""
    generation: dict[str, Any] = {
        "chat_format": "chatml",
        "do_sample": False,
        "max_new_tokens": 256,
        "max_window_size": 1536,
        "eos_token_id": tokenizer.turn_end_id,
        "pad_token_id": tokenizer.end_of_text_id,
    }
    processor = QwenVLProcessor(tokenizer, model.config.visual_config, generation)
    save(model, processor, folder, torch.float16)
