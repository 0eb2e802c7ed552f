"""What a model remembers between calls: encoded pictures, and sequences it has read.

Memory changes speed, not what is computed. Whoever reads a sequence takes it out and brings it
back, so that replies may be written in several threads at once.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from segue.models.qwen_vl.cache import GrowingCache

FEATURE_BYTES = 256 * 1024**2
SEQUENCE_BYTES = 2 * 1024**3
WORTH_SHARING = 16
"""A shared beginning of fewer positions is read anew rather than copied."""


class FeatureMemory:
    """Features of pictures by content, the longest unused forgotten first."""

    def __init__(self, limit_bytes: int = FEATURE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Tensor | None:
        """Features (queries, D) of a picture, if they are remembered."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    @property
    def size_bytes(self) -> int:
        """Memory of all features."""
        return sum(map(_size, tuple(self._held.values())))

    def put(self, key: str, features: Tensor) -> None:
        """Remember features (queries, D)."""
        with self._lock:
            self._held[key] = features
            while len(self._held) > 1 and self.size_bytes > self.limit_bytes:
                self._held.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()


@dataclass(eq=False)
class ReadSequence:
    """A sequence that has been read: what stood at each position, and the cache of it."""

    keys: list[Hashable] = field(default_factory=list)
    """An id, or for a picture's slot the digest of the picture."""
    cache: GrowingCache = field(default_factory=GrowingCache)

    @property
    def size_bytes(self) -> int:
        """Memory of the cache, spare room included, and of the keys."""
        return self.cache.size_bytes + 40 * len(self.keys)

    def cut(self, length: int) -> None:
        """Forget what stands behind the first `length` positions."""
        self.cache.cut(length)
        del self.keys[length:]

    @torch.inference_mode()
    def copy(self, length: int) -> "ReadSequence":
        """A second sequence that has read the same first `length` positions."""
        twin = ReadSequence(self.keys[:length])
        for index, layer in enumerate(self.cache.layers):
            twin.cache.update(layer.keys[:, :, :length], layer.values[:, :, :length], index)
        twin.cache.ntk_alpha = self.cache.ntk_alpha
        return twin


class SequenceMemory:
    """Sequences that nobody is reading just now, the longest unused forgotten first."""

    def __init__(self, limit_bytes: int = SEQUENCE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: list[ReadSequence] = []
        self._lock = threading.Lock()

    def take(self, keys: Sequence[Hashable], alpha: float) -> ReadSequence:
        """Take out what has been read of a sequence.

        Args:
            keys: the sequence that is to be read.
            alpha: the rotary stretch it will be read with; what was read with another does not
                count.

        Returns:
            A sequence whose keys are a beginning of `keys`, possibly empty; the caller owns it.
        """
        with self._lock:
            best, shared = None, 0
            for held in self._held:
                if held.cache.ntk_alpha == alpha:
                    length = common_length(held.keys, keys)
                    if length >= max(shared, 1):
                        best, shared = held, length
            if best is None:
                return ReadSequence()
            # Go on with a sequence if most of it is wanted; else leave it to its conversation.
            if 2 * shared >= len(best.keys):
                self._held.remove(best)
                best.cut(shared)
                return best
            return best.copy(shared) if shared >= WORTH_SHARING else ReadSequence()

    def give(self, sequence: ReadSequence) -> None:
        """Bring a sequence back."""
        if not sequence.keys:
            return
        with self._lock:
            self._held.append(sequence)
            while len(self._held) > 1 and self.size_bytes > self.limit_bytes:
                del self._held[0]

    def clear(self) -> None:
        """Forget all that is not being read."""
        with self._lock:
            self._held.clear()

    @property
    def size_bytes(self) -> int:
        """Memory of all sequences."""
        return sum(held.size_bytes for held in tuple(self._held))


def common_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """How many positions two sequences have in common from the start."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
