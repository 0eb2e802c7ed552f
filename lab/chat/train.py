"""Train the embedded chat model from nothing: drawings, scenes, seeing, talking, weights.

<folder>/scenes/      the scenes it learns from, drawn first and more while it trains
<folder>/vision/      stage one: checkpoint and log (`vision_stage.py`)
<folder>/language/    stage two: checkpoint and log (`language_stage.py`)
<folder>/weights/     the finished model in Qwen-VL's published layout, float16

Training can also start from trained weights, on new scenes: both stages, or the second alone.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lab.chat import vision_stage as vision_stage
from lab.chat.data import SceneArrays, draw_arrays, read_shard, write_shard
from lab.chat.initialise import noun_table
from lab.chat.language_stage import WARM_START, LanguageRecipe, train_language
from lab.chat.vision_stage import VisionRecipe, train_vision
from lab.language.tokens import build_ranks
from lab.scenes.art import best_bank
from lab.scenes.scene import SceneRecipe
from lab.scenes.sprites import HELD_OUT_STYLE, SpriteBank
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor, QwenVLTokenizer, load, save
from segue.models.qwen_vl.ranks import read_ranks, write_ranks

WARM_START_SCENES = SceneRecipe(counts=(0.25, 0.3, 0.25, 0.12, 0.08), restyle=0.25)
"""For training from weights: fewer objects, and drawings less changed."""
_VISION_SHARE = 0.45
"""Share of the minutes that stage one has."""
_CHECK_SEEDS = {"scenes": 900001, "style": 900002}
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
    """Train both stages and write the weights; a training that was stopped resumes.

    Args:
        folder: scenes, checkpoints, logs and weights go here.
        minutes: wall clock of both stages together, nine parts seeing, eleven parts talking.
        steps: exactly so many steps of each stage instead.
        resume: resume from what is in `folder`.
        shards: how many sets of scenes to draw before training.
        shard_size: scenes in each.
        vision: how to train stage one; minutes and steps are overridden.
        language: how to train stage two, likewise.
        tower: a folder of weights whose visual tower is taken as it is; then only stage two is
            trained, and has all the minutes.
        scenes: what the scenes to learn from are like; by default as `SceneRecipe` says.
        start: a folder of weights to start from; its vocabulary is kept. `vision` and `language`
            are by default the `WARM_START` of their modules.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: there are no weights in `start` or `tower`.
    """
    folder = Path(folder)
    bank, start_model = best_bank(), None
    if start is None:
        vision_recipe, language_recipe = vision or VisionRecipe(), language or LanguageRecipe()
        tokenizer = QwenVLTokenizer(_ranks(folder / "segue.tiktoken", language_recipe.leave_out))
    else:
        start_model, processor = load(Path(start), dtype="float32", device="cpu")
        vision_recipe, language_recipe = vision or vision_stage.WARM_START, language or WARM_START
        language_recipe = replace(language_recipe, layers=len(start_model.transformer.h))
        tokenizer, scenes = processor.tokenizer, scenes or WARM_START_SCENES
    shard_folder = folder / "scenes"
    draw_shards(
        shard_folder, bank, shards, shard_size, scenes, first=0 if start_model is None else 100
    )
    share = _VISION_SHARE if tower is None else 0.0
    if tower is None:
        vision_recipe = replace(vision_recipe, minutes=minutes * share, steps=steps)
        check_sets = _check_sets(shard_folder, bank, min(300, shard_size))
        tower_state = _train_tower(
            folder, vision_recipe, check_sets, resume, start_model, tokenizer
        )
    else:
        tower_model, _ = load(Path(tower), dtype="float32", device="cpu")
        tower_state = tower_model.transformer.visual.state_dict()
    language_recipe = replace(language_recipe, minutes=minutes * (1 - share), steps=steps)
    model = train_language(
        shard_folder,
        folder / "language",
        tokenizer,
        tower_state,
        language_recipe,
        resume,
        start_model,
    )
    write_weights(model, tokenizer, folder / "weights")
    return folder / "weights"


def _train_tower(
    folder: Path,
    recipe: VisionRecipe,
    check_sets: dict[str, SceneArrays],
    resume: bool,
    start: QwenVLForCausalLM | None,
    tokenizer: QwenVLTokenizer,
) -> dict[str, Tensor]:
    """Train stage one, perhaps from the tower of `start`; returns the tower's state."""
    start_tower = None if start is None else start.transformer.visual
    words = None if start is None else _words(start, tokenizer)
    model = train_vision(
        folder / "scenes", folder / "vision", recipe, check_sets, resume, start_tower, words
    )
    return model.tower.state_dict()


def _words(model: QwenVLForCausalLM, tokenizer: QwenVLTokenizer) -> Tensor:
    """Return the embeddings of the nouns in English and Chinese, (2, 96, 256)."""
    embeddings = model.transformer.wte(noun_table(tokenizer))  # (96, 2, 256)
    return embeddings.detach().transpose(0, 1).clone()


def _check_sets(folder: Path, bank: SpriteBank, size: int) -> dict[str, SceneArrays]:
    """Return the scenes that stage one is checked on; they are drawn where necessary."""
    drawings = {"scenes": bank.trainable()}
    if HELD_OUT_STYLE in bank.styles:
        drawings["style"] = bank.only(HELD_OUT_STYLE)
    for name, drawings_of_kind in drawings.items():
        if not (folder / name).exists():
            recipe = SceneRecipe(restyle=0.0)
            write_shard(
                folder / name, draw_arrays(size, _CHECK_SEEDS[name], drawings_of_kind, recipe)
            )
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
        shard = folder / f"{number:03d}"
        if not shard.exists():
            arrays = draw_arrays(size, number, bank.trainable(), scenes or SceneRecipe())
            write_shard(shard, arrays)


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
