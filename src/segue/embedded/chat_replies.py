"""Greedy replies to many questions about many pictures, for measuring.

Every question about a picture begins alike, up to the picture's end: that part is computed once a
picture, and what it left in the cache is shared by all questions about it. Questions in whose
conversation another picture was shown before are asked as they are. The replies are those of
`generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor
from segue.models.qwen_vl.prompts import Prompt
from segue.values.image import Image
from segue.values.message import Message

_PICTURES = 50
"""How many pictures' beginnings are held at a time."""
_MORE = 60
"""A reply is cut when it is so many tokens longer than the longest that is expected beside it."""


@dataclass(frozen=True)
class Query:
    """A question with picture number `picture`.

    `before` is the question and reply of the turn before it, if there was one. That turn showed
    the same picture, or picture number `earlier` where given, and then `picture` is shown with the
    question. `expected` is a reply of about the right length: questions that take equally long are
    answered together.
    """

    picture: int
    text: str
    before: tuple[str, str] | None = None
    expected: str = ""
    earlier: int | None = None


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
    two = [number for number, query in enumerate(queries) if query.earlier is not None]
    few = max(1, batch // 4)
    for start in range(0, len(two), few):
        some = two[start : start + few]
        prompts = [_prompt(processor, images, queries[number]) for number in some]
        for number, said in zip(some, _generated(model, processor, prompts, longest), strict=True):
            told[number] = said
    for first in range(0, len(images), _PICTURES):
        shown = images[first : first + _PICTURES]
        chosen = [
            number
            for number, query in enumerate(queries)
            if query.earlier is None and first <= query.picture < first + _PICTURES
        ]
        if not chosen:
            continue
        asked = {number: _prompt(processor, images, queries[number]).ids for number in chosen}
        sizes = {n: len(processor.tokenizer.encode_markup(queries[n].expected)) for n in chosen}
        chosen.sort(key=sizes.__getitem__)
        split = _shared(processor, asked[chosen[0]])
        held = _begin(model, processor, shown, asked[chosen[0]][:split])
        for start in range(0, len(chosen), batch):
            some = chosen[start : start + batch]
            rows = torch.tensor([queries[number].picture - first for number in some])
            tails = [asked[number][split:] for number in some]
            known = all(queries[number].expected for number in some)
            most = min(longest, sizes[some[-1]] + _MORE) if known else longest
            made = _go_on(model, processor, [(k[rows], v[rows]) for k, v in held], tails, most)
            for number, ids in zip(some, made, strict=True):
                told[number] = processor.tokenizer.decode(ids, keep="grounding")
    return told


def _prompt(
    processor: QwenVLProcessor, images: Sequence[NDArray[np.uint8]], query: Query
) -> Prompt:
    shown = (Image(images[query.picture].copy()),)
    if query.before is None:
        return processor.chat([Message("user", query.text, shown)])
    question, reply = query.before
    if query.earlier is None:
        turns = [Message("user", question, shown), Message("user", query.text)]
    else:
        first = (Image(images[query.earlier].copy()),)
        turns = [Message("user", question, first), Message("user", query.text, shown)]
    return processor.chat([turns[0], Message("assistant", reply), turns[1]])


def _generated(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    prompts: Sequence[Prompt],
    longest: int,
) -> list[str]:
    """What the model says to each prompt, whatever pictures it has."""
    end, batch = processor.tokenizer.turn_end_id, processor.batch(prompts)
    made = model.generate(
        **batch, max_new_tokens=longest, do_sample=False, eos_token_id=end, pad_token_id=end
    )
    ids = made[:, batch["input_ids"].shape[1] :].tolist()
    return [processor.tokenizer.decode(row, keep="grounding") for row in ids]


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
