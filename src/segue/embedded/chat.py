"""Train the embedded chat model from nothing: drawings, scenes, seeing, talking, weights.

<folder>/scenes/      the scenes it learns from, drawn first and more while it trains
<folder>/vision/      stage one: checkpoint and log (`chat_vision.py`)
<folder>/language/    stage two: checkpoint and log (`chat_language.py`)
<folder>/weights/     the finished model in Qwen-VL's published layout, float16

Trained weights can also be gone on with, on new scenes: both stages, or talking alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segue.embedded import chat_vision
from segue.embedded.chat_data import SceneArrays, draw_arrays, read_shard, write_shard
from segue.embedded.chat_language import CONTINUED, LanguageRecipe, train_language
from segue.embedded.chat_start import noun_table
from segue.embedded.chat_vision import VisionRecipe, train_vision
from segue.embedded.scenes import SceneRecipe
from segue.embedded.sprites import HELD_OUT_STYLE, SpriteBank, best_bank
from segue.embedded.tokens import build_ranks
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor, QwenVLTokenizer, load, save
from segue.models.qwen_vl.ranks import read_ranks, write_ranks

MORE_SCENES = SceneRecipe(counts=(0.25, 0.3, 0.25, 0.12, 0.08), restyle=0.25)
"""What training goes on with: fewer objects, and drawings less changed."""
_CHECKS = {"scenes": 900001, "style": 900002}
"""Seeds of the scenes that stage one is checked on: new compositions, and the held-out style."""


def train_chat(
    folder: str | Path,
    *,
    minutes: float = 110.0,
    steps: int | None = None,
    resume: bool = True,
    shards: int = 20,
    shard_size: int = 4000,
    vision: VisionRecipe | None = None,
    language: LanguageRecipe | None = None,
    tower: str | Path | None = None,
    scenes: SceneRecipe | None = None,
    start: str | Path | None = None,
) -> Path:
    """Train both stages and write the weights; a training that was stopped goes on.

    Args:
        folder: scenes, checkpoints, logs and weights go here.
        minutes: wall clock of both stages together, nine parts seeing, eleven parts talking.
        steps: exactly so many steps of each stage instead.
        resume: go on from what is in `folder`.
        shards: how many sets of scenes to draw before training.
        shard_size: scenes in each.
        vision: how to train stage one; minutes and steps are overridden.
        language: how to train stage two, likewise.
        tower: a folder of weights whose visual tower is taken as it is; then only stage two is
            trained, and has all the minutes.
        scenes: what the scenes to learn from are like; by default as `SceneRecipe` says.
        start: a folder of weights to go on from; its vocabulary is kept. `vision` and `language`
            are by default the `CONTINUED` of their modules.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: there are no weights in `start` or `tower`.
    """
    folder = Path(folder)
    bank, given = best_bank(), None
    if start is None:
        see, talk = vision or VisionRecipe(), language or LanguageRecipe()
        tokenizer = QwenVLTokenizer(_ranks(folder / "segue.tiktoken", talk.leave_out))
    else:
        given, processor = load(Path(start), dtype="float32", device="cpu")
        see, talk = vision or chat_vision.CONTINUED, language or CONTINUED
        talk = replace(talk, layers=len(given.transformer.h))
        tokenizer, scenes = processor.tokenizer, scenes or MORE_SCENES
    drawn = folder / "scenes"
    draw_shards(drawn, bank, shards, shard_size, scenes, first=0 if given is None else 100)
    share = 0.45 if tower is None else 0.0
    if tower is None:
        see = replace(see, minutes=minutes * share, steps=steps)
        held = _checks(drawn, bank, min(300, shard_size))
        before = None if given is None else given.transformer.visual
        words = None if given is None else _words(given, tokenizer)
        seeing = train_vision(drawn, folder / "vision", see, held, resume, before, words)
        eyes = seeing.tower.state_dict()
    else:
        kept, _ = load(Path(tower), dtype="float32", device="cpu")
        eyes = kept.transformer.visual.state_dict()
    talk = replace(talk, minutes=minutes * (1 - share), steps=steps)
    trained = train_language(drawn, folder / "language", tokenizer, eyes, talk, resume, given)
    write_weights(trained, tokenizer, folder / "weights")
    return folder / "weights"


def _words(model: QwenVLForCausalLM, tokenizer: QwenVLTokenizer) -> Tensor:
    """The embeddings of the nouns in English and Chinese, (2, 96, 256)."""
    embeddings = model.transformer.wte(noun_table(tokenizer))  # (96, 2, 256)
    return embeddings.detach().transpose(0, 1).clone()


def _checks(folder: Path, bank: SpriteBank, size: int) -> dict[str, SceneArrays]:
    """The sets of scenes that stage one is checked on; drawn where they are not there yet."""
    drawings = {"scenes": bank.without(HELD_OUT_STYLE)}
    if HELD_OUT_STYLE in bank.styles:
        drawings["style"] = bank.only(HELD_OUT_STYLE)
    for name, shown in drawings.items():
        if not (folder / name).exists():
            plain = SceneRecipe(restyle=0.0)
            write_shard(folder / name, draw_arrays(size, _CHECKS[name], shown, plain))
    return {name: read_shard(folder / name) for name in drawings}


def draw_shards(
    folder: Path,
    bank: SpriteBank,
    count: int,
    size: int,
    scenes: SceneRecipe | None = None,
    first: int = 0,
) -> None:
    """Draw the scenes to train on, but for those that are there already.

    The sets are numbered from `first`; the number is the seed.
    """
    for number in range(first, first + count):
        place = folder / f"{number:03d}"
        if not place.exists():
            drawn = draw_arrays(size, number, bank.without(HELD_OUT_STYLE), scenes or SceneRecipe())
            write_shard(place, drawn)


def _ranks(path: Path, leave_out: tuple[str, ...]) -> dict[bytes, int]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ranks(build_ranks(leave_out=leave_out), path)
    return read_ranks(path)


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
