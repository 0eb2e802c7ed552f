"""Greedy replies to many questions about many pictures, for measuring.

Every question about a picture begins alike, up to the picture's end: that part is computed once a
picture, and what it left in the cache is shared by all questions about it. The replies are those
of `generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from segue.image import Image
from segue.message import Message
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor

_PICTURES = 50
"""How many pictures' beginnings are held at a time."""
_MORE = 60
"""A reply is cut when it is so many tokens longer than the longest that is expected beside it."""


@dataclass(frozen=True)
class Query:
    """A question about picture number `picture`.

    `before` is the question and reply of the turn before it, if there was one. `expected` is a
    reply of about the right length: questions that take equally long are answered together.
    """

    picture: int
    text: str
    before: tuple[str, str] | None = None
    expected: str = ""


@torch.no_grad()
def replies(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    images: Sequence[NDArray[np.uint8]],
    queries: Sequence[Query],
    *,
    batch: int = 96,
    longest: int = 160,
) -> list[str]:
    """Greedy answers to all queries, in order; images are (H, W, 3) uint8."""
    told = [""] * len(queries)
    for first in range(0, len(images), _PICTURES):
        shown = images[first : first + _PICTURES]
        chosen = [
            number
            for number, query in enumerate(queries)
            if first <= query.picture < first + _PICTURES
        ]
        if not chosen:
            continue
        prompts = {n: _prompt(processor, images[queries[n].picture], queries[n]) for n in chosen}
        sizes = {n: len(processor.tokenizer.encode_markup(queries[n].expected)) for n in chosen}
        chosen.sort(key=sizes.__getitem__)
        split = _shared(processor, prompts[chosen[0]])
        held = _begin(model, processor, shown, prompts[chosen[0]][:split])
        for start in range(0, len(chosen), batch):
            some = chosen[start : start + batch]
            rows = torch.tensor([queries[number].picture - first for number in some])
            tails = [prompts[number][split:] for number in some]
            known = all(queries[number].expected for number in some)
            most = min(longest, sizes[some[-1]] + _MORE) if known else longest
            made = _go_on(model, processor, [(k[rows], v[rows]) for k, v in held], tails, most)
            for number, ids in zip(some, made, strict=True):
                told[number] = processor.tokenizer.decode(ids, keep="grounding")
    return told


def _prompt(processor: QwenVLProcessor, image: NDArray[np.uint8], query: Query) -> list[int]:
    asked = [query.text] if query.before is None else [*query.before, query.text]
    turns = [
        Message("assistant" if place % 2 else "user", text, () if place else (Image(image.copy()),))
        for place, text in enumerate(asked)
    ]
    return processor.chat(turns).ids


def _shared(processor: QwenVLProcessor, ids: Sequence[int]) -> int:
    """How many ids every prompt begins with: those up to the picture's end."""
    return list(ids).index(processor.tokenizer.specials["</img>"]) + 1


def _begin(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    images: Sequence[NDArray[np.uint8]],
    ids: Sequence[int],
) -> list[tuple[Tensor, Tensor]]:
    """Keys and values (N, heads, T, D) of each layer after the shared beginning of each picture."""
    features = model.get_image_features(processor.image_processor(images))
    cache = DynamicCache(config=model.config)
    model(
        input_ids=torch.tensor([list(ids)]).expand(len(images), -1),
        image_features=features,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return [(layer.keys, layer.values) for layer in cache.layers]


def _go_on(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    held: Sequence[tuple[Tensor, Tensor]],
    tails: Sequence[Sequence[int]],
    longest: int,
) -> list[list[int]]:
    """What the model says after each tail, the end of the turn left out."""
    end, fill = processor.tokenizer.turn_end_id, processor.tokenizer.end_of_text_id
    cache = DynamicCache(config=model.config)
    for number, (keys, values) in enumerate(held):
        cache.update(keys, values, number)
    begun, length = cache.get_seq_length(), max(len(tail) for tail in tails)
    ids = torch.full((len(tails), length), fill)
    for row, tail in enumerate(tails):
        ids[row, length - len(tail) :] = torch.tensor(tail)
    lead = torch.tensor([length - len(tail) for tail in tails])[:, None]
    mask = torch.ones(len(tails), begun + length, dtype=torch.int64)
    mask[:, begun:] = (torch.arange(length) >= lead).long()
    positions = begun + (torch.arange(length) - lead).clamp(min=0)
    made: list[list[int]] = [[] for _ in tails]
    going = list(range(len(tails)))
    for _ in range(longest):
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        ids = out.logits[:, -1].argmax(-1, keepdim=True)
        keep = [row for row, token in enumerate(ids[:, 0].tolist()) if token != end]
        for row in keep:
            made[going[row]].append(int(ids[row, 0]))
        if not keep:
            break
        if len(keep) < len(going):
            rows = torch.tensor(keep)
            cache.batch_select_indices(rows)
            ids, mask, positions = ids[rows], mask[rows], positions[rows]
            going = [going[row] for row in keep]
        mask = torch.cat([mask, torch.ones(len(going), 1, dtype=mask.dtype)], 1)
        positions = positions[:, -1:] + 1
    return made
