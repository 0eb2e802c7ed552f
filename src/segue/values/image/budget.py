"""One budget of pixels for the whole process: what is decoded at the same time waits its turn.

A limit for each picture bounds one caller; this bounds all of them together. Whoever comes first is
served first. A picture that is larger than the budget is decoded alone.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

DEFAULT_PIXELS = 100_000_000
"""As many as the largest picture that is accepted by default, about 1.2 GB while it is decoded."""


class PixelBudget:
    """Pixels that may be in flight together. Safe to share between threads; not re-entrant."""

    def __init__(self, pixels: int = DEFAULT_PIXELS) -> None:
        self.limit = pixels
        self._condition = threading.Condition()
        self._queue: deque[object] = deque()
        self._reserved = 0

    @property
    def reserved_pixels(self) -> int:
        """How many are in flight."""
        return self._reserved

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._queue)

    @contextmanager
    def reserved(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels, and hold it."""
        ticket = object()
        with self._condition:
            self._queue.append(ticket)
            try:
                self._condition.wait_for(
                    lambda: self._queue[0] is ticket and self._has_room(pixels)
                )
                self._reserved += pixels
            finally:
                self._queue.remove(ticket)
                self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._reserved -= pixels
                self._condition.notify_all()

    def _has_room(self, pixels: int) -> bool:
        return self._reserved == 0 or self._reserved + pixels <= self.limit


PIXELS = PixelBudget()
"""The budget of this process."""
