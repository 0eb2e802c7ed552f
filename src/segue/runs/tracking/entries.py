"""What a tracking run keeps: tracks, and of each frame what became of each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from segue.errors import InputError
from segue.values.mask import Mask
from segue.values.region import Click, Region

TrackStatus = Literal["tracked", "lost", "found again"]
"""What became of a track on a frame. "found again" is the first frame after it was lost."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object that is followed."""

    id: int
    """From 1, in the order in which things were pointed at."""
    phrase: str
    """What it is called; "" where it was pointed at by box or click."""
    frame: int
    """Number of the frame on which it was pointed at."""


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """One track on one frame."""

    track: int
    """`Track.id`."""
    status: TrackStatus
    mask: Mask | None = None
    """Its visible pixels; None exactly where it is lost."""
    score: float = 0.0
    """In [0, 1]."""
    reason: str = ""
    """Why it is lost, or how it was found again: "tracker", "phrase", "correction"."""
    prompted: bool = False
    """Whether the tracker was told the mask here, instead of telling it."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """Of the tracker, to go on from here."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value: dict[str, Any] = {"track": self.track, "status": self.status}
        if self.mask is not None:
            value |= {"mask": self.mask.rle, "mask_score": self.mask.score}
        value["score"] = round(self.score, 4)
        value |= {"reason": self.reason} if self.reason else {}
        value |= {"prompted": True} if self.prompted else {}
        value |= {"memory": dict(self.memory)} if self.memory else {}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrackEntry":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: it is not that.
            InputError: a value makes no sense.
        """
        if value["status"] not in get_args(TrackStatus):
            raise InputError(f"A track cannot be {value['status']!r}.")
        mask = value.get("mask")
        return cls(
            track=int(value["track"]),
            status=value["status"],
            mask=None if mask is None else Mask.from_rle(mask, value.get("mask_score")),
            score=float(value["score"]),
            reason=str(value.get("reason", "")),
            prompted=bool(value.get("prompted", False)),
            memory=value.get("memory", {}),
        )


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """One frame with all tracks."""

    number: int
    """Of the frame in the whole video, from 0."""
    seconds: float
    """When it is shown, from the first frame of the video."""
    entries: tuple[TrackEntry, ...]
    """In the order of the tracks; () where the frame could not be decoded."""

    def regions(self, tracks: Mapping[int, Track]) -> tuple[Region, ...]:
        """Return what is seen as regions, with the id of the track as theirs: "1", "2", …"""
        regions = []
        for entry in self.entries:
            if entry.mask is not None and (box := entry.mask.box) is not None:
                phrase = tracks[entry.track].phrase
                regions.append(
                    Region(str(entry.track), phrase, box, "segmenter", mask=entry.mask,
                           score=entry.score)
                )  # fmt: skip
        return tuple(regions)


@dataclass(frozen=True, slots=True)
class Correction:
    """Where a track really is on one frame, by a box or clicks; what follows is tracked anew."""

    frame: int
    """Number of the frame in the whole video."""
    track: int
    """`Track.id`."""
    box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 in pixels of the upright frame."""
    clicks: tuple[Click, ...] = ()
    """(x, y, 1 on the object or 0 not on it), in the same frame."""

    def __post_init__(self) -> None:
        """Refuse a correction that says nothing."""
        if self.box is None and not self.clicks:
            raise InputError(
                f"The correction of frame {self.frame} needs a box or a click: --box x0,y0,x1,y1 "
                "or --point x,y."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {
            "frame": self.frame,
            "track": self.track,
            "box": None if self.box is None else list(self.box),
            "clicks": [list(click) for click in self.clicks],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Correction":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        clicks = tuple((float(x), float(y), int(label)) for x, y, label in value["clicks"])
        box = value["box"]
        corners = None if box is None else tuple(map(float, box))
        return cls(int(value["frame"]), int(value["track"]), corners, clicks)  # type: ignore[arg-type]
