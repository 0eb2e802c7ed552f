"""JSON that goes out, as Pydantic models: the OpenAPI document has its schemas from here.

What the fields mean is in docs/http-api.md. Fields with a default are left out of an answer unless
they were set (`JsonRoute`, `to_json_bytes`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from segue.server.conversations.store import (
    ConversationRecord,
    ConversationSummary,
    PictureRecord,
    SnapshotJson,
)
from segue.server.http import examples
from segue.values.image import Image
from segue.values.presence import Presence
from segue.values.region import FoundBy, Region
from segue.values.serialize import region_to_json

XY = Annotated[list[float], Field(min_length=2, max_length=2)]
XYXY = Annotated[list[float], Field(min_length=4, max_length=4)]
Span = Annotated[list[int], Field(min_length=2, max_length=2)]


class JsonRoute(APIRoute):
    """A route whose answer has only the fields that were set."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "response_model_exclude_unset": True})


def to_json_bytes(model: BaseModel) -> bytes:
    """Write a model as JSON, with only the fields that were set."""
    return model.model_dump_json(exclude_unset=True).encode()


def json_response(model: BaseModel, status: int = 200) -> Response:
    """Return a model as an answer of its own, where a route has several kinds."""
    return Response(to_json_bytes(model), status, media_type="application/json")


class StatusResponse(BaseModel):
    """How the server is: "ok" or "ready"."""

    status: str


class MaskOut(BaseModel):
    """A mask as COCO's compressed run-length encoding, column by column."""

    format: Literal["coco_rle"]
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    """[height, width] of the picture."""
    counts: str


class VerdictOut(BaseModel):
    """Whether what a phrase names is in the picture."""

    probability: float
    """Calibrated, in [0, 1]."""
    presence: Presence


class PhraseVerdictOut(VerdictOut):
    """The verdict on a phrase of an answer."""

    phrase: str
    image: int
    """Index of the picture."""


class _RegionFields(BaseModel):
    """What every region has."""

    id: str
    phrase: str
    image: int
    """Index of its picture."""
    box: XYXY
    """[x0, y0, x1, y1] in pixels of the upright picture."""
    score: float | None
    found_by: FoundBy
    span: Span | None
    """[start, end) of the phrase in the clean text, in code points."""
    mask: MaskOut | None
    mask_score: float | None
    verdict: VerdictOut | None = None
    """Null where no calibration of the models is known."""
    quad: list[XY] | None = None
    point: XY | None = None


class RegionOut(_RegionFields):
    """A region of a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REGION]})
    turn: int | None
    """Index of the turn that found it; null when the user made it."""
    turns: list[int]
    """Indexes of all turns that mention it."""
    names: list[str]
    """All phrases that name it, in any language, the first one first."""
    points: list[XY]
    """The user's clicks."""
    labels: list[Literal[0, 1]]
    """Of the clicks: 1 on the object, 0 beside it."""

    @classmethod
    def of(cls, region: Region, turn: int | None = None) -> "RegionOut":
        """Return a region as it goes out."""
        return cls.of_json(region_to_json(region), turn)

    @classmethod
    def of_json(cls, value: Mapping[str, Any], turn: int | None) -> "RegionOut":
        """Return a region that is stored as JSON as it goes out."""
        clicks: Sequence[Sequence[float]] = value.get("clicks", ())
        return cls(
            **_region_fields(value),
            turn=turn,
            turns=value.get("turns", () if turn is None else (turn,)),
            names=value.get("names", [value["phrase"]] if value["phrase"] else []),
            points=[[x, y] for x, y, _ in clicks],
            labels=[1 if label else 0 for _, _, label in clicks],
        )


class CompletionRegion(_RegionFields):
    """A region of a chat completion."""

    index: int
    """Lets clients join what comes in pieces."""

    @classmethod
    def of(cls, region: Region, index: int, *, with_mask: bool) -> "CompletionRegion":
        """Return a region as it goes out in a completion."""
        fields = _region_fields(region_to_json(region))
        if not with_mask:
            fields["mask"] = None
        return cls(index=index, **fields)


