"""JSON of a review, in and out. What the fields mean is in docs/review.md."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segue.review.changes import Decision, PictureChange, RegionJson
from segue.review.queue import DoubtKind, region_doubt
from segue.review.state import PictureReview, ReviewState
from segue.server.http.request_models import Corners, Labels, Phrase, Points
from segue.server.http.response_models import XYXY, VerdictOut
from segue.server.review.service import ChangeDraft, RegionDraft
from segue.values.region import FoundBy

Identity = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
"""Of a change."""
RegionId = Annotated[str, Field(min_length=1, max_length=200)]
Size2 = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]


class ReviewMask(BaseModel):
    """A mask as COCO's compressed run-length encoding."""

    size: Size2
    """[height, width] of the picture."""
    counts: Annotated[str, Field(max_length=20_000_000)]


class ReviewRegionIn(BaseModel):
    """A region that is new, or that takes the place of the one with its id."""

    id: RegionId
    label: Phrase
    """Its class."""
    mask: ReviewMask | None = None
    box: Corners | None = None
    """Where it has no mask."""

    @model_validator(mode="after")
    def _check_shape(self) -> "ReviewRegionIn":
        if self.mask is None and self.box is None:
            raise ValueError("a region needs a 'mask' or a 'box'")
        return self

    def to_draft(self) -> RegionDraft:
        """Return the region as the review takes it."""
        mask = None if self.mask is None else self.mask.model_dump()
        return RegionDraft(self.id, self.label, mask, self.box)


class ReviewChangeRequest(BaseModel):
    """What a reviewer did to a picture in one step."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "c1", "base": 0, "reviewer": "Ann", "decision": "accept"},
                {"id": "c2", "base": 1, "reviewer": "Ann", "deleted": ["r2"]},
            ]
        }
    )
    id: Identity
    """Chosen by the client; a change that comes twice counts once."""
    base: Annotated[int, Field(ge=0, le=2**31)]
    """The version of the picture that it is based on."""
    reviewer: Annotated[str, Field(min_length=1, max_length=80)]
    decision: Decision | None = None
    regions: Annotated[list[ReviewRegionIn], Field(max_length=5000)] = []
    deleted: Annotated[list[RegionId], Field(max_length=5000)] = []
    resolves: Annotated[list[Identity], Field(max_length=1000)] = []
    """Conflicts that are settled with it."""

    def to_draft(self) -> ChangeDraft:
        """Return the change as the review takes it."""
        return ChangeDraft(
            self.id,
            self.base,
            self.reviewer,
            self.decision,
            [region.to_draft() for region in self.regions],
            self.deleted,
            self.resolves,
        )


class ReviewSegmentRequest(BaseModel):
    """Clicks and a box around one object."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"points": [[20, 15]], "labels": [1]}]}
    )
    points: Points | None = None
    labels: Labels | None = None
    box: Corners | None = None

    @model_validator(mode="after")
    def _check_prompt(self) -> "ReviewSegmentRequest":
        if self.points is None and self.box is None:
            raise ValueError("give 'points', a 'box', or both")
        if len(self.labels or ()) not in (0, len(self.points or ())):
            raise ValueError("give one of 'labels' for each of 'points', or none")
        return self


class ReviewSegmentResponse(BaseModel):
    """What the segmenter makes of them."""

    mask: ReviewMask | None
    """Null where there is not one pixel."""
    score: float | None


class ReviewRegionOut(BaseModel):
    """A region as it is now."""

    id: str
    label: str
    class_number: int
    """Index into the classes of the review; -1 in a change that was not applied."""
    box: XYXY
    mask: ReviewMask | None
    found_by: FoundBy
    score: float | None
    mask_score: float | None
    agreement: float | None
    verdict: VerdictOut | None
    doubts: list[DoubtKind]


class ConflictOut(BaseModel):
    """A change that was not applied: its picture had changed meanwhile. It is in the journal."""

    id: str
    reviewer: str
    time: str
    base: int
    decision: Decision | None
    regions: list[ReviewRegionOut]
    deleted: list[str]

    @classmethod
    def of(cls, change: PictureChange) -> "ConflictOut":
        """Return the change as it is sent."""
        return cls(
            id=change.id,
            reviewer=change.reviewer,
            time=change.time,
            base=change.base,
            decision=change.decision,
            regions=[region_out(region, -1) for region in change.regions],
            deleted=list(change.deleted),
        )


class QueueEntry(BaseModel):
    """A picture in the queue."""

    index: int
    """In the order of the data set; part of the addresses of the picture."""
    name: str
    width: int
    height: int
    state: ReviewState
    version: int
    reviewer: str
    """Who changed it last."""
    n_regions: int
    n_conflicts: int
    doubts: list[DoubtKind]
    """Why it stands where it does, the gravest first."""
    has_file: bool


class QueueResponse(BaseModel):
    """A part of the queue."""

    entries: list[QueueEntry]
    total: int
    """Pictures that the filter leaves."""


class ReviewOverview(BaseModel):
    """What is reviewed, and how far it is."""

    name: str
    kind: str
    """What it is, as "a run"."""
    order: Literal["doubt", "file"]
    """file: nothing has a score, and pictures come in the order of their file."""
    classes: list[str]
    """A class keeps its index, and with it its colour."""
    counts: dict[ReviewState, int]
    n_conflicts: int
    n_changes: int
    """Changes so far; `updates` takes it."""
    n_outdated: int
    """Changes in the journal that are of an earlier annotation."""
    can_segment: bool


class ReviewUpdates(BaseModel):
    """What has changed since a number of changes."""

    n_changes: int
    entries: list[QueueEntry]
    classes: list[str]
    counts: dict[ReviewState, int]


class PictureReviewOut(QueueEntry):
    """A picture with its regions."""

    regions: list[ReviewRegionOut]
    conflicts: list[ConflictOut]
    time: str
    """When it was changed last; empty: never."""


class ChangeResponse(BaseModel):
    """What became of a change that was applied: the picture without its regions."""

    entry: QueueEntry
    classes: list[str]
    counts: dict[ReviewState, int]


def region_out(region: RegionJson, class_number: int) -> ReviewRegionOut:
    """Return a region as it is sent."""
    mask, verdict = region["mask"], region.get("verdict")
    return ReviewRegionOut(
        id=region["id"],
        label=region["phrase"],
        class_number=class_number,
        box=region["box"],
        mask=None if mask is None else ReviewMask.model_construct(**mask),
        found_by=region["found_by"],
        score=region["score"],
        mask_score=region.get("mask_score"),
        agreement=region.get("agreement"),
        verdict=None if verdict is None else VerdictOut(**verdict),
        doubts=list(region_doubt(region)),
    )


def entry_fields(index: int, review: PictureReview, has_file: bool) -> dict[str, Any]:
    """Return the fields of `QueueEntry`, without those that the queue knows."""
    return {
        "index": index,
        "name": review.original.name,
        "width": review.original.size.width,
        "height": review.original.size.height,
        "state": review.state,
        "version": review.version,
        "reviewer": review.reviewer,
        "n_regions": len(review.regions),
        "n_conflicts": len(review.conflicts),
        "has_file": has_file,
    }
