"""What a tracking run follows, and by which rules."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from segue.detect import Exemplar
from segue.errors import InputError
from segue.files.unicode import is_well_formed, well_formed
from segue.runs.tracking.entries import Target
from segue.values.box import Box
from segue.values.region import Click
from segue.video.selection import FrameSelection


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """All that the results of a run depend on, besides the video and the models."""

    phrases: tuple[str, ...] = ()
    """What the detector looks for on the frame; each thing found is a track."""
    exemplars: tuple[Exemplar, ...] = ()
    """Boxes on what the detector looks for, and on what it does not; one phrase at most."""
    question: str | None = None
    """What the chat model is asked about the frame; each thing it points at is a track."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """x0, y0, x1, y1 in pixels of the upright frame; each is a track."""
    clicks: tuple[Click, ...] = ()
    """(x, y, 1 on the object or 0 not on it); all together are one track."""
    targets: tuple[Target, ...] = ()
    """What is shown by boxes, clicks or masks and may have a phrase; each is a track."""
    frame: int | None = None
    """Number of the frame on which things are pointed at; None: the first one selected."""
    selection: FrameSelection = field(default_factory=FrameSelection)
    """Which frames are looked at."""
    redetect_every: int = 5
    """A lost track with a phrase is looked for by the detector on every n-th frame; 0: not."""

    def __post_init__(self) -> None:
        """Refuse settings that follow nothing, or that make no sense."""
        detected = self.phrases or self.exemplars
        if not (detected or self.question or self.boxes or self.clicks or self.targets):
            raise InputError(
                "Nothing to follow: give phrases, a question (--ask), --box x0,y0,x1,y1 or "
                "--point x,y."
            )
        for text in (*self.phrases, self.question or ""):
            if not is_well_formed(text):
                raise InputError(f"{well_formed(text)!r} is in no known encoding. Type it again.")
        if self.frame is not None and self.frame < 0:
            raise InputError(f"Frames are counted from 0, got {self.frame}.")
        if self.redetect_every < 0:
            raise InputError(f"Looking again needs a number of frames, got {self.redetect_every}.")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value = {one.name: getattr(self, one.name) for one in fields(self)}
        value |= {"selection": asdict(self.selection)}
        targets, exemplars = value.pop("targets"), value.pop("exemplars")
        # Runs of earlier versions have none.
        value |= {"targets": [one.to_json() for one in targets]} if targets else {}
        shown = [{"box": list(one.box.corners), "positive": one.is_positive} for one in exemplars]
        return value | ({"exemplars": shown} if shown else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrackingSettings":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
            InputError: a value makes no sense.
        """
        boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in value["boxes"])
        clicks = tuple((float(x), float(y), int(label)) for x, y, label in value["clicks"])
        return cls(
            phrases=tuple(map(str, value["phrases"])),
            exemplars=tuple(
                Exemplar(Box(*map(float, one["box"])), bool(one["positive"]))
                for one in value.get("exemplars", ())
            ),
            question=value["question"],
            boxes=boxes,
            clicks=clicks,
            targets=tuple(map(Target.from_json, value.get("targets", ()))),
            frame=value["frame"],
            selection=FrameSelection(**value["selection"]),
            redetect_every=int(value["redetect_every"]),
        )
