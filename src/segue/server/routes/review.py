"""A review: its queue, its pictures, and changes by several reviewers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse

from segue.review.state import PictureReview, ReviewState
from segue.server.http.dependencies import Owner, ServicesDep
from segue.server.http.errors import ApiError, ErrorResponse
from segue.server.http.review_models import (
    ChangeResponse,
    ConflictOut,
    PictureReviewOut,
    QueueEntry,
    QueueResponse,
    ReviewChangeRequest,
    ReviewMask,
    ReviewOverview,
    ReviewSegmentRequest,
    ReviewSegmentResponse,
    ReviewUpdates,
    entry_fields,
    region_out,
)
from segue.server.review.pictures import encode_picture
from segue.server.review.service import ReviewService
from segue.values.box import Box

router = APIRouter(prefix="/v1/review", tags=["review"])

MAX_ENTRIES = 500
"""Entries of the queue in one answer."""


def _get_review(request: Request) -> ReviewService:
    service: ReviewService = request.app.state.review
    return service


ReviewDep = Annotated[ReviewService, Depends(_get_review)]


@router.get("")
async def overview(service: ReviewDep, services: ServicesDep, owner: Owner) -> ReviewOverview:
    """Get what is reviewed, its classes, and how far it is."""
    review = service.review
    is_ready = services.worker.state == "ready"
    return ReviewOverview(
        name=service.name,
        kind=service.kind,
        order="doubt" if review.queue.is_by_doubt else "file",
        classes=review.classes,
        counts=review.counts(),
        n_conflicts=sum(len(one.conflicts) for one in review.reviews),
        n_changes=len(review.history),
        n_outdated=review.n_outdated,
        can_segment=is_ready and services.worker.assistant.segmenter is not None,
    )


@router.get("/queue")
async def queue(
    service: ReviewDep,
    owner: Owner,
    state: ReviewState | None = None,
    label: Annotated[str | None, Query(max_length=200)] = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
) -> QueueResponse:
    """Get a part of the queue, filtered by state and class."""
    indexes = service.review.select(state, label)
    entries = [_entry(service, index) for index in indexes[offset : offset + limit]]
    return QueueResponse(entries=entries, total=len(indexes))


@router.get("/updates")
async def updates(
    service: ReviewDep, owner: Owner, since: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> ReviewUpdates:
    """Get the pictures that were changed since there were so many changes."""
    n_changes, indexes = service.review.changed_since(since)
    return ReviewUpdates(
        n_changes=n_changes,
        entries=[_entry(service, index) for index in indexes],
        classes=service.review.classes,
        counts=service.review.counts(),
    )


@router.get("/pictures/{index}")
async def picture(index: int, service: ReviewDep, owner: Owner) -> PictureReviewOut:
    """Get a picture with its regions as they are now, and its conflicts."""
    review = _find(service, index)
    regions = [
        region_out(region, service.review.class_number(region["phrase"]))
        for region in review.regions.values()
    ]
    return PictureReviewOut(
        **_entry(service, index).model_dump(),
        regions=regions,
        conflicts=[ConflictOut.of(change) for change in review.conflicts],
        time=review.time,
    )


@router.post("/pictures/{index}/changes", responses={409: {"model": ErrorResponse}})
async def change(
    index: int, body: ReviewChangeRequest, service: ReviewDep, services: ServicesDep, owner: Owner
) -> ChangeResponse:
    """Change a picture.

    409 `conflict`: it has another version than the change is based on. The change is kept in the
    journal and with the picture, and is not applied.
    """
    _find(service, index)
    receipt = await services.run_db(service.submit, index, body.to_draft())
    if not receipt.is_applied:
        raise ApiError(
            409,
            "conflict",
            f"{receipt.review.reviewer} changed this picture meanwhile: it has version "
            f"{receipt.review.version}, "
            f"and the change is based on {body.base}. The change is kept, and not applied.",
            param="base",
        )
    review = service.review
    return ChangeResponse(
        entry=_entry(service, index), classes=review.classes, counts=review.counts()
    )


@router.get("/pictures/{index}/image", response_class=FileResponse)
async def image(index: int, service: ReviewDep, services: ServicesDep, owner: Owner) -> Response:
    """Get the picture itself: its file, or a PNG where browsers could not draw it."""
    _find(service, index)
    source = service.source_of(index)
    encoded = await services.run_in_thread(encode_picture, source, service.limits)
    headers = {"Cache-Control": "private, max-age=3600"}
    if encoded.file is not None:
        return FileResponse(encoded.file, media_type=encoded.media_type, headers=headers)
    return Response(encoded.content, media_type=encoded.media_type, headers=headers)


@router.get("/pictures/{index}/thumbnail", response_class=Response)
async def thumbnail(
    index: int,
    service: ReviewDep,
    services: ServicesDep,
    owner: Owner,
    size: Annotated[int, Query(ge=16, le=512)] = 160,
) -> Response:
    """Get a small JPEG of the picture."""
    _find(service, index)
    content = await services.run_in_thread(service.thumbnail, index, size)
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(content, media_type="image/jpeg", headers=headers)


@router.post("/pictures/{index}/segment")
async def segment(
    index: int,
    body: ReviewSegmentRequest,
    request: Request,
    service: ReviewDep,
    services: ServicesDep,
    owner: Owner,
) -> ReviewSegmentResponse:
    """Get what the segmenter makes of clicks and a box. Nothing is kept."""
    _find(service, index)
    assistant = services.worker.assistant
    if assistant.segmenter is None:
        raise ApiError(400, "unsupported", "This review runs without a segmenter: --segment none.")
    picture = await services.run_in_thread(service.image, index)
    boxes = None if body.box is None else [Box.spanning(*body.box).clipped(picture.size)]
    regions, _ = await services.run_on_models(
        lambda: assistant.segment_with_notices(
            picture, boxes=boxes, points=body.points, labels=body.labels
        ),
        request,
    )
    mask = regions[0].mask if regions else None
    if mask is None or mask.is_empty:
        return ReviewSegmentResponse(mask=None, score=None)
    return ReviewSegmentResponse(mask=ReviewMask(**mask.rle), score=mask.score)


def _find(service: ReviewService, index: int) -> PictureReview:
    """Return a picture.

    Raises:
        ApiError: 404, there is none of this number.
    """
    reviews = service.review.reviews
    if not 0 <= index < len(reviews):
        raise ApiError(
            404,
            "picture_not_found",
            f"There is no picture {index}, expected 0 to {len(reviews) - 1}.",
        )
    return reviews[index]


def _entry(service: ReviewService, index: int) -> QueueEntry:
    review = service.review.reviews[index]
    has_file = review.original.name in service.files
    doubts = list(service.review.queue.doubts[index].kinds)
    return QueueEntry(**entry_fields(index, review, has_file), doubts=doubts)
