"""End-of-turn tokens; a server that keeps special tokens may send them along.

Within a reply only those of the model's own family end it: a reply about HTML may well speak of
`</s>`. At the very end of a stream any of them is left out.
"""

COMMON_ENDS = (
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>"),
    *("<end_of_utterance>", "<｜end▁of▁sentence｜>"),
)
"""Those that nobody writes by chance: they end a reply of a model of no known family."""
ENDS = (*COMMON_ENDS, "<|user|>", "<|observation|>", "<eos>", "<turn|>", "</s>", "<|end|>")
"""Those of all families."""

_QWEN = ("<|im_end|>", "<|endoftext|>")
END_TOKENS: dict[str, tuple[str, ...]] = {
    "qwen_vl": _QWEN,
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
    "qwen3_vl": _QWEN,
    "internvl": (*_QWEN, "</s>"),
    "glm_v": ("<|user|>", "<|observation|>", "<|endoftext|>"),
    "deepseek_vl2": ("<｜end▁of▁sentence｜>",),
    "gemini": ("<end_of_turn>", "<turn|>", "<eos>"),
    "paligemma": ("<eos>",),
    "florence2": ("</s>",),
    "kosmos2": ("</s>",),
    "molmo": ("<|im_end|>", "<|endoftext|>"),
    "moondream": ("<|endoftext|>",),
}
"""By dialect, which is as good as the family."""
