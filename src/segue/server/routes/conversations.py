"""Conversations that the server keeps: questions, pictures, undo, and what becomes of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from segue.embedded.samples import sample
from segue.pipeline.answer import (
    Done,
    Event,
    MarkupBroken,
    MaskReady,
    NotFound,
    Notice,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)
from segue.server.conversations.export import export, read_session
from segue.server.conversations.pictures import picture_name
from segue.server.conversations.store import Record
from segue.server.http.dependencies import Owner, Service, TheService
from segue.server.http.errors import Problem
from segue.server.http.request_models import Ask, NewConversation, PictureSource, Rename
from segue.server.http.response_models import (
    line_json,
    region_json,
    regions_json,
    state_json,
    turn_json,
)
from segue.server.http.sse import EVENT_STREAM, events_of, shown, streaming, written
from segue.values.image import Image

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

PATIENCE_S = 10.0
"""How long a new question waits for one that is being stopped."""

_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_PICTURE_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            **_UPLOAD["requestBody"]["content"],  # type: ignore[dict-item]
            "application/json": {
                "schema": PictureSource.model_json_schema(),
                "examples": {"sample": {"value": {"sample": "airport"}}},
            },
        },
    }
}


def state(service: Service, record: Record) -> dict[str, Any]:
    """A conversation as it goes out."""
    return state_json(record, busy=service.talks.answering(record.id) is not None)


async def current(service: Service, owner: str, id: str) -> dict[str, Any]:
    """The state after a change."""
    return state(service, await service.record(owner, id))


@router.get("")
async def listed(service: TheService, owner: Owner) -> dict[str, Any]:
    """Your conversations, newest first."""
    lines = await service.stored(service.talks.store.listed, owner)
    return {"conversations": [line_json(line) for line in lines]}


@router.post("", status_code=201)
async def create(asked: NewConversation, service: TheService, owner: Owner) -> dict[str, Any]:
    """Begin a conversation."""
    make = partial(service.talks.store.create, owner, title=asked.title, system=asked.system)
    return await current(service, owner, await service.stored(make))


@router.post("/import", status_code=201, openapi_extra=_UPLOAD)
async def import_session(request: Request, service: TheService, owner: Owner) -> dict[str, Any]:
    """Open a saved session as a new conversation."""
    uploads = await _uploads(request)
    if len(uploads) != 1:
        raise Problem(400, "invalid_value", "Send one session file as 'file'.", param="file")
    settings = service.settings
    ((name, data),) = uploads
    most = settings.session_limits
    async with service.room.taken(most.max_pixels):  # how many it holds is known only inside
        session = await service.aside(read_session, data, most, settings.max_images)
        answers = session.answers
        title = " ".join(answers[0].question.split())[:80] if answers else name.rpartition(".")[0]
        id = await service.aside(service.talks.adopt, owner, session, title)
    return await current(service, owner, id)


@router.get("/{id}")
async def read(id: str, request: Request, service: TheService, owner: Owner) -> Response:
    """Everything about a conversation; 304 when `If-None-Match` names its revision."""
    record = await service.record(owner, id)
    value = state(service, record)
    tag = f'"{record.revision}{"b" if value["busy"] else ""}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(value, headers=headers)


@router.patch("/{id}")
async def rename(id: str, asked: Rename, service: TheService, owner: Owner) -> dict[str, Any]:
    """Give a conversation a title."""
    await service.record(owner, id)
    await service.stored(service.talks.store.name, id, asked.title)
    return await current(service, owner, id)


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete(id: str, service: TheService, owner: Owner) -> Response:
    """Delete a conversation; a reply that is being written is stopped."""
    await service.record(owner, id)
    await _stopped(service, id)
    await service.stored(service.talks.delete, owner, id)
    return Response(status_code=204)


@router.post("/{id}/images", status_code=201, openapi_extra=_PICTURE_UPLOAD)
async def add_images(
    id: str, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Add pictures; they go with the next question."""
    record = await service.record(owner, id)
    known = await service.stored(service.talks.pixels, record)
    images = await _brought(request, service, owner, known)
    await service.aside(service.talks.show, owner, id, images, service.settings.max_images)
    service.look_ahead(images[-1])
    return await current(service, owner, id)


