"""What a person corrects in a conversation: regions, and edits of the pictures."""

import io
from collections.abc import Callable
from typing import Annotated, Any

import PIL.Image
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from segue.conversation import Conversation
from segue.edit import Edit
from segue.errors import UnknownName
from segue.server.http.dependencies import Owner, Service, TheService
from segue.server.http.errors import Problem
from segue.server.http.request_models import ChangedRegion, Merge, NewEdit, NewRegion
from segue.server.http.response_models import region_json
from segue.server.routes.conversations import current
from segue.values.box import Box
from segue.values.region import Region

router = APIRouter(prefix="/v1/conversations/{id}", tags=["regions and edits"])

Number = Annotated[int, Path(ge=0, le=10_000)]
PNG = "image/png"


@router.post("/regions", status_code=201)
async def add(
    id: str, asked: NewRegion, request: Request, service: TheService, owner: Owner
) -> Response:
    """Make a region from a box or clicks; with `preview`, only show it."""

    def work(talk: Conversation) -> Region:
        return talk.add_region(
            asked.image,
            box=_box(asked.box),
            points=asked.points,
            labels=asked.labels,
            phrase=asked.phrase,
            preview=asked.preview,
        )

    return await _region(service, owner, id, request, work, preview=asked.preview, status=201)


@router.post("/regions/merge")
async def merge(
    id: str, asked: Merge, request: Request, service: TheService, owner: Owner
) -> Response:
    """Make several regions one."""

    def work(talk: Conversation) -> Region:
        return talk.merge_regions(asked.ids, asked.phrase)

    return await _region(service, owner, id, request, work)


@router.patch("/regions/{region}")
async def change(
    id: str, region: str, asked: ChangedRegion, request: Request, service: TheService, owner: Owner
) -> Response:
    """Rename a region, or correct its mask; with `preview`, only show it."""

    def work(talk: Conversation) -> Region:
        return talk.update_region(
            region,
            phrase=asked.phrase,
            box=_box(asked.box),
            points=asked.points,
            labels=asked.labels,
            preview=asked.preview,
        )

    return await _region(service, owner, id, request, work, preview=asked.preview)


@router.delete("/regions/{region}")
async def remove(
    id: str, region: str, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Delete a region, and the edits that name it."""
    await _acted(service, owner, id, request, lambda talk: talk.delete_region(region))
    return await current(service, owner, id)


@router.post("/edits", status_code=201)
async def add_edit(
    id: str, asked: NewEdit, request: Request, service: TheService, owner: Owner
) -> Response:
    """Add an edit; with `preview`, only show the picture as it would be."""
    record = await service.record(owner, id)
    edit = Edit(asked.operation, asked.regions, asked.parameters)
    name = edit.parameters.get("picture")
    behind = {}
    if isinstance(name, str) and name not in record.document["backgrounds"]:
        behind[name] = await service.aside(service.talks.background, id, name)
    # Tried beside the models first: painting may take long, and may be refused.
    async with service.room.taken(record.pixels):
        picture = await service.aside(
            lambda: service.talks.snapshot(record).edit(edit, behind, preview=True)
        )
        if asked.preview:
            return Response(await service.aside(_png, picture), media_type=PNG)

    def work(talk: Conversation) -> None:
        talk.record_edit(edit, behind)

    await _acted(service, owner, id, request, work)
    return JSONResponse(await current(service, owner, id), 201)


@router.delete("/edits/{number}")
async def drop_edit(
    id: str, number: Number, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Take an edit out of the list."""
    await _acted(service, owner, id, request, lambda talk: talk.delete_edit(number))
    return await current(service, owner, id)


@router.get("/images/{number}.png", response_class=FileResponse)
async def picture(
    id: str,
    number: Number,
    service: TheService,
    owner: Owner,
    size: Annotated[int | None, Query(ge=16, le=4096)] = None,
) -> Response:
    """A picture as it was shown, or a smaller one."""
    record = await service.record(owner, id)
    if number >= len(record.pictures):
        raise _no_picture(number, len(record.pictures))
    file = service.talks.pictures.file(record.pictures[number].digest)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    if size is None:
        return FileResponse(file, media_type=PNG, headers=headers)

    def small() -> bytes:
        with PIL.Image.open(file) as opened:
            opened.thumbnail((size, size))
            return _png(opened)

    shown = record.pictures[number]
    async with service.room.taken(shown.width * shown.height):
        return Response(await service.aside(small), media_type=PNG, headers=headers)


@router.get("/images/{number}/edited.png", response_class=Response)
async def edited(
    id: str,
    number: Number,
    service: TheService,
    owner: Owner,
    upto: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    whole: bool = False,
) -> Response:
    """A picture with its edits, or with the first of them; `whole`: without crops, so that it lies
    on the picture."""
    record = await service.record(owner, id)
    if number >= len(record.pictures):
        raise _no_picture(number, len(record.pictures))

    def paint() -> bytes:
        return _png(service.talks.snapshot(record).edited_image(number, upto, skip_crops=whole))

    headers = {"Cache-Control": "private, no-store"}
    async with service.room.taken(record.pixels):
        return Response(await service.aside(paint), media_type=PNG, headers=headers)


async def _acted(
    service: Service, owner: str, id: str, request: Request, work: Callable[[Conversation], Any]
) -> Any:
    try:
        return await service.modelled(lambda: service.talks.act(owner, id, work), request)
    except UnknownName as error:
        raise Problem(404, "region_not_found", str(error)) from error


async def _region(
    service: Service,
    owner: str,
    id: str,
    request: Request,
    work: Callable[[Conversation], Region],
    *,
    preview: bool = False,
    status: int = 200,
) -> Response:
    region = await _acted(service, owner, id, request, work)
    if preview:
        revision = await service.stored(service.talks.revision, owner, id)
        return JSONResponse({"region": region_json(region), "revision": revision})
    value = await current(service, owner, id)
    kept = [one for one in value["regions"] if one["id"] == region.id]
    return JSONResponse({**value, "region": kept[0] if kept else None}, status)


def _box(corners: list[float] | None) -> Box | None:
    return None if corners is None else Box.spanning(*corners)


def _no_picture(number: int, count: int) -> Problem:
    return Problem(
        404, "not_found", f"There is no picture {number} in this conversation; it has {count}."
    )


def _png(picture: PIL.Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
