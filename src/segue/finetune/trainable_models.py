"""The base model that a recipe names, found and made trainable."""

from pathlib import Path

from segue.chat.adapter import CONFIG
from segue.errors import InputError, ModelError
from segue.finetune.qwen_vl import TrainableQwenVL
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel
from segue.finetune.transformers import SUPPORTED_MODEL_TYPES, TrainableTransformers
from segue.pipeline.presets import CARDS
from segue.runtime.catalog import nearest_name
from segue.runtime.weights import locate, read_json


def find_base_folder(base: str) -> Path:
    """Return the local folder of a base: a nickname, a folder, or a hub id.

    Raises:
        ModelError: it is missing, or cannot be downloaded.
        InputError: it is none of these.
    """
    card = CARDS.get(base)
    if card is not None and card.kind == "chat":
        return locate(card.source)
    base_path = Path(base).expanduser()
    is_pair = "+" in base and not base_path.exists()
    if is_pair or any((folder / CONFIG).is_file() for folder in (base_path, base_path / "adapter")):
        raise InputError(
            f"A base must be a full model, got the adapter {base!r}. Merge it first: "
            "segue merge ADAPTER --out FOLDER"
        )
    try:
        return locate(base)
    except InputError as error:
        chat_names = [name for name, card in CARDS.items() if card.kind == "chat"]
        near = nearest_name(base, chat_names)
        hint = f" Did you mean {near!r}?" if near is not None else ""
        raise InputError(
            f"There is no base {base!r}: it is neither a folder nor a nickname.{hint} Give a "
            f"folder, a hub id (owner/name), or one of {', '.join(chat_names)}."
        ) from error


def load_trainable_model(recipe: Recipe) -> TrainableModel:
    """Return the trainable model that a recipe names.

    Raises:
        ModelError: the base is missing, or of a type that cannot be fine-tuned.
    """
    folder = find_base_folder(recipe.base)
    model_type = read_json(folder, "config.json").get("model_type") if folder.is_dir() else None
    if model_type == "qwen":
        return TrainableQwenVL(folder, recipe)
    if model_type in SUPPORTED_MODEL_TYPES:
        return TrainableTransformers(folder, recipe)
    raise ModelError(
        f"{folder} holds a model of type {model_type!r}, which cannot be fine-tuned here. "
        "Give a Qwen-VL of 2023, or an image-text-to-text model of transformers."
    )
