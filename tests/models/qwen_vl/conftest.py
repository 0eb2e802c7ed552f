"""Goldens made with the original program, and the models they were made with."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segue.models.qwen_vl import (
    QwenVLConfig,
    QwenVLForCausalLM,
    QwenVLProcessor,
    QwenVLTokenizer,
    load,
)
from segue.models.qwen_vl.prompts import Markup, Part, PictureAt, Prompt, join
from tiny_qwen_vl import a_model


@pytest.fixture(scope="session")
def tiny() -> QwenVLForCausalLM:
    return a_model()


class Golden:
    """One set of goldens: its model, its numbers, and prompts rebuilt from their text."""

    def __init__(self, folder: Path, model: QwenVLForCausalLM, processor: QwenVLProcessor) -> None:
        self.folder, self.model, self.processor = folder, model, processor
        self.meta = json.loads((folder / "meta.json").read_text("utf-8"))
        with np.load(folder / "language.npz") as arrays:
            self.numbers = {key: torch.from_numpy(arrays[key]) for key in arrays.files}

    def parts(self, text: str) -> list[Part]:
        """What the original read from text, as values."""
        pieces = [piece for piece in re.split(r"(<img>.*?</img>)", text) if piece]
        return [self._picture(p[5:-6]) if p.startswith("<img>") else Markup(p) for p in pieces]

    def _picture(self, name: str) -> PictureAt:
        return PictureAt(self.folder / name, name)

    def chat(self, query: str, history: list[list[str]]) -> Prompt:
        builder = self.processor.prompts
        newline = self.processor.tokenizer.encode("\n")
        turns = [builder.turn("system", builder.system)]
        for question, reply in history:
            turns += [
                Prompt(newline), builder.turn("user", *self.parts(question)),
                Prompt(newline), builder.turn("assistant", Markup(reply)),
            ]  # fmt: skip
        last = builder.turn("user", *self.parts(query))
        opening = Prompt(newline + builder._opening("assistant"))
        return join([*turns, Prompt(newline), last, opening])

    def pixels(self, prompt: Prompt) -> torch.Tensor | None:
        return self.processor.image_processor(prompt.pictures) if prompt.pictures else None


@pytest.fixture(scope="session")
def set_a(shared: Path) -> Golden:
    folder = shared / "golden" / "qwen_vl" / "set_A"
    return Golden(folder, *load(folder, device="cpu"))


@pytest.fixture(scope="session")
def set_c(shared: Path, real_tokenizer: QwenVLTokenizer) -> Golden:
    """The real vocabulary; its two large matrices follow from a hash."""
    from safetensors.torch import load_file

    folder = shared / "golden" / "qwen_vl" / "set_C"
    config = QwenVLConfig.from_dict(json.loads((folder / "config.json").read_text()))
    with torch.device("meta"):
        model = QwenVLForCausalLM(config)
    tensors = load_file(folder / "model_without_vocab.safetensors")
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    for key, name in (("wte", "transformer.wte.weight"), ("lm_head", "lm_head.weight")):
        tensors[name] = hashed(config.vocab_size, config.hidden_size, **meta["vocab_hash"][key])
    model.load_state_dict(tensors, assign=True)
    generation = json.loads((folder / "generation_config.json").read_text())
    processor = QwenVLProcessor(real_tokenizer, config.visual_config, generation)
    return Golden(folder, model.eval(), processor)


def hashed(rows: int, columns: int, seed: int, scale: float) -> torch.Tensor:
    """The vocabulary matrices of set C, as its README describes them."""
    with np.errstate(over="ignore"):
        x = np.arange(rows * columns, dtype=np.uint64)
        x += np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
        unit = (x >> np.uint64(40)).astype(np.float64) / 2**24
    values = ((unit - 0.5) * 2 * scale).astype(np.float32)
    return torch.from_numpy(values.reshape(rows, columns))


@pytest.fixture(scope="session")
def real_tokenizer(shared: Path) -> QwenVLTokenizer:
    return QwenVLTokenizer.read(shared / "golden" / "qwen_vl")


@pytest.fixture(scope="session")
def tokenizer_golden(shared: Path) -> Callable[[str], Any]:
    folder = shared / "golden" / "qwen_vl" / "tokenizer"
    return lambda name: json.loads((folder / f"{name}.json").read_text("utf-8"))
