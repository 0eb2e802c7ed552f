"""How far a picture is in which everything is segmented; one may take minutes."""

import time
from collections.abc import Callable

SLOW_PICTURE_S = 10.0
"""Of a first picture that takes longer, it is said at once how long each will take."""


class ClickProgress:
    """Told of clicks while a run goes on (`segue.segment.everything.OnClicks`)."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            clock: returns seconds, from any start.
        """
        self._clock = clock
        self._show: Callable[[str], None] | None = None
        self._estimate: Callable[[float], None] | None = None
        self._started = 0.0

    def begin(self, show: Callable[[str], None], estimate: Callable[[float], None]) -> None:
        """Begin with the first picture.

        Args:
            show: shows how far a picture is.
            estimate: told, once, how many seconds a slow picture will take.
        """
        self._show, self._estimate, self._started = show, estimate, self._clock()

    def __call__(self, done: int, total: int) -> None:
        if self._show is None:
            return
        self._show(f"{done} of {total} clicks" if done < total else "")
        seconds = (self._clock() - self._started) * total / done
        if self._estimate is not None and done < total and seconds > SLOW_PICTURE_S:
            self._estimate(seconds)
        self._estimate = None  # later pictures are estimated from whole ones
