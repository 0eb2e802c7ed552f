"""What the user corrects in a conversation: regions, and edits of the pictures."""

import io
from collections.abc import Callable
from typing import Annotated, TypeVar

import PIL.Image
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from segue.conversation import Conversation
from segue.edit import Edit
from segue.errors import UnknownName
from segue.server.conversations.store import ConversationRecord, PictureRecord
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.request_models import (
    ChangeRegionRequest,
    MarkRequest,
    MergeRequest,
    NewEditRequest,
    NewRegionRequest,
    RegionsLikeRequest,
)
from segue.server.http.response_models import (
    ConversationResponse,
    JsonRoute,
    RegionChangeResponse,
    RegionOut,
    RegionPreviewResponse,
    RegionsPreviewResponse,
    json_response,
)
from segue.server.routes.conversations import current_state
from segue.values.box import Box
from segue.values.region import Region

router = APIRouter(
    prefix="/v1/conversations/{id}", tags=["regions and edits"], route_class=JsonRoute
)

PictureIndex = Annotated[int, Path(ge=0, le=10_000)]
PNG = "image/png"

T = TypeVar("T")


@router.post(
    "/regions",
    status_code=201,
    response_model=RegionChangeResponse,
    responses={200: {"model": RegionPreviewResponse, "description": "A preview."}},
)
async def add_region(
    id: str, body: NewRegionRequest, request: Request, services: ServicesDep, owner: Owner
) -> RegionChangeResponse | Response:
    """Make a region from a box or clicks; with `preview`, only show it."""

    def add(conversation: Conversation) -> Region:
        return conversation.add_region(
            body.image,
            box=_to_box(body.box),
            points=body.points,
            labels=body.labels,
            phrase=body.phrase,
            preview=body.preview,
        )

    region = await _change(services, owner, id, request, add)
    if body.preview:
        return json_response(await _preview(services, owner, id, region))
    return (await current_state(services, owner, id)).with_region(region.id)


