"""How much may be remembered: one number, split over everything that is kept to save time.

What is kept changes speed, never words: views (pictures that a segmenter has encoded), features
(pictures that a chat model has encoded), sequences (conversations that a chat model has read), and
what a detector's backbone made of pictures, and
the pictures and conversations of a server. Weights and the work itself come on top.
"""

import re
from dataclasses import dataclass

from segue.errors import InputError
from segue.runtime.device import free_memory_bytes

LEAST_BYTES = 64 * 2**20
MOST_BY_DEFAULT_BYTES = 2 * 2**30
SHARE_BY_DEFAULT = 0.25
"""Of the memory that is free at the start."""

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?|)b?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """Bytes for everything that is remembered, and how they are split.

    >>> MemoryBudget(1000_000_000).parts["views"]
    250000000
    """

    total: int

    def __post_init__(self) -> None:
        """Refuse too little.

        Raises:
            InputError: it is too little to work with.
        """
        if self.total < LEAST_BYTES:
            raise InputError(
                f"A memory budget must be at least {LEAST_BYTES // 2**20} MiB, got {self.total} "
                "bytes. Give more."
            )

    @property
    def parts(self) -> dict[str, int]:
        """What each kind may hold, in bytes. The last two belong to a server."""
        shares = {
            "views": 25, "sequences": 30, "features": 10, "detector": 5, "pictures": 10,
            "conversations": 20,
        }  # fmt: skip
        return {name: self.total * share // 100 for name, share in shares.items()}

    @classmethod
    def of_machine(cls) -> "MemoryBudget":
        """Return a quarter of what is free now, 2 GiB at most."""
        share_bytes = int(free_memory_bytes() * SHARE_BY_DEFAULT)
        return cls(max(LEAST_BYTES, min(MOST_BY_DEFAULT_BYTES, share_bytes)))

    @classmethod
    def parse(cls, text: str) -> "MemoryBudget":
        """Return a budget from "2GiB", "500 MB" or a number of bytes.

        Raises:
            InputError: it is something else, or too little.

        >>> MemoryBudget.parse("1.5GiB").total
        1610612736
        """
        return cls(parse_size(text, "A memory budget"))


def parse_size(text: str, thing: str) -> int:
    """Return the bytes of "2GiB", "500 MB" or a number of bytes.

    Args:
        text: the size.
        thing: what it is the size of, for the message.

    Raises:
        InputError: it is something else.

    >>> parse_size("1.5 kB", "A budget")
    1500
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InputError(f"{thing} must be a size like '2GiB' or '500MB', got {text[:40]!r}.")
    number, unit = match.groups()
    return int(float(number) * _UNITS[unit.lower()])
