"""JSON of films and of what is followed in them, in both directions, as Pydantic models."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segue.export.tracks import track_colours
from segue.pipeline.answer import Answer
from segue.runs.tracking.entries import (
    Addition,
    Correction,
    Target,
    TrackedFrame,
    TrackEntry,
    TrackStatus,
)
from segue.runs.tracking.pointing import PointedOut
from segue.runs.tracking.run import TrackingRun
from segue.runs.tracking.settings import TrackingSettings
from segue.runs.tracking.store import TrackGap, TrackStore
from segue.server.http import examples
from segue.server.http.request_models import (
    Corners,
    ExemplarIn,
    Exemplars,
    Label,
    LongText,
    Phrase,
    PointPair,
    RequiredPhrase,
    SamplingFields,
)
from segue.server.http.response_models import XYXY, MaskOut, RegionOut
from segue.server.videos.store import VideoRecord
from segue.values.box import Size
from segue.values.mask import Mask
from segue.values.region import Click
from segue.video.frames import VideoFrame
from segue.video.sampling import MAX_FRAMES
from segue.video.selection import FrameSelection

FrameNumber = Annotated[int, Field(ge=0, le=10**8)]
Seconds = Annotated[float, Field(ge=0, le=10**7, allow_inf_nan=False)]
Clicks = Annotated[list[PointPair], Field(max_length=256)]
ClickLabels = Annotated[list[Label], Field(max_length=256)]


class CorrectionIn(BaseModel):
    """Where a track really is on a frame."""

    frame: FrameNumber
    track: Annotated[int, Field(ge=1, le=10_000)]
    box: Corners | None = None
    points: Clicks = []
    labels: ClickLabels | None = None

    @model_validator(mode="after")
    def _check_marks(self) -> "CorrectionIn":
        if self.box is None and not self.points:
            raise ValueError("give a 'box', or 'points' on the object")
        _check_labels(self.points, self.labels)
        return self

    def to_correction(self) -> Correction:
        """Return what a run takes."""
        box = None if self.box is None else _corners(self.box)
        return Correction(self.frame, self.track, box, _clicks(self.points, self.labels))


class MaskIn(BaseModel):
    """A mask as COCO's compressed run-length encoding, as it comes out of the server."""

    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    """[height, width] of the frame."""
    counts: Annotated[str, Field(max_length=20_000_000)]


class TargetIn(BaseModel):
    """One thing that is pointed at: by a box, by clicks, by both, or by its mask."""

    phrase: Phrase = ""
    """What it is called; "": nothing."""
    box: Corners | None = None
    points: Clicks = []
    labels: ClickLabels | None = None
    mask: MaskIn | None = None
    """Its pixels, where they are known: they count instead of box and points."""

    @model_validator(mode="after")
    def _check_marks(self) -> "TargetIn":
        if self.box is None and not self.points and self.mask is None:
            raise ValueError("give a 'box', 'points' on the object, or its 'mask'")
        _check_labels(self.points, self.labels)
        return self

    def to_target(self, size: Size) -> Target:
        """Return what a run takes.

        Args:
            size: of the frames.

        Raises:
            InputError: the mask is none, or not of that size.
        """
        box = None if self.box is None else _corners(self.box)
        mask = None if self.mask is None else Mask.from_rle(self.mask.model_dump(), size=size)
        return Target(self.phrase, box, _clicks(self.points, self.labels), mask)


class AdditionIn(TargetIn):
    """A thing that is followed besides what a run follows, from a frame of its own."""

    frame: FrameNumber


