"""Which frames of a video are looked at."""

import re
from dataclasses import dataclass

import numpy as np

from segue.errors import InputError

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSelection:
    """A part of a video, perhaps thinned."""

    every: int = 1
    """Take every n-th frame, from the first one of the part on."""
    fps: float | None = None
    """Take so many frames a second by their times, at most; None: all."""
    start_s: float = 0.0
    """Where the part begins, in seconds from the first frame of the video."""
    end_s: float | None = None
    """Where it ends (the frame shown then is left out); None: with the video."""

    def __post_init__(self) -> None:
        """Refuse what selects nothing, or in two ways."""
        if self.every < 1:
            raise InputError(f"Every n-th frame: n must be at least 1, got {self.every}.")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"Frames a second must be above 0, got {self.fps}.")
        if self.fps is not None and self.every != 1:
            raise InputError("Give every n-th frame (--every), or frames a second (--fps).")
        if not 0 <= self.start_s < float("inf"):
            raise InputError(f"The start must be at 0 seconds or later, got {self.start_s}.")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise InputError(
                f"The end must lie behind the start ({self.start_s:g} s), got {self.end_s:g} s."
            )

    def numbers(self, times: np.ndarray) -> np.ndarray:
        """Return the numbers of the selected frames, (M,) int64, ascending.

        Args:
            times: (N,) when each frame is shown, in seconds.

        Raises:
            InputError: there is none.

        >>> FrameSelection(fps=2, start_s=0.5).numbers(np.array([0, 0.4, 0.8, 1.1, 1.2, 2.0]))
        array([2, 3, 5])
        """
        inside = times >= self.start_s - 1e-6
        if self.end_s is not None:
            inside &= times < self.end_s - 1e-6
        numbers = np.flatnonzero(inside)
        if not len(numbers):
            end = "its end" if self.end_s is None else f"{self.end_s:g} s"
            raise InputError(
                f"There is no frame from {self.start_s:g} s to {end}; the last frame of the video "
                f"is shown at {times[-1]:.3f} s."
            )
        if self.fps is not None:
            slots = np.floor((times[numbers] - self.start_s) * self.fps + 1e-6)
            numbers = numbers[np.unique(slots, return_index=True)[1]]
        return numbers[:: self.every].astype(np.int64)


def parse_time(text: str) -> float:
    """Read seconds, minutes and seconds, or hours, minutes and seconds.

    Raises:
        InputError: it is none of these.

    >>> parse_time("90.5"), parse_time("1:30"), parse_time("1:00:02")
    (90.5, 90.0, 3602.0)
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise InputError(f"Expected a time as 12.5, 1:30 or 1:02:30, got {text!r}.")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
