"""Chat models of published and smaller sizes with random weights, as folders that segue loads."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from benchmarks.full_size import EMBEDDED_WEIGHTS


def _mrope(*sections: int) -> dict[str, Any]:
    shared = {"rope_type": "default", "rope_theta": 5e6, "mrope_interleaved": True}
    return {"rope_parameters": shared | {"mrope_section": list(sections)}}


QWEN3_VL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tiny": (
        {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 16}
        | {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1024}
        | _mrope(2, 3, 3),
        {"hidden_size": 64, "intermediate_size": 128, "depth": 2, "num_heads": 4}
        | {"out_hidden_size": 64, "deepstack_visual_indexes": [0], "num_position_embeddings": 64},
    ),
    "0.6b": (
        {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "head_dim": 128}
        | {"num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 151_936}
        | _mrope(24, 20, 20),
        {"hidden_size": 768, "intermediate_size": 3072, "depth": 12, "num_heads": 12}
        | {"out_hidden_size": 1024, "deepstack_visual_indexes": [5]},
    ),
    "4b": (
        {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "head_dim": 128}
        | {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 151_936}
        | _mrope(24, 20, 20),
        {"hidden_size": 1024, "intermediate_size": 4096, "depth": 24, "num_heads": 16}
        | {"out_hidden_size": 2560, "deepstack_visual_indexes": [5, 11, 17]},
    ),
}
"""Language model and tower; "4b" is Qwen3-VL-4B, the smaller ones are no published models."""
QWEN_VL: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 256}
    | {"vocab_size": 2048},
    "1.8b": {"hidden_size": 2048, "num_hidden_layers": 24, "intermediate_size": 11_008}
    | {"vocab_size": 151_936},
}
"""The language model; "1.8b" is that of Qwen-1.8B. Tower and tokenizer are the bundled ones."""


def write_qwen3_vl(folder: Path, size: str, dtype: torch.dtype = torch.float32) -> None:
    """Write a Qwen3-VL of one of `QWEN3_VL`, with a tokenizer of single bytes."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    text, vision = QWEN3_VL[size]
    place = Path(__file__).parents[1] / "tests" / "reference" / "pointing" / "qwen3_vl"
    shutil.copytree(place, folder, ignore=shutil.ignore_patterns("model*", "config.json"))
    known = json.loads((place / "config.json").read_text("utf-8"))
    marks = {key: value for key, value in known.items() if key.endswith("_token_id")}
    ends = {key: known["text_config"][key] for key in ("eos_token_id", "pad_token_id")}
    config = Qwen3VLConfig(
        text_config=text | ends, vision_config=vision, tie_word_embeddings=True, **marks
    )
    torch.manual_seed(0)
    Qwen3VLForConditionalGeneration._from_config(config, dtype=dtype).save_pretrained(folder)
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text("utf-8"))
    settings["size"] = {"shortest_edge": 65_536, "longest_edge": 16_777_216}
    file.write_text(json.dumps(settings), "utf-8")


def write_qwen_vl(folder: Path, size: str) -> None:
    """Write a Qwen-VL of one of `QWEN_VL`."""
    from segue.models.qwen_vl.checkpoint import read_processor, save
    from segue.models.qwen_vl.configuration import QwenVLConfig
    from segue.models.qwen_vl.modeling import QwenVLForCausalLM

    place = EMBEDDED_WEIGHTS / "chat"
    published = json.loads((place / "config.json").read_text("utf-8"))
    width = QWEN_VL[size]["hidden_size"]
    heads = {"num_attention_heads": width // 128, "kv_channels": 128}
    tower = {"visual": published["visual"] | {"output_dim": width, "resampler_heads": width // 64}}
    config = QwenVLConfig.from_dict(published | QWEN_VL[size] | heads | tower)
    torch.manual_seed(0)
    network = QwenVLForCausalLM(config)
    save(network, read_processor(place), folder)