class TracksRequest(BaseModel):
    """What is followed through a film; the same request goes on where it was."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"phrases": ["dog", "red car"], "stream": True},
                {"boxes": [[40, 30, 120, 90]], "frame": 12, "every": 2},
                {
                    "phrases": ["dog"],
                    "corrections": [{"frame": 31, "track": 1, "box": [90, 40, 220, 160]}],
                },
            ]
        }
    )
    phrases: Annotated[list[RequiredPhrase], Field(max_length=16)] = []
    exemplars: Exemplars = []
    """Boxes on what is meant, and on what is not; for a detector that takes them."""
    question: Annotated[LongText, Field(min_length=1)] | None = None
    """What the chat model is asked about the frame; what it points at is followed."""
    boxes: Annotated[list[Corners], Field(max_length=32)] = []
    """Each is a track."""
    points: Clicks = []
    """All together are one track."""
    labels: ClickLabels | None = None
    targets: Annotated[list[TargetIn], Field(max_length=32)] = []
    """Each is a track, and may have a phrase, a box with clicks, or a mask."""
    frame: FrameNumber | None = None
    """The frame on which things are pointed at, from 0; null: the first one looked at."""
    every: Annotated[int, Field(ge=1, le=10_000)] = 1
    fps: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    start: Seconds = 0.0
    end: Seconds | None = None
    look_again: Annotated[int, Field(ge=0, le=10_000)] = 5
    """The detector looks for a lost phrase on every n-th frame; 0: never."""
    corrections: Annotated[list[CorrectionIn], Field(max_length=1000)] = []
    """Those that were sent before stay, whether they are sent again or not."""
    additions: Annotated[list[AdditionIn], Field(max_length=32)] = []
    """What else is followed, by itself. Those that were sent before stay likewise."""
    stream: bool = False
    """Answer with server-sent events, each frame as soon as it is done."""
    stored: bool = True
    """Of a stream: give the frames that were done before, too."""

    @model_validator(mode="after")
    def _check_something(self) -> "TracksRequest":
        by_model = self.phrases or self.exemplars or self.question
        if not (by_model or self.boxes or self.points or self.targets):
            raise ValueError(
                "nothing to follow: give 'phrases', 'exemplars', 'question', 'boxes', 'points' or "
                "'targets'"
            )
        _check_labels(self.points, self.labels)
        return self

    def to_additions(self, size: Size) -> list[Addition]:
        """Return what is added, for frames of a size.

        Raises:
            InputError: a mask is none, or not of that size.
        """
        return [Addition(addition.frame, addition.to_target(size)) for addition in self.additions]

    def to_settings(self, size: Size) -> TrackingSettings:
        """Return what a run takes.

        Args:
            size: of the frames.

        Raises:
            InputError: values contradict one another, or a mask is not of that size.
        """
        return TrackingSettings(
            phrases=tuple(self.phrases),
            exemplars=tuple(one.to_exemplar() for one in self.exemplars),
            question=self.question,
            boxes=tuple(map(_corners, self.boxes)),
            clicks=_clicks(self.points, self.labels),
            targets=tuple(target.to_target(size) for target in self.targets),
            frame=self.frame,
            selection=FrameSelection(
                every=self.every, fps=self.fps, start_s=self.start, end_s=self.end
            ),
            redetect_every=self.look_again,
        )


class UndoRequest(BaseModel):
    """Which correction or addition is undone; the last one where nothing is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"frame": 31, "track": 1}]})
    frame: FrameNumber | None = None
    track: Annotated[int, Field(ge=1, le=10_000)] | None = None


class PointOutRequest(BaseModel):
    """What is pointed at on one frame, to see its masks before it is followed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"phrases": ["dog"]},
                {"targets": [{"box": [40, 30, 120, 90], "points": [[50, 40]], "labels": [0]}]},
            ]
        }
    )
    phrases: Annotated[list[RequiredPhrase], Field(max_length=16)] = []
    exemplars: Exemplars = []
    targets: Annotated[list[TargetIn], Field(max_length=32)] = []

    @model_validator(mode="after")
    def _check_something(self) -> "PointOutRequest":
        if not (self.phrases or self.exemplars or self.targets):
            raise ValueError("nothing to look at: give 'phrases', 'exemplars' or 'targets'")
        return self


class FilmQuestion(SamplingFields):
    """A question about a film, or about one frame of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "What happens?", "frames": 8, "stream": True},
                {"question": "Frame the dog.", "frame": 12},
            ]
        }
    )
    question: Annotated[LongText, Field(min_length=1)]
    frame: FrameNumber | None = None
    """The one frame that it is about; null: the film."""
    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 8
    """How many frames of the film are shown to the chat model, evenly over the part."""
    start: Seconds = 0.0
    end: Seconds | None = None
    stream: bool = False
    """Answer with server-sent events, while the reply is being written."""

    @field_validator("question")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the question is empty")
        return value

    @model_validator(mode="after")
    def _asks_about_one_thing(self) -> "FilmQuestion":
        of_film = sorted({"frames", "start", "end"} & self.model_fields_set)
        if self.frame is not None and of_film:
            raise ValueError(f"give 'frame', or {of_film[0]!r} of the film")
        return self


