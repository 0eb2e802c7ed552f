"""What differs between the families of models that can be fine-tuned."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from segue.chat import ChatModel
from segue.convert.dialogue import Dialogue, DialogueTurn


class TrainableModel(Protocol):
    """A chat model that can be fine-tuned: its processor, and how its network is built."""

    folder: Path
    """Where its weights and its processor's files are."""
    targets: str
    """Pattern of the names of the language model's layers that LoRA adapts by default."""
    vision_target_pattern: str
    """Pattern of the layers of the vision tower that can be adapted."""
    merger_pattern: str
    """Pattern of the modules that join vision and language."""
    vision: str
    """Pattern of the module that holds the vision side."""

    def network(self, dtype: torch.dtype, device: torch.device) -> Any:
        """Build the network with its weights; on the device "meta" without."""

    def render(self, turn: DialogueTurn, dialogue: Dialogue) -> str | None:
        """Return a turn's text in this model's markup; None where it cannot be expressed."""

    def count_tokens(self, dialogue: Dialogue) -> int:
        """Count the tokens of a dialogue, pictures included; no picture is decoded."""

    def has_labels(self, dialogue: Dialogue) -> bool:
        """Return True when a dialogue truncated at `max_length` still has labels to learn."""

    def example(self, dialogue: Dialogue) -> Any:
        """Return ids, labels and pictures of one dialogue."""

    def collate(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        """Collate examples into one batch."""

    def collate_packed(self, rows: Sequence[Sequence[Any]]) -> dict[str, Tensor]:
        """Collate rows of several examples that do not see one another; see `packing`."""

    def describe_picture_tokens(self) -> str:
        """Describe for the user how many tokens a picture takes."""

    def chat(self, network: nn.Module) -> AbstractContextManager[ChatModel]:
        """Wrap the network as a chat model that answers questions while the context is open."""
