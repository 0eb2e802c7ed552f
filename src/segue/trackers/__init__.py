"""Trackers: the mask of an object on one frame in, its masks on the frames that follow out.

`look` prepares a frame once, for all objects; `start` returns a follower of one object, which is
given frame after frame. Which way time runs is not its concern: frames in reverse order are a video
like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from segue.runtime.catalog import Catalog, Entry
from segue.values.image import Image
from segue.values.mask import Mask


@dataclass(frozen=True, slots=True)
class TrackEstimate:
    """Where an object is on one frame, or why nobody knows."""

    mask: Mask | None
    """Its visible pixels at the full size of the frame, never empty; None: it is lost."""
    score: float = 0.0
    """How sure the tracker is, in [0, 1]."""
    lost_because: str = ""
    """Why it is lost, as the end of a sentence: "its area jumped"; "" where it is not."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that `Follower.prompt` takes to go on from here after an interruption."""


UNSEEN = "it has not been seen since"
"""Why an object is lost that was lost before."""


class Follower(Protocol):
    """Follows one object through frames that are given in order."""

    def advance(self, frame: Any) -> TrackEstimate:
        """Find the object on the next frame.

        Args:
            frame: as `Tracker.look` of the same tracker returned it.
        """

    def reject(self, reason: str) -> TrackEstimate:
        """Take the object to be lost, where the latest estimate is known to be wrong.

        Args:
            reason: why, for the estimate that replaces it.
        """

    def prompt(self, frame: Any, mask: Mask, memory: Mapping[str, Any] | None = None) -> None:
        """Take the object to be where `mask` is: corrected, found again, or as kept by a run.

        Args:
            frame: the frame on which it is there.
            mask: its pixels on that frame, not empty.
            memory: of the estimate of the latest frame, to go on as if there had been no
                interruption; None: the object was lost or wrong, and begins anew here.
        """


@runtime_checkable
class Tracker(Protocol):
    """What every tracker promises; tests/contracts holds them to it."""

    @property
    def name(self) -> str:
        """Nickname, hub id or folder it was loaded from."""

    def look(self, image: Image) -> Any:
        """Prepare a frame; what takes long is done when it is needed, and once."""

    def start(self, frame: Any, mask: Mask) -> Follower:
        """Begin to follow the object that `mask` shows on `frame`.

        Raises:
            InputError: the mask is empty, or not of the size of the frame.
        """


TRACKERS = Catalog(
    "tracker",
    {
        "box_following": Entry(
            "segue.trackers.box_following:BoxTracker",
            "any segmenter, with a box that is moved from frame to frame",
        ),
        "video_memory": Entry(
            "segue.trackers.video_memory:load",
            "SAM 2 and 2.1, SAM 3 tracker, EdgeTAM, with their memory of frames",
            extra="models",
        ),
    },
)