class VideoOut(BaseModel):
    """A film."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.VIDEO]})
    id: str
    name: str
    bytes: int
    width: int
    """Of the upright frames, in pixels."""
    height: int
    frames: int
    seconds: float
    fps: float
    """On average; each frame has its own time."""
    created: float
    url: str
    """Where the film itself is."""
    times: list[float] | None = None
    """When each frame is shown, in seconds from the first one; only with `?times=true`."""

    @classmethod
    def of(cls, record: VideoRecord, times: list[float] | None = None) -> "VideoOut":
        """Return a film as it goes out."""
        fields: dict[str, Any] = {} if times is None else {"times": times}
        return cls(
            id=record.id,
            name=record.name,
            bytes=record.size_bytes,
            width=record.width,
            height=record.height,
            frames=record.frames,
            seconds=round(record.seconds, 3),
            fps=round(record.fps, 3),
            created=record.created,
            url=f"/v1/videos/{record.id}/film",
            **fields,
        )


class VideoListResponse(BaseModel):
    """Your films, those used last first."""

    videos: list[VideoOut]


class TrackOut(BaseModel):
    """What is followed."""

    id: int
    phrase: str
    """"" where it was pointed at by box or clicks."""
    frame: int
    """Where it was pointed at."""
    added: bool
    """Whether it was added to the run."""
    colour: str
    """As in the exports, "#e69f00"."""

    @classmethod
    def all_of(cls, store: TrackStore) -> "list[TrackOut]":
        """Return the tracks of a run."""
        colours = track_colours(store)
        return [
            cls(
                id=id,
                phrase=track.phrase,
                frame=track.frame,
                added=id in store.additions,
                colour=_hex(colours[str(id)]),
            )
            for id, track in store.tracks.items()
        ]


class TrackEntryOut(BaseModel):
    """One track on one frame."""

    track: int
    status: TrackStatus
    reason: str
    """Why it is lost; how it was found again; "correction" where it was corrected."""
    score: float
    box: XYXY | None
    mask: MaskOut | None
    """Null exactly where it is lost."""

    @classmethod
    def of(cls, entry: TrackEntry) -> "TrackEntryOut":
        """Return a track on a frame as it goes out."""
        mask, box = entry.mask, None if entry.mask is None else entry.mask.box
        return cls(
            track=entry.track,
            status=entry.status,
            reason=entry.reason,
            score=round(entry.score, 4),
            box=None if box is None else list(box.corners),
            mask=None if mask is None else MaskOut(format="coco_rle", **mask.rle),
        )


class TrackedFrameOut(BaseModel):
    """One frame with its tracks. In a stream: those that were followed on it just now."""

    number: int
    seconds: float
    entries: list[TrackEntryOut]

    @classmethod
    def of(cls, frame: TrackedFrame) -> "TrackedFrameOut":
        """Return a frame as it goes out."""
        return cls(
            number=frame.number,
            seconds=round(frame.seconds, 6),
            entries=[TrackEntryOut.of(entry) for entry in frame.entries],
        )


class TrackGapOut(BaseModel):
    """Frames on which a track is lost, one after the other."""

    track: int
    first: int
    first_seconds: float
    last: int
    last_seconds: float
    reason: str
    found_by: str
    """"tracker", "phrase" or "correction"; "" where it was not found again."""

    @classmethod
    def of(cls, gap: TrackGap) -> "TrackGapOut":
        """Return a gap as it goes out."""
        return cls(
            track=gap.track,
            first=gap.first,
            first_seconds=round(gap.first_seconds, 6),
            last=gap.last,
            last_seconds=round(gap.last_seconds, 6),
            reason=gap.reason,
            found_by=gap.found_by,
        )


class PointedOutMask(BaseModel):
    """One thing on a frame."""

    phrase: str
    """"" where it was pointed at without one."""
    score: float | None
    box: XYXY | None
    mask: MaskOut | None
    """Null where there is nothing."""

    @classmethod
    def of(cls, phrase: str, mask: Mask) -> "PointedOutMask":
        """Return a thing as it goes out."""
        box = mask.box
        return cls(
            phrase=phrase,
            score=None if mask.score is None else round(mask.score, 4),
            box=None if box is None else list(box.corners),
            mask=None if box is None else MaskOut(format="coco_rle", **mask.rle),
        )


class PointedOutResponse(BaseModel):
    """What was pointed at on a frame; nothing of it is kept."""

    frame: int
    found: list[PointedOutMask]
    """By phrase, in the order of the phrases."""
    targets: list[PointedOutMask]
    """One for each target, in the same order."""
    not_found: list[str]
    notices: list[str]

    @classmethod
    def of(cls, frame: int, pointed: PointedOut, n_targets: int) -> "PointedOutResponse":
        """Return what was pointed at; the last `n_targets` masks are those of targets."""
        masks = [PointedOutMask.of(phrase, mask) for phrase, mask in pointed.masks]
        n_found = len(masks) - n_targets
        return cls(
            frame=frame,
            found=masks[:n_found],
            targets=masks[n_found:],
            not_found=list(pointed.not_found),
            notices=list(pointed.notices),
        )


class ShownFrame(BaseModel):
    """A frame that a chat model is shown."""

    number: int
    seconds: float


class QuestionStartEvent(BaseModel):
    """Data of the event `start` of a question."""

    frames: list[ShownFrame]
    """What the chat model is shown; the `image` of a region counts in here."""

    @classmethod
    def of(cls, frames: Sequence[VideoFrame]) -> "QuestionStartEvent":
        """Return the frames of a question."""
        return cls(
            frames=[ShownFrame(number=one.number, seconds=round(one.seconds, 6)) for one in frames]
        )


class FilmAnswer(QuestionStartEvent):
    """The answer to a question about a film; the data of the event `done`, too."""

    text: str
    raw: str
    """As the model wrote it, markup included."""
    finish: str
    regions: list[RegionOut]
    not_found: list[str]
    broken: list[str]
    notices: list[str]

    @classmethod
    def of_answer(cls, frames: Sequence[VideoFrame], answer: Answer) -> "FilmAnswer":
        """Return an answer about frames as it goes out."""
        return cls(
            frames=QuestionStartEvent.of(frames).frames,
            text=answer.text,
            raw=answer.raw,
            finish=answer.finish,
            regions=[RegionOut.of(region) for region in answer.regions],
            not_found=list(answer.not_found),
            broken=list(answer.broken),
            notices=list(answer.notices),
        )


class TracksStartEvent(BaseModel):
    """Data of the event `start`."""

    run: str
    frame: int
    """The frame on which things are pointed at."""
    numbers: list[int]
    """Of the frames that are looked at, ascending."""
    pending: int
    """Frames to be followed now, those that corrections change included."""
    stored: int
    """Frames that were done before, and come first."""

    @classmethod
    def of(cls, run: TrackingRun, n_pending: int, n_stored: int) -> "TracksStartEvent":
        """Return a run that begins, or goes on."""
        return cls(
            run=run.store.folder.name,
            frame=run.anchor,
            numbers=[int(number) for number in run.numbers],
            pending=n_pending,
            stored=n_stored,
        )


class _KnownTracks(BaseModel):
    """What is followed."""

    tracks: list[TrackOut]
    not_found: list[str]
    """Phrases of which there is nothing on the frame."""
    notices: list[str]


class TracksEvent(_KnownTracks):
    """Data of the event `tracks`: what is followed, once that is known."""

    @classmethod
    def of(cls, store: TrackStore) -> "TracksEvent":
        """Return what a run follows."""
        return cls(
            tracks=TrackOut.all_of(store),
            not_found=list(store.not_found),
            notices=list(store.notices),
        )


class _StoredRun(_KnownTracks):
    """A run as far as it is."""

    video: str
    run: str
    frame: int
    """The frame on which things were pointed at."""
    request: TracksRequest
    """What to send, with corrections, to change the run."""
    pending: int
    """Frames that are not done yet, each as often as tracks must be followed to it anew; 0 at the
    end."""
    corrections: list[CorrectionIn]
    gaps: list[TrackGapOut]


class TracksDoneEvent(_StoredRun):
    """Data of the event `done`."""

    @classmethod
    def of(cls, record: VideoRecord, store: TrackStore, numbers: list[int]) -> "TracksDoneEvent":
        """Return a run without its frames; `numbers` are those of the frames looked at."""
        return cls(**_run_fields(record, store, numbers))


class TracksResponse(_StoredRun):
    """A tracking run with all of its frames."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TRACKS]})
    numbers: list[int]
    """Of the frames that are looked at, ascending."""
    frames: list[TrackedFrameOut]
    """In the order of the film; those that are not done yet are not there."""

    @classmethod
    def of(cls, record: VideoRecord, store: TrackStore, numbers: list[int]) -> "TracksResponse":
        """Return a run as it is stored."""
        return cls(
            **_run_fields(record, store, numbers),
            numbers=numbers,
            frames=[TrackedFrameOut.of(frame) for frame in store.frames()],
        )


