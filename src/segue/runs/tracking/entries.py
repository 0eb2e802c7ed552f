"""What a tracking run keeps: tracks, and of each frame what became of each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from segue.errors import InputError
from segue.files.unicode import is_well_formed, well_formed
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


Corners = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright frame."""


@dataclass(frozen=True, slots=True)
class Target:
    """One object to follow, and what shows it on a frame: a box, clicks, or its mask."""

    phrase: str = ""
    """What it is called; "": nothing."""
    box: Corners | None = None
    clicks: tuple[Click, ...] = ()
    """(x, y, 1 on the object or 0 not on it), in the same frame."""
    mask: Mask | None = None
    """Its pixels, where they are known already; then box and clicks are not asked about."""

    def __post_init__(self) -> None:
        """Refuse a target that shows nothing, or that nobody can read."""
        if self.box is None and not self.clicks and self.mask is None:
            raise InputError(
                "A target needs a box, a click or a mask: --box x0,y0,x1,y1 or --point x,y."
            )
        if not is_well_formed(self.phrase):
            raise InputError(
                f"{well_formed(self.phrase)!r} is in no known encoding. Type it again."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value: dict[str, Any] = {"phrase": self.phrase, **_marks_to_json(self.box, self.clicks)}
        if self.mask is not None:
            value |= {"mask": self.mask.rle, "mask_score": self.mask.score}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Target":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        mask = value.get("mask")
        known = None if mask is None else Mask.from_rle(mask, value.get("mask_score"))
        return cls(str(value["phrase"]), *_marks_from_json(value), known)


@dataclass(frozen=True, slots=True)
class Addition:
    """A further object of a run that has begun; it is followed by itself, both ways."""

    frame: int
    """Number of the frame in the whole video."""
    target: Target

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {"frame": self.frame, **self.target.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Addition":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        return cls(int(value["frame"]), Target.from_json(value))


@dataclass(frozen=True, slots=True)
class Correction:
    """Where a track really is on one frame, by a box or clicks; what follows is tracked anew."""

    frame: int
    """Number of the frame in the whole video."""
    track: int
    """`Track.id`."""
    box: Corners | None = None
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
            **_marks_to_json(self.box, self.clicks),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Correction":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        return cls(int(value["frame"]), int(value["track"]), *_marks_from_json(value))


@dataclass(slots=True)
class Change:
    """A correction or an addition of a run, in the order in which they were made."""

    made: Correction | Addition
    track: int
    """The track that it corrects or adds."""
    first_leg: int
    """Number of the first leg that comes of it; see `segue.runs.tracking.legs`."""
    is_undone: bool = False


def _marks_to_json(box: Corners | None, clicks: tuple[Click, ...]) -> dict[str, Any]:
    return {
        "box": None if box is None else list(box),
        "clicks": [list(click) for click in clicks],
    }


def _marks_from_json(value: Mapping[str, Any]) -> tuple[Corners | None, tuple[Click, ...]]:
    clicks = tuple((float(x), float(y), int(label)) for x, y, label in value["clicks"])
    if value["box"] is None:
        return None, clicks
    x0, y0, x1, y1 = map(float, value["box"])
    return (x0, y0, x1, y1), clicks
