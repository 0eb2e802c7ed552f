"""The order in which frames are tracked: away from where something was pointed at.

A leg is a walk in one direction. The first two go from the frame that was pointed at to the end and
to the beginning; a correction adds one for its track, away from that frame, up to the next
correction or the end. An object that is added has two of its own. Of several legs that come to a
frame with a track, the one with the highest number counts there: what is undone leaves the others.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.runs.tracking.entries import Addition, Change, Correction, Track


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
    numbers: np.ndarray, tracks: Mapping[int, Track], changes: Sequence[Change]
) -> list[Leg]:
    """Return all legs in the order of work.

    Args:
        numbers: of the selected frames, ascending.
        tracks: all tracks by id.
        changes: in the order in which they were made; what was undone has no legs.
    """
    standing = [change for change in changes if not change.is_undone]
    added = {change.track for change in standing if isinstance(change.made, Addition)}
    base = [track for id, track in tracks.items() if id not in added]
    legs = _both_ways(numbers, base[0].frame, tuple(track.id for track in base), 0) if base else []
    for change in standing:
        if isinstance(change.made, Addition):
            legs += _both_ways(numbers, change.made.frame, (change.track,), change.first_leg)
        elif change.track in tracks:
            legs += _corrected_legs(numbers, tracks[change.track].frame, change, standing)
    return legs


def _both_ways(
    numbers: np.ndarray, anchor: int, tracks: tuple[int, ...], first_leg: int
) -> list[Leg]:
    place = bisect_left(numbers, anchor)
    return [
        Leg(first_leg, tracks, False, numbers[place:]),
        Leg(first_leg + 1, tracks, True, numbers[:place], anchor_leg=first_leg),
    ]


def _corrected_legs(
    numbers: np.ndarray, anchor: int, change: Change, standing: Sequence[Change]
) -> list[Leg]:
    """Return what a correction changes: away from the anchor, up to the next correction."""
    correction = change.made
    assert isinstance(correction, Correction), "additions go both ways"
    place = standing.index(change)
    others = [
        (other.made.frame, index > place)
        for index, other in enumerate(standing)
        if other is not change
        and other.track == change.track
        and isinstance(other.made, Correction)
    ]
    if (correction.frame, True) in others:  # a later one on the same frame counts
        return []
    legs: list[Leg] = []
    start = bisect_left(numbers, correction.frame)
    corrected = (change.track,)
    if correction.frame >= anchor:
        ends = [frame for frame, _ in others if frame > correction.frame]
        end = bisect_left(numbers, min(ends)) if ends else len(numbers)
        legs.append(Leg(change.first_leg, corrected, False, numbers[start:end], correction))
    if correction.frame <= anchor:
        ends = [frame for frame, _ in others if frame < correction.frame]
        begin = bisect_left(numbers, max(ends)) + 1 if ends else 0
        if correction.frame == anchor:
            frames, forward = numbers[begin:start], change.first_leg
            legs.append(Leg(forward + 1, corrected, True, frames, anchor_leg=forward))
        else:
            frames = numbers[begin : start + 1]
            legs.append(Leg(change.first_leg, corrected, True, frames, correction))
    return legs
