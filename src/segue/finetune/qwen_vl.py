"""Fine-tuning of the native Qwen-VL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segue.chat.qwen_vl import QwenVL
from segue.convert.dialogue import Dialogue, DialogueTurn
from segue.errors import InputError
from segue.finetune.data import open_images, to_messages
from segue.finetune.packing import block_masks_and_positions
from segue.finetune.recipe import Recipe
from segue.models.qwen_vl import QwenVLForCausalLM, load
from segue.models.qwen_vl.checkpoint import read_config, read_processor
from segue.models.qwen_vl.training_examples import IGNORED, Example
from segue.values.image import Image

BLANK_IMAGE = Image(np.zeros((1, 1, 3), np.uint8))
"""Takes the place of a picture where only the length matters."""
_NO_LIMIT = 1_000_000


class TrainableQwenVL:
    """See `TrainableModel`. Pictures always take the same number of tokens."""

    targets = r"transformer\.h\.\d+\.(attn\.(c_attn|c_proj)|mlp\.(w1|w2))"
    vision_target_pattern = (
        r"transformer\.visual\.transformer\.resblocks\.\d+"
        r"\.(attn\.(in_proj|out_proj)|mlp\.(c_fc|c_proj))"
    )
    merger_pattern = r"transformer\.visual\.attn_pool"
    vision = r"transformer\.visual"

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        """Read configuration and vocabulary.

        Raises:
            ModelError: files are missing or do not fit.
            InputError: the recipe asks for what this family does not have.
        """
        if recipe.min_pixels is not None or recipe.max_pixels is not None:
            raise InputError(
                "Qwen-VL resizes every picture to one square: min_pixels and max_pixels have no "
                "meaning for it. Remove them from the recipe."
            )
        self.folder, self.recipe = folder, recipe
        self.config = read_config(folder)
        self.processor = read_processor(folder, self.config)

    def network(self, dtype: torch.dtype, device: torch.device) -> Any:
        """See `TrainableModel.network`."""
        if device.type == "meta":
            with device:
                return QwenVLForCausalLM(self.config).to(dtype)
        return load(self.folder, dtype=dtype, device=device)[0]

    def render(self, turn: DialogueTurn, dialogue: Dialogue) -> str | None:
        """See `TrainableModel.render`; dialogues already use this family's markup."""
        return turn.text

    def count_tokens(self, dialogue: Dialogue) -> int:
        """See `TrainableModel.count_tokens`."""
        return len(self._blank_example(dialogue, _NO_LIMIT).ids)

    def has_labels(self, dialogue: Dialogue) -> bool:
        """See `TrainableModel.has_labels`."""
        labels = self._blank_example(dialogue, self.recipe.max_length).labels
        return any(label != IGNORED for label in labels[1:])  # the first is never predicted

    def _blank_example(self, dialogue: Dialogue, max_length: int) -> Example:
        messages = to_messages(dialogue, [BLANK_IMAGE] * len(dialogue.images))
        return self.processor.example(messages, max_length, self.recipe.mask)

    def example(self, dialogue: Dialogue) -> Example:
        """See `TrainableModel.example`."""
        messages = to_messages(dialogue, open_images(dialogue))
        return self.processor.example(messages, self.recipe.max_length, self.recipe.mask)

    def collate(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """See `TrainableModel.collate`."""
        return self.processor.collate(examples)

    def collate_packed(self, rows: Sequence[Sequence[Example]]) -> dict[str, Tensor]:
        """See `TrainableModel.collate_packed`."""
        joined = [
            Example(
                list(chain.from_iterable(example.ids for example in row)),
                list(chain.from_iterable([IGNORED, *example.labels[1:]] for example in row)),
                tuple(chain.from_iterable(example.pictures for example in row)),
            )
            for row in rows
        ]
        lengths = [[len(example.ids) for example in row] for row in rows]
        mask, positions = block_masks_and_positions(lengths)
        return self.processor.collate(joined) | {"attention_mask": mask, "position_ids": positions}

    def describe_picture_tokens(self) -> str:
        """See `TrainableModel.describe_picture_tokens`."""
        return f"{self.config.visual_config.n_queries + 2} tokens, whatever its size"

    @contextmanager
    def chat(self, network: nn.Module) -> Iterator[QwenVL]:
        """See `TrainableModel.chat`."""
        assert isinstance(network, QwenVLForCausalLM)
        yield QwenVL(network, self.processor, self.recipe.base)
