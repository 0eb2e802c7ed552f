"""Sequences that the native Qwen-VL has read, with the keys and values of each position."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch

from segue.models.decoding.sequence_pool import SequencePool, common_length
from segue.models.qwen_vl.cache import GrowingCache

MIN_SHARED = 16
"""A shared beginning of fewer positions is read anew rather than copied."""


@dataclass(eq=False)
class CachedSequence:
    """A sequence that was read: what stands at each position, and the cache of it."""

    keys: list[Hashable] = field(default_factory=list)
    """An id, or for a picture's slot the digest of the picture."""
    cache: GrowingCache = field(default_factory=GrowingCache)

    @property
    def size_bytes(self) -> int:
        """Memory of the cache, spare room included, and of the keys."""
        return self.cache.size_bytes + 40 * len(self.keys)

    def truncate(self, length: int) -> None:
        """Drop what stands behind the first `length` positions."""
        self.cache.truncate(length)
        del self.keys[length:]

    @torch.inference_mode()
    def copy(self, length: int) -> "CachedSequence":
        """Return a second sequence that has read the same first `length` positions."""
        twin = CachedSequence(self.keys[:length])
        for index, layer in enumerate(self.cache.layers):
            twin.cache.update(layer.keys[:, :, :length], layer.values[:, :, :length], index)
        twin.cache.ntk_alpha = self.cache.ntk_alpha
        return twin


def take_sequence(
    pool: SequencePool[CachedSequence], keys: Sequence[Hashable], alpha: float
) -> CachedSequence:
    """Take out what has been read of a sequence.

    Args:
        pool: where sequences are kept.
        keys: the sequence that is to be read.
        alpha: the rotary stretch it will be read with; what was read with another does not count.

    Returns:
        A sequence whose keys are a beginning of `keys`, possibly empty; the caller owns it.
    """

    def shared_length(sequence: CachedSequence) -> int:
        return common_length(sequence.keys, keys) if sequence.cache.ntk_alpha == alpha else 0

    def take(sequence: CachedSequence, shared: int) -> tuple[CachedSequence, bool]:
        # Continue a sequence if most of it is wanted; else leave it to its conversation.
        if 2 * shared >= len(sequence.keys):
            sequence.truncate(shared)
            return sequence, True
        return sequence.copy(shared) if shared >= MIN_SHARED else CachedSequence(), False

    return pool.take_best(shared_length, take) or CachedSequence()
