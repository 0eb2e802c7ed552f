"""Conversations that the server keeps: questions, pictures, undo, export and import."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from segue.embedded.samples import sample
from segue.pipeline.answer import Done, Event
from segue.server.conversations.export import ExportFile, export, read_session
from segue.server.conversations.pictures import clean_picture_name
from segue.server.http.answer_events import to_answer_event
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError, media_type_error
from segue.server.http.event_models import DoneEvent
from segue.server.http.jobs import job_events
from segue.server.http.request_models import (
    AskRequest,
    ForgetRequest,
    NewConversationRequest,
    PictureSource,
    RenameRequest,
)
from segue.server.http.response_models import (
    BackgroundResponse,
    ConversationListItem,
    ConversationListResponse,
    ConversationResponse,
    JsonRoute,
)
from segue.server.http.sse import EVENT_STREAM, ServerSentEvent, event_stream_response, to_sse
from segue.values.image import Image

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=JsonRoute)

STOP_TIMEOUT_S = 10.0
"""Seconds that a new question waits for one that is being stopped."""

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


async def current_state(services: Services, owner: str, id: str) -> ConversationResponse:
    """Return a conversation as it is now."""
    record = await services.find_record(owner, id)
    is_busy = services.conversations.active_job(id) is not None
    return ConversationResponse.of(record, busy=is_busy)


@router.get("")
async def list_conversations(
    services: ServicesDep,
    owner: Owner,
    q: Annotated[str, Query(max_length=400, examples=["dog"])] = "",
) -> ConversationListResponse:
    """List your conversations, newest first; with `q`, those that have all its words.

    Words are looked for in titles, questions, answers, phrases of regions and names of pictures;
    a part of a word is enough, and case does not matter.
    """
    store = services.conversations.store
    if q.strip():
        summaries = await services.run_db(store.search, owner, q)
    else:
        summaries = await services.run_db(store.list_conversations, owner)
    items = [ConversationListItem.of(summary) for summary in summaries]
    return ConversationListResponse(conversations=items)


@router.post("", status_code=201)
async def create_conversation(
    body: NewConversationRequest, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Start a conversation."""
    store = services.conversations.store
    create = partial(store.create, owner, title=body.title, system=body.system)
    return await current_state(services, owner, await services.run_db(create))


