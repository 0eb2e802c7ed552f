"""Conversations as training examples.

Two ways of labelling: "qwen", that of the published fine-tuning recipe, learns of a user's or the
system's turn the frame (`<|im_start|>`, `<|im_end|>`, the newline after it) and of the assistant's
turn also every word; "assistant" learns the assistant's words and its `<|im_end|>`, nothing else.
Role names never are learned.

The published script reads special tokens out of every text, a user's `<|im_end|>` too. Here text
stays text; `live` brings the published reading back for files that are known to be harmless.

Source: the fine-tuning script published with Qwen-VL in 2023.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segue.errors import InputError
from segue.models.qwen_vl.pictures import Picture, PictureProcessor
from segue.models.qwen_vl.prompts import Markup, PromptBuilder, question
from segue.models.qwen_vl.tokenizer import PICTURE_END, PICTURE_PAD, PICTURE_START, SPECIALS
from segue.values.message import Message

IGNORED = -100
READ_AS_PUBLISHED = frozenset(SPECIALS) - {PICTURE_START, PICTURE_END, PICTURE_PAD}
"""What the published script reads from texts, pictures left aside: those are never text here."""
Labelling = Literal["qwen", "assistant"]


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation to learn from."""

    ids: list[int]
    labels: list[int]
    """As long as `ids`; -100 where nothing is learned."""
    pictures: tuple[Picture, ...] = ()


def example(
    builder: PromptBuilder,
    messages: Sequence[Message],
    max_length: int,
    mask: Labelling = "qwen",
    *,
    live: Collection[str] = (),
) -> Example:
    """Turn a conversation into ids and labels.

    Args:
        builder: makes the ids.
        messages: an optional system message, then user and assistant in turn; assistant turns
            before the first user turn are left out.
        max_length: cut behind so many ids. A picture that would be cut in two is left out with
            all that follows it.
        mask: what is learned; see the module.
        live: special tokens that are read from all texts, such as those of `READ_AS_PUBLISHED`;
            none by default. Only for texts that nobody else wrote.

    Raises:
        InputError: there is no assistant turn to learn, or `live` would let text open a picture.
    """
    if opening := sorted({PICTURE_START, PICTURE_END, PICTURE_PAD} & set(live)):
        raise InputError(f"Text never opens a picture; take {', '.join(opening)} out of live.")
    spoken = [m for m in messages if m.role != "system"]
    while spoken and spoken[0].role != "user":
        spoken.pop(0)
    if not any(m.role == "assistant" for m in spoken):
        raise InputError(
            "A conversation to learn from must hold an answer, got "
            f"{[m.role for m in messages]}. Add an assistant message."
        )
    system = [m.text for m in messages if m.role == "system"] or [builder.system]
    head = builder.turn("system", "\n".join(system), live=live).ids
    ids, labels = _label_mask(builder, "system", head, mask)
    pictures: list[Picture] = []
    for message in spoken:
        parts = question(message, len(pictures))
        if message.role == "assistant":
            parts = [Markup(message.text)]
        turn = builder.turn(message.role, *parts, live=live)
        pictures += turn.pictures
        more_ids, more_labels = _label_mask(builder, message.role, turn.ids, mask)
        ids, labels = ids + more_ids, labels + more_labels
    end, n_pictures = _window_of_turns(builder, ids, max_length)
    return Example(ids[:end], labels[:end], tuple(pictures[:n_pictures]))


def _label_mask(
    builder: PromptBuilder, role: str, ids: list[int], mask: Labelling
) -> tuple[list[int], list[int]]:
    """Ids of one turn with the newline behind it, and their labels."""
    newline = builder.tokenizer.encode("\n")
    n_role = len(builder.tokenizer.encode(role)) + len(newline)
    body = ids[1 + n_role : -1]
    spoken = role == "assistant"
    learned = body if spoken else [IGNORED] * len(body)
    if mask == "qwen":
        return ids + newline, [ids[0], *[IGNORED] * n_role, *learned, ids[-1], *newline]
    end = ids[-1] if spoken else IGNORED
    return ids + newline, [*[IGNORED] * (1 + n_role), *learned, end, *[IGNORED] * len(newline)]


def _window_of_turns(builder: PromptBuilder, ids: list[int], max_length: int) -> tuple[int, int]:
    """Where to cut, and how many pictures are whole before that."""
    start, span = builder.tokenizer.picture_start_id, builder.n_slots + 2
    n_pictures = 0
    for position, token_id in enumerate(ids):
        if token_id == start:
            if position + span > max_length:
                return min(position, max_length), n_pictures
            n_pictures += 1
    return min(len(ids), max_length), n_pictures


def collate(
    examples: Sequence[Example], pad_id: int, pictures: PictureProcessor
) -> dict[str, Tensor]:
    """Pad examples on the right to one batch.

    Returns:
        `input_ids`, `labels` (B, T) int64, `attention_mask` (B, T), 0 at every `pad_id`, and, if
        there is any picture, `pixel_values` (N, 3, S, S) float32.
    """
    length = max(len(example.ids) for example in examples)
    shape = (len(examples), length)
    batch = {
        "input_ids": torch.full(shape, pad_id),
        "labels": torch.full(shape, IGNORED),
    }
    for row, example in enumerate(examples):
        batch["input_ids"][row, : len(example.ids)] = torch.tensor(example.ids)
        batch["labels"][row, : len(example.ids)] = torch.tensor(example.labels)
    batch["attention_mask"] = (batch["input_ids"] != pad_id).long()
    batch_pictures = [image for example in examples for image in example.pictures]
    if batch_pictures:
        batch["pixel_values"] = pictures(batch_pictures)
    return batch
