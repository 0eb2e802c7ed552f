"""Everything between values of this package and tensors of the network, in one object."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segue.models.qwen_vl.configuration import VisualConfig
from segue.models.qwen_vl.pictures import PictureProcessor
from segue.models.qwen_vl.prompts import DEFAULT_SYSTEM, Part, Prompt, PromptBuilder
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer
from segue.models.qwen_vl.training_examples import Example, Labelling, collate, example
from segue.values.message import Message


class QwenVLProcessor:
    """Tokenizer, picture processor and prompt builder of one checkpoint.

    Attributes:
        tokenizer: text to ids and back.
        image_processor: pictures to `pixel_values` (N, 3, S, S) float32.
        prompts: conversations and parts to ids with slots.
        generation: the checkpoint's `generation_config.json`, as it is.
    """

    def __init__(
        self,
        tokenizer: QwenVLTokenizer,
        visual: VisualConfig,
        generation: dict[str, Any] | None = None,
    ) -> None:
        """Join the pieces.

        Args:
            tokenizer: of the checkpoint.
            visual: tells picture size and slots per picture.
            generation: settings; of them `max_window_size` and `default_system` are used here.
        """
        self.tokenizer = tokenizer
        self.generation = dict(generation or {})
        self.image_processor = PictureProcessor(visual.image_size)
        self.prompts = PromptBuilder(
            tokenizer,
            visual.n_queries,
            window=int(self.generation.get("max_window_size", 6144)),
            system=str(self.generation.get("default_system", DEFAULT_SYSTEM)),
        )

    @property
    def chats(self) -> bool:
        """False for a base model, which goes on with text instead of taking turns."""
        return self.generation.get("chat_format", "chatml") == "chatml"

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """Return a conversation, ready for the next reply; see `PromptBuilder.chat`."""
        return self.prompts.chat(messages)

    def complete(self, parts: Sequence[Part]) -> Prompt:
        """Parts, ready to be gone on with; see `completions.py` for what to ask."""
        return self.prompts.sequence(*parts)

    def batch(self, prompts: Sequence[Prompt]) -> dict[str, Tensor]:
        """Pad prompts on the left to one batch for `generate`.

        Returns:
            `input_ids` and `attention_mask` (B, T) int64, and, if there is any picture,
            `pixel_values` (N, 3, S, S) float32.
        """
        length = max(len(prompt.ids) for prompt in prompts)
        input_ids = torch.full((len(prompts), length), self.tokenizer.end_of_text_id)
        attention_mask = torch.zeros_like(input_ids)
        for row, prompt in enumerate(prompts):
            input_ids[row, length - len(prompt.ids) :] = torch.tensor(prompt.ids)
            attention_mask[row, length - len(prompt.ids) :] = 1
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        pictures = [image for prompt in prompts for image in prompt.pictures]
        if pictures:
            batch["pixel_values"] = self.image_processor(pictures)
        return batch

    def example(
        self, messages: Sequence[Message], max_length: int = 2048, mask: Labelling = "qwen"
    ) -> Example:
        """Return a conversation with its labels; see `training_examples.example`."""
        return example(self.prompts, messages, max_length, mask)

    def collate(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Examples as one training batch; see `teaching.collate`."""
        return collate(examples, self.tokenizer.end_of_text_id, self.image_processor)

    def write(self, folder: Path) -> None:
        """Write vocabulary and generation settings into a folder."""
        self.tokenizer.write(folder)
        text = json.dumps(self.generation, indent=2, ensure_ascii=False) + "\n"
        (folder / "generation_config.json").write_text(text, encoding="utf-8")
