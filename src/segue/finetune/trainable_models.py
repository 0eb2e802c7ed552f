"""Find the base model that a recipe names, and make it trainable."""

from difflib import get_close_matches
from pathlib import Path

from segue.assistant.presets import CARDS
from segue.chat.adapter import CONFIG
from segue.errors import InputError, ModelError
from segue.finetune.qwen_vl import TrainableQwenVL
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel
from segue.finetune.transformers import KNOWN, TrainableTransformers
from segue.runtime.weights import locate, read_json


def base_folder(base: str) -> Path:
    """Where a base lies on this machine: a nickname, a folder, or a hub id.

    Raises:
        ModelError: it is not there, or cannot be fetched.
        InputError: it is none of these.
    """
    card = CARDS.get(base)
    if card is not None and card.kind == "chat":
        return locate(card.source)
    place = Path(base).expanduser()
    beside = "+" in base and not place.exists()
    if beside or any((folder / CONFIG).is_file() for folder in (place, place / "adapter")):
        raise InputError(
            f"A base must be a whole model, got the adapter {base!r}. Merge it first: "
            "segue merge ADAPTER --out FOLDER"
        )
    try:
        return locate(base)
    except InputError as error:
        chats = [name for name, card in CARDS.items() if card.kind == "chat"]
        near = get_close_matches(base, chats, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"There is no base {base!r}: it is no folder here and no nickname.{hint} Give a "
            f"folder, a hub id (owner/name), or one of {', '.join(chats)}."
        ) from error


def load_trainable(recipe: Recipe) -> TrainableModel:
    """The pupil that a recipe names.

    Raises:
        ModelError: the base is missing, or of a kind that cannot be taught.
    """
    folder = base_folder(recipe.base)
    model_type = read_json(folder, "config.json").get("model_type") if folder.is_dir() else None
    if model_type == "qwen":
        return TrainableQwenVL(folder, recipe)
    if model_type in KNOWN:
        return TrainableTransformers(folder, recipe)
    raise ModelError(
        f"{folder} holds a model of type {model_type!r}, which cannot be fine-tuned here. "
        "Give a Qwen-VL of 2023, or an image-text-to-text model of transformers."
    )
