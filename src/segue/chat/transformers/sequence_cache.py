"""What a model of transformers keeps between replies: sequences it has read, encoded pictures.

It changes speed, not words: a sequence is continued only where it is the same tokens and the same
pictures from the start.
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from segue.models.decoding.sequence_pool import FEATURE_BYTES, SequencePool, common_length
from segue.runtime.byte_cache import ByteCache


@dataclass(eq=False)
class CachedTokens:
    """A sequence of tokens that was read."""

    pictures: tuple[str, ...] = ()
    """Digests of the pictures in it, all of them complete."""
    ids: list[int] = field(default_factory=list)
    cache: Any = None
    """The keys and values of `ids`; None before anything was read."""

    @property
    def size_bytes(self) -> int:
        """Memory of the keys and values."""
        layers = self.cache.layers if self.cache is not None else ()
        return sum(t.numel() * t.element_size() for la in layers for t in (la.keys, la.values))


def take_tokens(
    pool: SequencePool[CachedTokens],
    ids: Sequence[int],
    pictures: Sequence[str],
    slots: Collection[int],
) -> CachedTokens:
    """Take out what has been read of a sequence; the caller owns it.

    Args:
        pool: where sequences are kept.
        ids: the whole sequence; its last id is always left to be read.
        pictures: digests of its pictures, in order.
        slots: ids that stand for a piece of a picture.
    """

    def shared_length(sequence: CachedTokens) -> int:
        length = common_length(sequence.ids, ids[:-1])
        has_whole_pictures = not any(token in slots for token in sequence.ids[length:])
        has_same_pictures = tuple(pictures[: len(sequence.pictures)]) == sequence.pictures
        return length if has_whole_pictures and has_same_pictures else 0

    def take(sequence: CachedTokens, shared: int) -> tuple[CachedTokens, bool]:
        cache = truncate_cache(sequence.cache, shared)
        return CachedTokens(sequence.pictures, sequence.ids[:shared], cache), True

    return pool.take_best(shared_length, take) or CachedTokens()


def is_truncatable(cache: Any) -> bool:
    """Return whether this is a cache of plain attention: sliding windows have no past."""
    return cache is not None and all(type(layer) is DynamicLayer for layer in cache.layers)


@torch.inference_mode()
def truncate_cache(cache: Any, length: int) -> Any:
    """Return the first `length` positions of a cache."""
    if cache.get_seq_length() == length:
        return cache
    shorter = DynamicCache()
    for index, layer in enumerate(cache.layers):
        shorter.update(layer.keys[..., :length, :], layer.values[..., :length, :], index)
    return shorter


def remember_features(model: Any, limit_bytes: int = FEATURE_BYTES) -> ByteCache[str, Any]:
    """Let a model keep the features of the pictures it encoded last; return where they are."""
    features: ByteCache[str, Any] = ByteCache(limit_bytes, size_of=_size)
    encode = getattr(model.base_model, "get_image_features", None)
    if encode is None:
        return features

    @functools.wraps(encode)
    def encode_once(*args: Any, **kwargs: Any) -> Any:
        key = _digest([*args, *sorted(kwargs.items())])
        return features.get_or_compute(key, functools.partial(encode, *args, **kwargs))

    model.base_model.get_image_features = encode_once
    model.forget_features = features.clear
    return features


def _digest(values: Sequence[Any]) -> str:
    state = blake2b(digest_size=20)
    for value in values:
        name, value = value if isinstance(value, tuple) else ("", value)
        state.update(f"{name}:{type(value).__name__}".encode())
        if isinstance(value, Tensor):
            state.update(f"{tuple(value.shape)}{value.dtype}".encode())
            state.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        else:
            state.update(repr(value).encode())
    return state.hexdigest()


def _size(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 0
