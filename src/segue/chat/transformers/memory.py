"""What a model remembers between replies: sequences it has read, and pictures it has encoded.

Memory changes speed, not words: a sequence is gone on with only where it is the same tokens and
the same pictures from the start.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from segue.models.qwen_vl.memory import common_length

SEQUENCE_BYTES = 2 * 1024**3
FEATURE_BYTES = 256 * 1024**2


@dataclass(eq=False)
class ReadSequence:
    """A sequence that has been read."""

    pictures: tuple[str, ...] = ()
    """Digests of the pictures in it, all of them whole."""
    ids: list[int] = field(default_factory=list)
    cache: Any = None
    """The keys and values of `ids`; None before anything was read."""

    @property
    def size_bytes(self) -> int:
        layers = self.cache.layers if self.cache is not None else ()
        return sum(t.numel() * t.element_size() for la in layers for t in (la.keys, la.values))


class SequenceMemory:
    """Sequences that nobody is reading just now, the longest unused forgotten first."""

    def __init__(self, limit_bytes: int = SEQUENCE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: list[ReadSequence] = []
        self._lock = threading.Lock()

    def take(
        self, ids: Sequence[int], pictures: Sequence[str], slots: Collection[int]
    ) -> ReadSequence:
        """Take out what has been read of a sequence; the caller owns it.

        Args:
            ids: the whole sequence; its last id is always left to be read.
            pictures: digests of its pictures, in order.
            slots: ids that stand for a piece of a picture.
        """
        with self._lock:
            best, shared = None, 0
            for held in self._held:
                length = common_length(held.ids, ids[:-1])
                whole = not any(token in slots for token in held.ids[length:])
                same = tuple(pictures[: len(held.pictures)]) == held.pictures
                if whole and same and length > shared:
                    best, shared = held, length
            if best is None:
                return ReadSequence()
            self._held.remove(best)
        return ReadSequence(best.pictures, best.ids[:shared], cut(best.cache, shared))

    def give(self, sequence: ReadSequence) -> None:
        """Bring a sequence back."""
        if not can_be_cut(sequence.cache) or not sequence.ids:
            return
        with self._lock:
            self._held.append(sequence)
            while len(self._held) > 1 and self.size_bytes > self.limit_bytes:
                del self._held[0]

    @property
    def size_bytes(self) -> int:
        """Memory of all sequences."""
        return sum(held.size_bytes for held in tuple(self._held))

    def clear(self) -> None:
        """Forget all that is not being read."""
        with self._lock:
            self._held.clear()


def can_be_cut(cache: Any) -> bool:
    """True for a cache of plain attention: sliding windows and recurrent states have no past."""
    return cache is not None and all(type(layer) is DynamicLayer for layer in cache.layers)


@torch.inference_mode()
def cut(cache: Any, length: int) -> Any:
    """The first `length` positions of a cache."""
    if cache.get_seq_length() == length:
        return cache
    shorter = DynamicCache()
    for index, layer in enumerate(cache.layers):
        shorter.update(layer.keys[..., :length, :], layer.values[..., :length, :], index)
    return shorter


class PictureFeatureMemory:
    """Features of the pictures that a model saw last, by their pixels."""

    def __init__(self, limit_bytes: int = FEATURE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: OrderedDict[str, Any] = OrderedDict()

    def of(self, key: str, encode: Callable[[], Any]) -> Any:
        """The features of a picture; `encode` makes them when they are not here."""
        if key not in self._held:
            self._held[key] = encode()
            while len(self._held) > 1 and self.size_bytes > self.limit_bytes:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()

    @property
    def size_bytes(self) -> int:
        """Memory of all features."""
        return sum(map(_size, tuple(self._held.values())))


def remember_features(model: Any, limit_bytes: int = FEATURE_BYTES) -> PictureFeatureMemory:
    """Let a model keep the features of the pictures it saw last; returns where it keeps them."""
    memory = PictureFeatureMemory(limit_bytes)
    encode = getattr(model.base_model, "get_image_features", None)
    if encode is None:
        return memory

    @functools.wraps(encode)
    def remembering(*args: Any, **kwargs: Any) -> Any:
        key = _digest([*args, *sorted(kwargs.items())])
        return memory.of(key, functools.partial(encode, *args, **kwargs))

    model.base_model.get_image_features = remembering
    model.forget_features = memory.clear
    return memory


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
