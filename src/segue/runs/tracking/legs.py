"""The order in which frames are tracked: away from where something was pointed at.

A leg is a walk in one direction. The first two go from the frame that was pointed at to the end and
to the beginning; a correction adds one for its track, away from that frame, up to the next
correction or the end.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segue.runs.tracking.entries import Correction


@dataclass(frozen=True, slots=True)
class Leg:
    """A walk over selected frames in one direction."""

    number: int
    """Its place in the order of work."""
    tracks: tuple[int, ...]
    is_backward: bool
    frames: np.ndarray
    """Numbers of frames, ascending; a backward leg takes them from the end."""
    correction: Correction | None = None
    """What it begins with, on the first of its frames; None: what was pointed at."""
    anchor_leg: int = 0
    """The leg whose first entries it begins with, where that is not itself."""


def plan_legs(
    numbers: np.ndarray, anchor: int, tracks: Sequence[int], corrections: Sequence[Correction]
) -> list[Leg]:
    """Return all legs in the order of work.

    Args:
        numbers: of the selected frames, ascending.
        anchor: the one on which things were pointed at.
        tracks: the ids of all tracks.
        corrections: in the order in which they were made.
    """
    place = bisect_left(numbers, anchor)
    legs = [
        Leg(0, tuple(tracks), False, numbers[place:]),
        Leg(1, tuple(tracks), True, numbers[:place]),
    ]
    for index, correction in enumerate(corrections):
        start = bisect_left(numbers, correction.frame)
        others = [
            earlier.frame for earlier in corrections[:index] if earlier.track == correction.track
        ]
        corrected = (correction.track,)
        if correction.frame >= anchor:
            ends = [frame for frame in others if frame > correction.frame]
            end = bisect_left(numbers, min(ends)) if ends else len(numbers)
            legs.append(Leg(len(legs), corrected, False, numbers[start:end], correction))
        if correction.frame <= anchor:
            ends = [frame for frame in others if frame < correction.frame]
            begin = bisect_left(numbers, max(ends)) + 1 if ends else 0
            if correction.frame == anchor:
                legs.append(
                    Leg(
                        len(legs), corrected, True, numbers[begin:start], anchor_leg=legs[-1].number
                    )
                )
            else:
                legs.append(Leg(len(legs), corrected, True, numbers[begin : start + 1], correction))
    return legs