def _run_fields(record: VideoRecord, store: TrackStore, numbers: list[int]) -> dict[str, Any]:
    known = TracksEvent.of(store)
    return {
        "tracks": known.tracks,
        "not_found": known.not_found,
        "notices": known.notices,
        "video": record.id,
        "run": store.folder.name,
        "frame": store.anchor,
        "request": request_of(store.settings),
        "pending": store.n_pending(np.array(numbers)),
        "corrections": [_correction_in(correction) for correction in store.corrections],
        "gaps": [TrackGapOut.of(gap) for gap in store.gaps()],
    }


def request_of(settings: TrackingSettings) -> TracksRequest:
    """Return the request that settings came from, without corrections."""
    selection = settings.selection
    return TracksRequest(
        phrases=list(settings.phrases),
        exemplars=[
            ExemplarIn(box=list(one.box.corners), positive=one.is_positive)
            for one in settings.exemplars
        ],
        question=settings.question,
        boxes=[list(box) for box in settings.boxes],
        points=[[x, y] for x, y, _ in settings.clicks],
        labels=[label for _, _, label in settings.clicks] or None,
        targets=[_target_in(target) for target in settings.targets],
        frame=settings.frame,
        every=selection.every,
        fps=selection.fps,
        start=selection.start_s,
        end=selection.end_s,
        look_again=settings.redetect_every,
    )


def _target_in(target: Target) -> TargetIn:
    return TargetIn(
        phrase=target.phrase,
        box=None if target.box is None else list(target.box),
        points=[[x, y] for x, y, _ in target.clicks],
        labels=[label for _, _, label in target.clicks] or None,
        mask=None if target.mask is None else MaskIn(**target.mask.rle),
    )


def _correction_in(correction: Correction) -> CorrectionIn:
    return CorrectionIn(
        frame=correction.frame,
        track=correction.track,
        box=None if correction.box is None else list(correction.box),
        points=[[x, y] for x, y, _ in correction.clicks],
        labels=[label for _, _, label in correction.clicks] or None,
    )


def _check_labels(points: list[list[float]], labels: list[int] | None) -> None:
    if labels is not None and len(labels) != len(points):
        raise ValueError("there must be one label for each point")


def _corners(box: list[float]) -> tuple[float, float, float, float]:
    xa, ya, xb, yb = box
    return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)


def _clicks(points: list[list[float]], labels: list[int] | None) -> tuple[Click, ...]:
    marks = labels if labels is not None else [1] * len(points)
    return tuple((x, y, int(mark)) for (x, y), mark in zip(points, marks, strict=True))


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{value:02x}" for value in colour)