@router.post(
    "/regions/like",
    status_code=201,
    response_model=ConversationResponse,
    responses={200: {"model": RegionsPreviewResponse, "description": "A preview."}},
)
async def add_regions_like(
    id: str, body: RegionsLikeRequest, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse | Response:
    """Make regions of all that is like what boxes show; with `preview`, only show them."""
    exemplars = [one.to_exemplar() for one in body.exemplars]

    def add(conversation: Conversation) -> tuple[Region, ...]:
        return conversation.add_regions_like(
            exemplars, body.image, phrase=body.phrase, preview=body.preview
        )

    regions = await _change(services, owner, id, request, add)
    if not body.preview:
        return await current_state(services, owner, id)
    revision = await services.run_db(services.conversations.find_revision, owner, id)
    found = [RegionOut.of(region) for region in regions]
    return json_response(RegionsPreviewResponse(regions=found, revision=revision))


@router.post("/regions/merge")
async def merge_regions(
    id: str, body: MergeRequest, request: Request, services: ServicesDep, owner: Owner
) -> RegionChangeResponse:
    """Make several regions one."""

    def merge(conversation: Conversation) -> Region:
        return conversation.merge_regions(body.ids, body.phrase)

    region = await _change(services, owner, id, request, merge)
    return (await current_state(services, owner, id)).with_region(region.id)


@router.patch("/regions/{region}")
async def change_region(
    id: str,
    region: str,
    body: ChangeRegionRequest,
    request: Request,
    services: ServicesDep,
    owner: Owner,
) -> RegionChangeResponse | RegionPreviewResponse:
    """Rename a region, or correct its mask; with `preview`, only show it."""

    def update(conversation: Conversation) -> Region:
        return conversation.update_region(
            region,
            phrase=body.phrase,
            box=_to_box(body.box),
            points=body.points,
            labels=body.labels,
            preview=body.preview,
        )

    changed_region = await _change(services, owner, id, request, update)
    if body.preview:
        return await _preview(services, owner, id, changed_region)
    return (await current_state(services, owner, id)).with_region(changed_region.id)


@router.delete("/regions/{region}")
async def delete_region(
    id: str, region: str, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Delete a region, and the edits that name it."""
    await _change(services, owner, id, request, lambda talk: talk.delete_region(region))
    return await current_state(services, owner, id)


@router.post("/turns/{turn}/mark")
async def mark_answer(
    id: str,
    turn: Annotated[int, Path(ge=0, le=100_000)],
    body: MarkRequest,
    request: Request,
    services: ServicesDep,
    owner: Owner,
) -> ConversationResponse:
    """Mark what an answer only spoke of: the detector looks for it."""
    await _change(
        services, owner, id, request, lambda talk: talk.mark(body.phrases or None, turn=turn)
    )
    return await current_state(services, owner, id)


@router.post(
    "/edits",
    status_code=201,
    response_model=ConversationResponse,
    responses={200: {"content": {PNG: {}}, "description": "A preview: the edited picture."}},
)
async def add_edit(
    id: str, body: NewEditRequest, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse | Response:
    """Add an edit; with `preview`, only show the picture as it would be."""
    record = await services.find_record(owner, id)
    edit = Edit(body.operation, body.regions, body.parameters)
    name = edit.parameters.get("picture")
    backgrounds = {}
    if isinstance(name, str) and name not in record.snapshot["backgrounds"]:
        load_background = services.conversations.load_background
        backgrounds[name] = await services.run_in_thread(load_background, id, name)
    # Tried beside the models first: painting may take long, and may be refused.
    async with services.pixel_reservations.reserve(record.pixels):
        picture = await services.run_in_thread(
            lambda: services.conversations.open_snapshot(record).edit(
                edit, backgrounds, preview=True
            )
        )
        if body.preview:
            return Response(await services.run_in_thread(_to_png, picture), media_type=PNG)

    def record_edit(conversation: Conversation) -> None:
        conversation.record_edit(edit, backgrounds)

    await _change(services, owner, id, request, record_edit)
    return await current_state(services, owner, id)


@router.delete("/edits/{number}")
async def delete_edit(
    id: str, number: PictureIndex, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Take an edit out of the list."""
    await _change(services, owner, id, request, lambda talk: talk.delete_edit(number))
    return await current_state(services, owner, id)


@router.get("/images/{number}.png", response_class=FileResponse)
async def get_picture(
    id: str,
    number: PictureIndex,
    services: ServicesDep,
    owner: Owner,
    size: Annotated[int | None, Query(ge=16, le=4096)] = None,
) -> Response:
    """Get a picture as it was uploaded, or a smaller one."""
    picture = _picture_at(await services.find_record(owner, id), number)
    file = services.conversations.pictures.file(picture.digest)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    if size is None:
        return FileResponse(file, media_type=PNG, headers=headers)

    def make_thumbnail() -> bytes:
        with PIL.Image.open(file) as thumbnail:
            thumbnail.thumbnail((size, size))
            return _to_png(thumbnail)

    async with services.pixel_reservations.reserve(picture.width * picture.height):
        content = await services.run_in_thread(make_thumbnail)
    return Response(content, media_type=PNG, headers=headers)


@router.get("/images/{number}/edited.png", response_class=Response)
async def get_edited_picture(
    id: str,
    number: PictureIndex,
    services: ServicesDep,
    owner: Owner,
    upto: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    whole: bool = False,
) -> Response:
    """Get a picture with its edits, or with the first `upto` of them; with `whole`, without
    crops, so that it lies on the picture."""
    record = await services.find_record(owner, id)
    _picture_at(record, number)

    def paint() -> bytes:
        conversation = services.conversations.open_snapshot(record)
        return _to_png(conversation.edited_image(number, upto, skip_crops=whole))

    headers = {"Cache-Control": "private, no-store"}
    async with services.pixel_reservations.reserve(record.pixels):
        return Response(await services.run_in_thread(paint), media_type=PNG, headers=headers)


async def _change(
    services: Services, owner: str, id: str, request: Request, change: Callable[[Conversation], T]
) -> T:
    """Change a conversation in the thread of the models.

    Raises:
        ApiError: 404, there is no such conversation or region.
    """
    try:
        return await services.run_on_models(
            lambda: services.conversations.apply(owner, id, change), request
        )
    except UnknownName as error:
        raise ApiError(404, "region_not_found", str(error)) from error


async def _preview(
    services: Services, owner: str, id: str, region: Region
) -> RegionPreviewResponse:
    revision = await services.run_db(services.conversations.find_revision, owner, id)
    return RegionPreviewResponse(region=RegionOut.of(region), revision=revision)


def _picture_at(record: ConversationRecord, number: int) -> PictureRecord:
    """Return a picture of a conversation.

    Raises:
        ApiError: 404, it has fewer.
    """
    if number >= len(record.pictures):
        raise ApiError(
            404,
            "not_found",
            f"There is no picture {number} in this conversation; it has {len(record.pictures)}.",
        )
    return record.pictures[number]


def _to_box(corners: list[float] | None) -> Box | None:
    return None if corners is None else Box.spanning(*corners)


def _to_png(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
