"""The native Qwen-VL of 2023: network, tokenizer, processor and checkpoint reader."""

from segue.models.qwen_vl.checkpoint import load, save
from segue.models.qwen_vl.configuration import QwenVLConfig, VisualConfig
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.processor import QwenVLProcessor
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer

__all__ = [
    "QwenVLConfig",
    "QwenVLForCausalLM",
    "QwenVLProcessor",
    "QwenVLTokenizer",
    "VisualConfig",
    "load",
    "save",
]
