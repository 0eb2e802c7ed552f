"""What differs between the families of models that can be fine-tuned."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from segue.chat import ChatModel
from segue.convert.dialogue import Dialogue, Turn


class TrainableModel(Protocol):
    """A chat model that can be fine-tuned: its processor, and how its network is made."""

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