@router.post("/import", status_code=201, openapi_extra=_UPLOAD)
async def import_session(
    request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Open a saved session as a new conversation."""
    uploads = await _read_uploads(request)
    if len(uploads) != 1:
        raise ApiError(400, "invalid_value", "Send one session file as 'file'.", param="file")
    settings = services.settings
    ((name, content),) = uploads
    limits = settings.session_limits
    # How many pixels it has is known only after it is opened.
    async with services.pixel_reservations.reserve(limits.max_pixels):
        session = await services.run_in_thread(read_session, content, limits, settings.max_images)
        answers = session.answers
        title = " ".join(answers[0].question.split())[:80] if answers else name.rpartition(".")[0]
        import_conversation = services.conversations.import_conversation
        id = await services.run_in_thread(import_conversation, owner, session, title)
    return await current_state(services, owner, id)


@router.get("/{id}", response_model=ConversationResponse)
async def get_conversation(
    id: str, request: Request, response: Response, services: ServicesDep, owner: Owner
) -> ConversationResponse | Response:
    """Get everything about a conversation; 304 when `If-None-Match` names its revision."""
    state = await current_state(services, owner, id)
    etag = f'"{state.revision}{"b" if state.busy else ""}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return state


@router.patch("/{id}")
async def rename_conversation(
    id: str, body: RenameRequest, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Give a conversation a title."""
    await services.find_record(owner, id)
    await services.run_db(services.conversations.store.set_title, id, body.title)
    return await current_state(services, owner, id)


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete_conversation(id: str, services: ServicesDep, owner: Owner) -> Response:
    """Delete a conversation; a reply that is being written is stopped."""
    await services.find_record(owner, id)
    await _stop_job(services, id)
    await services.run_db(services.conversations.delete, owner, id)
    return Response(status_code=204)


@router.post("/{id}/images", status_code=201, openapi_extra=_PICTURE_UPLOAD)
async def add_images(
    id: str, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Add pictures; they go with the next question."""
    images = await _load_uploaded_pictures(request, services, owner, id)
    max_images = services.settings.max_images
    await services.run_in_thread(services.conversations.add_images, owner, id, images, max_images)
    services.encode_ahead(images[-1])
    return await current_state(services, owner, id)


@router.post("/{id}/backgrounds", status_code=201, openapi_extra=_PICTURE_UPLOAD)
async def add_background(
    id: str, request: Request, services: ServicesDep, owner: Owner
) -> BackgroundResponse:
    """Add a picture that the edit "background" may name."""
    images = await _load_uploaded_pictures(request, services, owner, id)
    if len(images) != 1:
        raise ApiError(400, "invalid_value", "Send one picture.", param="file")
    save_background = services.conversations.add_background
    return BackgroundResponse(
        name=await services.run_in_thread(save_background, owner, id, images[0])
    )


@router.post(
    "/{id}/ask",
    response_class=Response,
    responses={
        200: {
            "content": {
                EVENT_STREAM: {
                    "schema": {"type": "string"},
                    "example": 'event: text\ndata: {"text": "飞机"}\n\nevent: done\ndata: {…}\n\n',
                }
            }
        }
    },
)
async def ask(
    id: str, body: AskRequest, request: Request, services: ServicesDep, owner: Owner
) -> Response:
    """Ask, and get the answer as an event stream while it is being written."""
    await services.find_record(owner, id)
    active_job = services.conversations.active_job(id)
    if active_job is not None and active_job.is_cancelled:
        await _stop_job(services, id)
    else:
        _check_not_busy(services, id)
    sampling = body.sampling(services.settings.max_new_tokens)
    job = services.worker.submit(
        lambda: services.conversations.ask(owner, id, body.question, sampling, body.route)
    )
    services.conversations.set_active_job(id, job)

    async def convert(event: Event) -> Sequence[ServerSentEvent]:
        if isinstance(event, Done):  # it goes out as it is stored
            return [ServerSentEvent(DoneEvent.of(await services.find_record(owner, id)), "done")]
        return [to_answer_event(event)]

    events = job_events(job, request, services.settings.deadline_s)
    return event_stream_response(to_sse(events, convert, named=True))


@router.post("/{id}/stop", status_code=204, response_class=Response)
async def stop(id: str, services: ServicesDep, owner: Owner) -> Response:
    """Stop the reply that is being written; what was said so far stays."""
    await services.find_record(owner, id)
    await _stop_job(services, id)
    return Response(status_code=204)


@router.post("/{id}/undo")
async def undo(
    id: str, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Undo the last change."""
    await services.find_record(owner, id)
    _check_not_busy(services, id)
    await services.run_on_models(lambda: services.conversations.undo(owner, id), request)
    return await current_state(services, owner, id)


@router.post("/{id}/redo")
async def redo(
    id: str, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Redo the change that was undone last."""
    await services.find_record(owner, id)
    _check_not_busy(services, id)
    await services.run_on_models(lambda: services.conversations.redo(owner, id), request)
    return await current_state(services, owner, id)


@router.post("/{id}/forget")
async def forget_turns(
    id: str, body: ForgetRequest, request: Request, services: ServicesDep, owner: Owner
) -> ConversationResponse:
    """Let the chat model forget the oldest turns; pictures and regions stay."""
    await services.find_record(owner, id)
    _check_not_busy(services, id)
    forget = partial(
        services.conversations.apply,
        owner,
        id,
        lambda conversation: conversation.forget(body.turns),
    )
    await services.run_on_models(forget, request)
    return await current_state(services, owner, id)


@router.get("/{id}/export", response_class=Response)
async def export_conversation(
    id: str,
    services: ServicesDep,
    owner: Owner,
    format: Annotated[str, Query(max_length=40, examples=["coco"])],
) -> Response:
    """Export a conversation as a file."""
    record = await services.find_record(owner, id)

    def write() -> ExportFile:
        if format == "session":
            conversation = services.conversations.open_with_history(owner, id)
        else:
            conversation = services.conversations.open_snapshot(record)
        return export(conversation, format, record.title)

    async with services.pixel_reservations.reserve(record.pixels):
        file = await services.run_in_thread(write)
    disposition = f"attachment; filename=\"segue-{format}\"; filename*=UTF-8''{quote(file.name)}"
    return Response(
        file.content, media_type=file.media_type, headers={"Content-Disposition": disposition}
    )


def _check_not_busy(services: Services, id: str) -> None:
    """Check that no question is being answered.

    Raises:
        ApiError: 409, one is.
    """
    if services.conversations.active_job(id) is not None:
        raise ApiError(
            409,
            "busy",
            "A question is being answered in this conversation. Wait for it, or stop it.",
        )


async def _stop_job(services: Services, id: str) -> None:
    job = services.conversations.active_job(id)
    if job is not None:
        job.cancel()
        await asyncio.to_thread(job.done.wait, STOP_TIMEOUT_S)


async def _read_uploads(request: Request) -> list[tuple[str, bytes]]:
    """Read the files of a form, as (name, content)."""
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise media_type_error(content_type, "a form (multipart/form-data) with a 'file'")
    async with request.form(max_files=64, max_fields=64) as form:
        files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
        return [(file.filename or "", await file.read()) for file in files]


async def _load_uploaded_pictures(
    request: Request, services: Services, owner: str, id: str
) -> list[Image]:
    """Load the pictures that a request adds to a conversation.

    They are files of a form, or a sample or an address as JSON.
    """
    record = await services.find_record(owner, id)
    n_pixels = await services.run_db(services.conversations.count_pixels, record)
    sources: list[tuple[str | bytes, str]]
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            source = PictureSource.model_validate_json(await request.body())
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
        if source.sample is not None:
            return [sample(source.sample).image]
        sources = [(source.url or "", "")]
    else:
        files = await _read_uploads(request)
        max_images = services.settings.max_images
        if not files or len(files) > max_images:
            raise ApiError(
                400,
                "invalid_value",
                f"Send between 1 and {max_images} pictures as 'file', got {len(files)}.",
                param="file",
            )
        sources = [(content, clean_picture_name(name)) for name, content in files]
    return await services.load_pictures(request, owner, sources, n_pixels)
