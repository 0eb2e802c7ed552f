"""Greedy replies to many questions about many pictures, for measuring.

Every question about a picture begins alike, up to the picture's end: that part is computed once a
picture, and what it left in the cache is shared by all questions about it. Questions in whose
conversation another picture was shown before are asked as they are. The replies are those of
`generate`.
"""

from collections.abc import Iterator, Sequence
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

_IMAGES_AT_ONCE = 50
"""How many pictures' beginnings are held at a time."""
_EXTRA_TOKENS = 60
"""A reply is cut when it is so many tokens longer than the longest that is expected beside it."""


@dataclass(frozen=True)
class Query:
    """A question with picture number `picture`.

    `previous_turn` is the question and reply of the turn before it, if there was one. That turn
    showed the same picture, or number `earlier_image` where given, and then `picture` is shown with
    the question. `expected` is a reply of about the right length: questions that take equally long
    are answered together.
    """

    picture: int
    text: str
    previous_turn: tuple[str, str] | None = None
    expected: str = ""
    earlier_image: int | None = None


@torch.no_grad()
def generate_replies(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    images: Sequence[NDArray[np.uint8]],
    queries: Sequence[Query],
    *,
    batch: int = 96,
    max_tokens: int = 160,
) -> list[str]:
    """Answer all queries greedily.

    Args:
        model: the chat model.
        processor: its processor.
        images: (H, W, 3) uint8 each.
        queries: questions about these images.
        batch: questions that are answered together.
        max_tokens: the longest reply.

    Returns:
        The replies, in the order of the queries.
    """
    texts = [""] * len(queries)
    two_images = [number for number, query in enumerate(queries) if query.earlier_image is not None]
    step = max(1, batch // 4)
    for start in range(0, len(two_images), step):
        chunk = two_images[start : start + step]
        prompts = [_prompt(processor, images, queries[number]) for number in chunk]
        replies = _generate(model, processor, prompts, max_tokens)
        for number, text in zip(chunk, replies, strict=True):
            texts[number] = text
    for first in range(0, len(images), _IMAGES_AT_ONCE):
        window = range(first, min(first + _IMAGES_AT_ONCE, len(images)))
        numbers = [
            number
            for number, query in enumerate(queries)
            if query.earlier_image is None and query.picture in window
        ]
        if numbers:
            replies_by_number = _with_shared_images(
                model, processor, images, queries, window, numbers, batch, max_tokens
            )
            for number, text in replies_by_number:
                texts[number] = text
    return texts


def _with_shared_images(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    images: Sequence[NDArray[np.uint8]],
    queries: Sequence[Query],
    window: range,
    numbers: list[int],
    batch: int,
    max_tokens: int,
) -> Iterator[tuple[int, str]]:
    """Answer the queries of these numbers, all about images of a window, which are encoded once."""
    prompt_ids = {number: _prompt(processor, images, queries[number]).ids for number in numbers}
    sizes = {n: len(processor.tokenizer.encode_markup(queries[n].expected)) for n in numbers}
    numbers.sort(key=sizes.__getitem__)
    prefix = prompt_ids[numbers[0]][: _shared_length(processor, prompt_ids[numbers[0]])]
    shared_cache = _encode_shared(model, processor, images[window.start : window.stop], prefix)
    for start in range(0, len(numbers), batch):
        chunk = numbers[start : start + batch]
        rows = torch.tensor([queries[number].picture - window.start for number in chunk])
        tails = [prompt_ids[number][len(prefix) :] for number in chunk]
        limit = max_tokens
        if all(queries[number].expected for number in chunk):
            limit = min(max_tokens, sizes[chunk[-1]] + _EXTRA_TOKENS)
        cache = [(keys[rows], values[rows]) for keys, values in shared_cache]
        generated_ids = _continue(model, processor, cache, tails, limit)
        for number, ids in zip(chunk, generated_ids, strict=True):
            yield number, processor.tokenizer.decode(ids, keep="grounding")


def _prompt(
    processor: QwenVLProcessor, images: Sequence[NDArray[np.uint8]], query: Query
) -> Prompt:
    images_shown = (Image(images[query.picture].copy()),)
    if query.previous_turn is None:
        return processor.chat([Message("user", query.text, images_shown)])
    question, reply = query.previous_turn
    if query.earlier_image is None:
        turns = [Message("user", question, images_shown), Message("user", query.text)]
    else:
        first_image = (Image(images[query.earlier_image].copy()),)
        turns = [Message("user", question, first_image), Message("user", query.text, images_shown)]
    return processor.chat([turns[0], Message("assistant", reply), turns[1]])


def _generate(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    prompts: Sequence[Prompt],
    max_tokens: int,
) -> list[str]:
    """Generate a reply to each prompt, whatever images it has."""
    end, batch = processor.tokenizer.turn_end_id, processor.batch(prompts)
    generated_ids = model.generate(
        **batch, max_new_tokens=max_tokens, do_sample=False, eos_token_id=end, pad_token_id=end
    )
    ids = generated_ids[:, batch["input_ids"].shape[1] :].tolist()
    return [processor.tokenizer.decode(row, keep="grounding") for row in ids]


def _shared_length(processor: QwenVLProcessor, ids: Sequence[int]) -> int:
    """Return how many ids all prompts share: those up to the image's end."""
    return list(ids).index(processor.tokenizer.specials["</img>"]) + 1


def _encode_shared(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    images: Sequence[NDArray[np.uint8]],
    ids: Sequence[int],
) -> list[tuple[Tensor, Tensor]]:
    """Return keys and values (N, heads, T, D) of each layer after the shared beginning."""
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


def _continue(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    shared_cache: Sequence[tuple[Tensor, Tensor]],
    tails: Sequence[Sequence[int]],
    max_tokens: int,
) -> list[list[int]]:
    """Generate a reply after each tail, the end of the turn left out."""
    end, fill = processor.tokenizer.turn_end_id, processor.tokenizer.end_of_text_id
    cache = DynamicCache(config=model.config)
    for number, (keys, values) in enumerate(shared_cache):
        cache.update(keys, values, number)
    cache_length, length = cache.get_seq_length(), max(len(tail) for tail in tails)
    ids = torch.full((len(tails), length), fill)
    for row, tail in enumerate(tails):
        ids[row, length - len(tail) :] = torch.tensor(tail)
    lead = torch.tensor([length - len(tail) for tail in tails])[:, None]
    mask = torch.ones(len(tails), cache_length + length, dtype=torch.int64)
    mask[:, cache_length:] = (torch.arange(length) >= lead).long()
    positions = cache_length + (torch.arange(length) - lead).clamp(min=0)
    generated_ids: list[list[int]] = [[] for _ in tails]
    active_rows = list(range(len(tails)))
    for _ in range(max_tokens):
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
            generated_ids[active_rows[row]].append(int(ids[row, 0]))
        if not keep:
            break
        if len(keep) < len(active_rows):
            rows = torch.tensor(keep)
            cache.batch_select_indices(rows)
            ids, mask, positions = ids[rows], mask[rows], positions[rows]
            active_rows = [active_rows[row] for row in keep]
        mask = torch.cat([mask, torch.ones(len(active_rows), 1, dtype=mask.dtype)], 1)
        positions = positions[:, -1:] + 1
    return generated_ids
