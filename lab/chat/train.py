"""Train the embedded chat model from nothing: seeing, talking, weights.

<folder>/vision/      stage one: checkpoint and log (`vision_stage.py`)
<folder>/language/    stage two: checkpoint and log (`language_stage.py`)
<folder>/weights/     the finished model in Qwen-VL's published layout, float16

Training can also start from trained weights, on new scenes: both stages, or the second alone.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from lab.chat import vision_stage
from lab.chat.data import SceneArrays, draw_arrays
from lab.chat.initialise import noun_table
from lab.chat.language_stage import CUDA_WARM_START, WARM_START, LanguageRecipe, train_language
from lab.chat.vision_stage import VisionRecipe, train_vision
from lab.chat.weights import write_weights
from lab.language.tokens import build_ranks
from lab.scenes.art import best_bank
from lab.scenes.scene import SceneRecipe
from lab.scenes.sprites import HELD_OUT_STYLE, SpriteBank
from lab.scenes.worlds import render_some_world
from lab.training.precision import set_up
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLTokenizer, load
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
    vision: VisionRecipe | None = None,
    language: LanguageRecipe | None = None,
    tower: str | Path | None = None,
    scenes: SceneRecipe | None = None,
    start: str | Path | None = None,
    device: str = "cpu",
    workers: int = 0,
    checked_on: int = 300,
) -> Path:
    """Train both stages and write the weights; a training that was stopped resumes.

    Args:
        folder: checkpoints, logs and weights go here.
        minutes: wall clock of both stages together, nine parts seeing, eleven parts talking.
        steps: exactly so many steps of each stage instead.
        resume: resume from what is in `folder`.
        vision: how to train stage one; minutes and steps are overridden.
        language: how to train stage two, likewise.
        tower: a folder of weights whose visual tower is taken as it is; then only stage two is
            trained, and has all the minutes.
        scenes: what half of the scenes to learn from are like, the others are of other worlds; by
            default as `SceneRecipe` says.
        start: a folder of weights to start from; its vocabulary is kept. `vision` and `language`
            are by default the `WARM_START` of their modules, on CUDA the `CUDA_WARM_START`.
        device: where the networks are trained.
        workers: processes that draw; 0: this one.
        checked_on: scenes of each kind on which stage one is checked.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: there are no weights in `start` or `tower`.
    """
    folder, place = Path(folder), set_up(device)
    bank, start_model = best_bank(), None
    if start is None:
        vision_recipe, language_recipe = vision or VisionRecipe(), language or LanguageRecipe()
        tokenizer = QwenVLTokenizer(_ranks(folder / "segue.tiktoken", language_recipe.leave_out))
    else:
        start_model, processor = load(Path(start), dtype="float32", device="cpu")
        on_cuda = place.type == "cuda"
        vision_recipe = vision or (
            vision_stage.CUDA_WARM_START if on_cuda else vision_stage.WARM_START
        )
        language_recipe = language or (CUDA_WARM_START if on_cuda else WARM_START)
        language_recipe = replace(language_recipe, layers=len(start_model.transformer.h))
        tokenizer, scenes = processor.tokenizer, scenes or WARM_START_SCENES
    draw = partial(render_some_world, bank=bank.trainable(), recipe=scenes or SceneRecipe())
    share = _VISION_SHARE if tower is None else 0.0
    if tower is None:
        vision_recipe = replace(vision_recipe, minutes=minutes * share, steps=steps)
        tower_state = train_vision(
            draw,
            folder / "vision",
            vision_recipe,
            _check_sets(bank, checked_on),
            resume,
            None if start_model is None else start_model.transformer.visual,
            None if start_model is None else _words(start_model, tokenizer),
            place,
            workers,
        ).tower.state_dict()
    else:
        tower_model, _ = load(Path(tower), dtype="float32", device="cpu")
        tower_state = tower_model.transformer.visual.state_dict()
    language_recipe = replace(language_recipe, minutes=minutes * (1 - share), steps=steps)
    model = train_language(
        draw,
        folder / "language",
        tokenizer,
        tower_state,
        language_recipe,
        resume,
        start_model,
        place,
        workers,
    )
    write_weights(model, tokenizer, folder / "weights")
    return folder / "weights"


def _words(model: QwenVLForCausalLM, tokenizer: QwenVLTokenizer) -> Tensor:
    """Return the embeddings of the nouns in English and Chinese, (2, 96, 256)."""
    embeddings = model.transformer.wte(noun_table(tokenizer))  # (96, 2, 256)
    return embeddings.detach().transpose(0, 1).clone()


def _check_sets(bank: SpriteBank, size: int) -> dict[str, SceneArrays]:
    """Draw the scenes that stage one is checked on."""
    drawings = {"scenes": bank.trainable()}
    if HELD_OUT_STYLE in bank.styles:
        drawings["style"] = bank.only(HELD_OUT_STYLE)
    recipe = SceneRecipe(restyle=0.0)
    return {
        name: draw_arrays(size, _CHECK_SEEDS[name], drawings_of_kind, recipe)
        for name, drawings_of_kind in drawings.items()
    }


def _ranks(path: Path, leave_out: tuple[str, ...]) -> dict[bytes, int]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ranks(build_ranks(leave_out=leave_out), path)
    return read_ranks(path)
