"""Sequences that a model has read, kept for the next turn, within a budget of bytes.

Whoever reads a sequence takes it out and gives it back, so that replies may be written in several
threads at once. What is kept changes speed, not words.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

SEQUENCE_BYTES = 2 * 1024**3
FEATURE_BYTES = 256 * 1024**2
"""Of encoded pictures."""


class SizedSequence(Protocol):
    """A sequence that was read, with its keys and values."""

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""


Read = TypeVar("Read", bound=SizedSequence)


class SequencePool(Generic[Read]):
    """Sequences that nobody is reading just now; the longest unused is dropped first."""

    def __init__(self, limit_bytes: int = SEQUENCE_BYTES) -> None:
        """
        Args:
            limit_bytes: for all together; the newest stays even if it alone is over it.
        """
        self.limit_bytes = limit_bytes
        self._sequences: list[Read] = []
        self._lock = threading.Lock()

    def take_best(
        self, shared_length: Callable[[Read], int], take: Callable[[Read, int], tuple[Read, bool]]
    ) -> Read | None:
        """Find the sequence that shares most with what is to be read.

        Args:
            shared_length: how many positions of a sequence can be used; 0: none.
            take: makes of the best one and its shared length what the caller gets, and says
                whether the original leaves the pool. Called under the lock.

        Returns:
            What `take` made; None when no sequence shares anything.
        """
        with self._lock:
            lengths = [shared_length(sequence) for sequence in self._sequences]
            longest = max(lengths, default=0)
            if longest == 0:
                return None
            # Of equal ones the newest: it was used last.
            index = len(lengths) - 1 - lengths[::-1].index(longest)
            sequence, leaves = take(self._sequences[index], longest)
            if leaves:
                del self._sequences[index]
            return sequence

    def give(self, sequence: Read) -> None:
        """Bring a sequence back; the longest unused ones go until the rest fits."""
        with self._lock:
            self._sequences.append(sequence)
            sizes = [kept.size_bytes for kept in self._sequences]
            while len(sizes) > 1 and sum(sizes) > self.limit_bytes:
                del self._sequences[0], sizes[0]

    def clear(self) -> None:
        """Drop all that is not being read."""
        with self._lock:
            self._sequences.clear()

    @property
    def size_bytes(self) -> int:
        """Memory of all sequences."""
        return sum(sequence.size_bytes for sequence in tuple(self._sequences))

    def __len__(self) -> int:
        return len(self._sequences)


def common_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Return how many positions two sequences have in common from the start.

    >>> common_length("abcd", "abxd"), common_length([1, 2], [1, 2, 3])
    (2, 2)
    """
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