def _region_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that every region has, from `region_to_json` or the database."""
    mask, found_by = value["mask"], value["found_by"]
    fields = {
        **{name: value[name] for name in ("id", "phrase", "image", "box", "score", "span")},
        "found_by": "user" if found_by == "person" else found_by,  # as 0.1 stored it
        "mask": None if mask is None else {"format": "coco_rle", **mask},
        "mask_score": value.get("mask_score"),
    }
    return {
        **fields,
        **{name: value[name] for name in ("quad", "point", "verdict") if name in value},
    }


class MentionOut(BaseModel):
    """Where an answer mentions a region."""

    region: str
    """Its id."""
    phrase: str
    """What the answer calls it."""
    span: Span | None
    """[start, end) of the phrase in the answer's clean text, in code points."""


class TurnOut(BaseModel):
    """A question and its answer."""

    index: int
    question: str
    text: str
    """The answer without markup."""
    raw: str
    """The answer as the model wrote it."""
    not_found: list[str]
    broken: list[str]
    """Markup that could not be read."""
    finish: str
    """Why the reply ended: "stop", "length", "cancelled", "error", "refused" or "thought"."""
    seconds: dict[str, float]
    """Time by stage."""
    thought: int
    """Characters of `raw` that were thoughts."""
    notices: list[str]
    """Sentences for the user about how the answer came about."""
    marked: list[str]
    """Phrases that were looked for because the answer only spoke of them."""
    verdicts: list[PhraseVerdictOut]
    """On each phrase, where a calibration of the models is known."""
    from_register: bool
    """Answered from the objects that were known, without asking the chat model."""
    choices: list[str]
    """Ids of regions of which the next question should name some."""
    images: list[int]
    """Indexes of the pictures that were first shown with this question."""
    regions: list[str]
    """Ids of its regions that still exist."""
    mentions: list[MentionOut]
    """The same regions, with the answer's own words for them."""

    @classmethod
    def of(cls, snapshot: SnapshotJson, index: int) -> "TurnOut":
        """Return one turn of a conversation; regions that were deleted since are not named."""
        turn = snapshot["turns"][index]
        first_image = sum(len(earlier["images"]) for earlier in snapshot["turns"][:index])
        region_ids = {region["id"] for region in snapshot["regions"]}
        mentions = [region for region in turn["regions"] if region["id"] in region_ids]
        fields = ("question", "text", "raw", "not_found", "broken", "finish", "seconds")
        return cls(
            index=index,
            **{name: turn[name] for name in fields},
            thought=turn.get("thought", 0),  # turns that 0.1 stored may have neither
            notices=turn.get("notices", []),
            marked=turn.get("marked", []),
            verdicts=turn.get("verdicts", []),
            from_register=turn.get("from_register", False),
            choices=turn.get("choices", []),
            images=list(range(first_image, first_image + len(turn["images"]))),
            regions=[region["id"] for region in mentions],
            mentions=[
                MentionOut(region=region["id"], phrase=region["phrase"], span=region["span"])
                for region in mentions
            ],
        )


class EditOut(BaseModel):
    """An edit of a picture."""

    index: int
    operation: str
    regions: list[str]
    parameters: dict[str, str | int | float | bool | None]
    image: int | None
    """Index of the picture it is for."""


class PictureOut(BaseModel):
    """A picture of a conversation."""

    index: int
    digest: str
    """SHA-256 of its pixels."""
    name: str
    width: int
    height: int
    edited: bool
    """Whether some edit is for it."""
    url: str

    @classmethod
    def of(cls, picture: PictureRecord, index: int, *, edited: bool, url: str) -> "PictureOut":
        """Return a picture as it goes out."""
        return cls(
            index=index,
            digest=picture.digest,
            name=picture.name,
            width=picture.width,
            height=picture.height,
            edited=edited,
            url=url,
        )