@router.post("/{id}/backgrounds", status_code=201, openapi_extra=_PICTURE_UPLOAD)
async def add_background(
    id: str, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Add a picture that the edit "background" may name."""
    known = await service.stored(service.talks.pixels, await service.record(owner, id))
    images = await _brought(request, service, owner, known)
    if len(images) != 1:
        raise Problem(400, "invalid_value", "Send one picture.", param="file")
    return {"name": await service.aside(service.talks.add_background, owner, id, images[0])}


@router.post(
    "/{id}/ask",
    response_class=Response,
    responses={
        200: {
            "content": {
                EVENT_STREAM: {
                    "example": 'event: text\ndata: {"text": "飞机"}\n\nevent: done\ndata: {…}\n\n'
                }
            }
        }
    },
)
async def ask(id: str, asked: Ask, request: Request, service: TheService, owner: Owner) -> Response:
    """Ask, and get the answer as an event stream while it is being written."""
    await service.record(owner, id)
    before = service.talks.answering(id)
    if before is not None and before.cancelled:
        await _stopped(service, id)
    elif before is not None:
        raise Problem(
            409, "busy", "A question is being answered in this conversation. Wait, or stop it."
        )
    sampling = asked.sampling(service.settings.max_new_tokens)
    job = service.worker.submit(
        lambda: service.talks.ask(owner, id, asked.question, sampling, asked.route)
    )
    service.talks.begin_answering(id, job)
    events = events_of(job, request, service.settings.deadline_s)
    return streaming(_told(service, owner, id, shown(events, _lines, named=True)))


@router.post("/{id}/stop", status_code=204, response_class=Response)
async def stop(id: str, service: TheService, owner: Owner) -> Response:
    """Stop the reply that is being written; what was said stays."""
    await service.record(owner, id)
    await _stopped(service, id)
    return Response(status_code=204)


@router.post("/{id}/undo")
async def undo(id: str, request: Request, service: TheService, owner: Owner) -> dict[str, Any]:
    """Take the last change back."""
    await not_busy(service, owner, id)
    await service.modelled(lambda: service.talks.undo(owner, id), request)
    return await current(service, owner, id)


@router.post("/{id}/redo")
async def redo(id: str, request: Request, service: TheService, owner: Owner) -> dict[str, Any]:
    """Do again what was taken back last."""
    await not_busy(service, owner, id)
    await service.modelled(lambda: service.talks.redo(owner, id), request)
    return await current(service, owner, id)


@router.get("/{id}/export", response_class=Response)
async def download(
    id: str,
    service: TheService,
    owner: Owner,
    format: Annotated[str, Query(max_length=40, examples=["coco"])],
) -> Response:
    """A conversation as a file to save."""
    record = await service.record(owner, id)

    def write() -> Any:
        talks = service.talks
        found = talks.whole(owner, id) if format == "session" else talks.snapshot(record)
        return export(found, format, record.title)

    async with service.room.taken(record.pixels):
        made = await service.aside(write)
    named = f"attachment; filename=\"segue-{format}\"; filename*=UTF-8''{quote(made.name)}"
    return Response(
        made.content, media_type=made.media_type, headers={"Content-Disposition": named}
    )


async def not_busy(service: Service, owner: str, id: str) -> None:
    """
    Raises:
        Problem: 404; 409, a question is being answered.
    """
    await service.record(owner, id)
    if service.talks.answering(id) is not None:
        raise Problem(
            409, "busy", "A question is being answered in this conversation. Wait, or stop it."
        )


async def _told(
    service: Service, owner: str, id: str, lines: AsyncIterator[str]
) -> AsyncIterator[str]:
    """Lines of a stream, `done` completed with the turn as it is stored."""
    async for line in lines:
        if not line.startswith("event: done\n"):
            yield line
            continue
        record = await service.record(owner, id)
        document = record.document
        number = len(document["turns"]) - 1
        mine = [region for region in regions_json(document) if region["turn"] == number]
        value = {
            "turn": turn_json(document, number),
            "regions": mine,
            "revision": record.revision,
            "can_undo": record.can_undo,
            "can_redo": record.can_redo,
        }
        yield written(value, "done")


def _lines(event: Event) -> Iterator[str]:
    match event:
        case TextAdded(text):
            yield written({"text": text}, "text")
        case RegionFound(region):
            yield written(region_json(region), "region")
        case MaskReady(region):
            yield written(region_json(region), "mask")
        case NotFound(phrase, span, image, reason):
            value = {"phrase": phrase, "span": span, "image": image, "reason": reason}
            yield written(value, "not_found")
        case MarkupBroken(text):
            yield written({"text": text}, "broken")
        case ThoughtEnded(characters, retracts, regions):
            ended: dict[str, Any] = {"characters": characters, "retracts": retracts}
            yield written({**ended, "regions": list(regions)}, "thought")
        case Notice(text):
            yield written({"text": text}, "notice")
        case Done():
            yield written({}, "done")


async def _stopped(service: Service, id: str) -> None:
    job = service.talks.answering(id)
    if job is not None:
        job.cancel()
        await asyncio.to_thread(job.done.wait, PATIENCE_S)


async def _uploads(request: Request) -> list[tuple[str, bytes]]:
    """(name, content) of the files of a form."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Problem(
            400, "invalid_value", "Send a form (multipart/form-data) with a 'file'.", param="file"
        )
    async with request.form(max_files=64, max_fields=64) as form:
        files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
        return [(file.filename or "", await file.read()) for file in files]


async def _brought(request: Request, service: Service, owner: str, known: int = 0) -> list[Image]:
    """The pictures of a request: files of a form, or a sample or address as JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            source = PictureSource.model_validate_json(await request.body())
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
        if source.sample is not None:
            return [sample(source.sample).image]
        return await service.pictures(request, owner, [(source.url or "", "")], known)
    files = await _uploads(request)
    if not files or len(files) > service.settings.max_images:
        raise Problem(
            400, "invalid_value",
            f"Send between 1 and {service.settings.max_images} pictures as 'file', "
            f"got {len(files)}.", param="file",
        )  # fmt: skip
    sources = [(data, picture_name(name)) for name, data in files]
    return await service.pictures(request, owner, sources, known)
