"""What differs between the families of models that can be taught."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from segue.chat import ChatModel
from segue.convert.dialogue import Dialogue, Turn
from segue.errors import InputError, ModelError
from segue.finetune.recipe import Recipe
from segue.runtime.weights import locate, read_json


class Pupil(Protocol):
    """A chat model that is about to learn: its processor, and how its network is made."""

    folder: Path
    """Where its weights and its processor's files are."""
    targets: str
    """Pattern of the names of the language model's layers that LoRA adapts by default."""
    vision_targets: str
    """Pattern of the layers of the vision tower that can be adapted."""
    merger: str
    """Pattern of the modules that join vision and language."""
    vision: str
    """Pattern of the module that holds the vision side."""

    def network(self, dtype: torch.dtype, device: torch.device) -> Any:
        """The network with its weights; on the device "meta" without."""

    def wording(self, turn: Turn, dialogue: Dialogue) -> str | None:
        """A turn's text as this model would write it; None where it cannot be said."""

    def length(self, dialogue: Dialogue) -> int:
        """Tokens of a dialogue, pictures included; no picture is decoded."""

    def teaches(self, dialogue: Dialogue) -> bool:
        """Whether anything is left to learn of a dialogue that is cut at `max_length`."""

    def example(self, dialogue: Dialogue) -> Any:
        """Ids, labels and pictures of one dialogue."""

    def collate(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        """Examples as one batch."""

    def picture_tokens(self) -> str:
        """How many tokens a picture takes, for people."""

    def chat(self, network: nn.Module) -> AbstractContextManager[ChatModel]:
        """The network as a chat model that answers questions, for as long as the context."""


def base_folder(base: str) -> Path:
    """Where a base lies on this machine: a nickname, a folder, or a hub id.

    Raises:
        ModelError: it is not there, or cannot be fetched.
        InputError: it is none of these.
    """
    from segue.assistant.presets import CARDS
    from segue.chat.adapter import CONFIG

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


def pupil_of(recipe: Recipe) -> Pupil:
    """The pupil that a recipe names.

    Raises:
        ModelError: the base is missing, or of a kind that cannot be taught.
    """
    folder = base_folder(recipe.base)
    model_type = read_json(folder, "config.json").get("model_type") if folder.is_dir() else None
    if model_type == "qwen":
        from segue.finetune.qwen_vl import QwenVLPupil

        return QwenVLPupil(folder, recipe)
    from segue.finetune.transformers import KNOWN, TransformersPupil

    if model_type in KNOWN:
        return TransformersPupil(folder, recipe)
    raise ModelError(
        f"{folder} holds a model of type {model_type!r}, which cannot be fine-tuned here. "
        "Give a Qwen-VL of 2023, or an image-text-to-text model of transformers."
    )