class ConversationResponse(BaseModel):
    """Everything about a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONVERSATION]})
    id: str
    title: str
    system: str | None
    created: float
    """Seconds since 1970, as `updated`."""
    updated: float
    revision: int
    """Grows with every change."""
    busy: bool
    """A question is being answered."""
    images: list[PictureOut]
    turns: list[TurnOut]
    regions: list[RegionOut]
    edits: list[EditOut]
    history_start: int
    """Index of the first turn that the chat model is still sent."""
    can_undo: bool
    can_redo: bool

    @classmethod
    def of(cls, record: ConversationRecord, *, busy: bool) -> "ConversationResponse":
        """Return a conversation as it goes out."""
        snapshot = record.snapshot
        edits = edits_of(snapshot)
        edited_images = {edit.image for edit in edits}
        return cls(
            id=record.id,
            title=record.title,
            system=record.system,
            created=record.created,
            updated=record.updated,
            revision=record.revision,
            busy=busy,
            images=[
                PictureOut.of(
                    picture,
                    index,
                    edited=index in edited_images,
                    url=f"/v1/conversations/{record.id}/images/{index}.png",
                )
                for index, picture in enumerate(record.pictures)
            ],
            turns=[TurnOut.of(snapshot, index) for index in range(len(snapshot["turns"]))],
            regions=regions_of(snapshot),
            edits=edits,
            history_start=snapshot.get("history_start", 0),
            can_undo=record.can_undo,
            can_redo=record.can_redo,
        )

    def with_region(self, id: str) -> "RegionChangeResponse":
        """Return the same with the region that a request was about."""
        region = next((region for region in self.regions if region.id == id), None)
        fields = {name: getattr(self, name) for name in ConversationResponse.model_fields}
        return RegionChangeResponse(**fields, region=region)


def regions_of(snapshot: SnapshotJson) -> list[RegionOut]:
    """Return all regions that exist now."""
    turn_of: dict[str, int] = {}
    for index, turn in enumerate(snapshot["turns"]):
        for region in turn["regions"]:
            turn_of.setdefault(region["id"], index)
    return [RegionOut.of_json(region, turn_of.get(region["id"])) for region in snapshot["regions"]]


def edits_of(snapshot: SnapshotJson) -> list[EditOut]:
    """Return the edits, each with the picture it is for."""
    image_of = {region["id"]: region["image"] for region in snapshot["regions"]}
    return [
        EditOut(index=index, **edit, image=image_of.get(edit["regions"][0]))
        for index, edit in enumerate(snapshot["edits"])
    ]


class RegionChangeResponse(ConversationResponse):
    """A conversation, and the region that the request was about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**examples.CONVERSATION, "region": examples.REGION}]}
    )
    region: RegionOut | None


class RegionsPreviewResponse(BaseModel):
    """Regions as they would be; nothing was stored."""

    regions: list[RegionOut]
    revision: int
    """Of the conversation, which did not change."""


class RegionPreviewResponse(BaseModel):
    """A region as it would be; nothing was stored."""

    region: RegionOut
    revision: int
    """Of the conversation, which did not change."""


class ConversationListItem(BaseModel):
    """A conversation in a list."""

    id: str
    title: str
    created: float
    updated: float
    revision: int
    turns: int
    """How many questions were asked."""
    thumbnail: str | None
    """Address of a small picture."""
    excerpt: str = ""
    """Of a search: the text in which the words were found; "" where the title has them."""

    @classmethod
    def of(cls, summary: ConversationSummary) -> "ConversationListItem":
        """Return a conversation as it goes out in a list."""
        url = f"/v1/conversations/{summary.id}/images/0.png?size=160"
        return cls(
            id=summary.id,
            title=summary.title,
            created=summary.created,
            updated=summary.updated,
            revision=summary.revision,
            turns=summary.turns,
            thumbnail=url if summary.pictures else None,
            excerpt=summary.excerpt,
        )


class ConversationListResponse(BaseModel):
    """All conversations of a key, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"conversations": [examples.LIST_ITEM]}]}
    )
    conversations: list[ConversationListItem]


class BackgroundResponse(BaseModel):
    """A picture that the edit "background" may name."""

    name: str


class SegmentedImage(BaseModel):
    """The picture that was segmented."""

    digest: str
    """SHA-256 of its pixels; names it in later requests."""
    width: int
    height: int

    @classmethod
    def of(cls, image: Image) -> "SegmentedImage":
        """Return a picture as it goes out."""
        return cls(digest=image.digest, width=image.size.width, height=image.size.height)


class SegmentResponse(BaseModel):
    """Masks without a chat model."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SEGMENTATION]})
    image: SegmentedImage
    regions: list[RegionOut]
    not_found: list[str]
    """Phrases that are not in the picture."""
    notices: list[str]
    """Sentences for the user about how the answer came about."""
