"""Films: kept, shown frame by frame, and followed through."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from segue.errors import InputError
from segue.pipeline.answer import Done, Event
from segue.runs.tracking.entries import TrackedFrame
from segue.server.http.access import CLEANUPS
from segue.server.http.answer_events import to_answer_event
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError, not_found_error
from segue.server.http.jobs import ClientDisconnected, job_events
from segue.server.http.response_models import JsonRoute
from segue.server.http.sse import (
    EVENT_STREAM,
    ServerSentEvent,
    SseItem,
    event_stream_response,
    to_sse,
)
from segue.server.http.video_models import (
    FilmAnswer,
    FilmQuestion,
    PointedOutResponse,
    PointOutRequest,
    QuestionStartEvent,
    TrackedFrameOut,
    TracksDoneEvent,
    TracksEvent,
    TracksRequest,
    TracksResponse,
    TracksStartEvent,
    UndoRequest,
    VideoListResponse,
    VideoOut,
)
from segue.server.videos.service import (
    BUSY,
    EXPORTS,
    RunEnded,
    RunStarted,
    TracksKnown,
    VideoService,
    without_options,
)
from segue.server.videos.store import VideoRecord
from segue.server.videos.upload import receive_film
from segue.server.worker import Job
from segue.values.box import Size
from segue.video.frames import VideoFrame

router = APIRouter(prefix="/v1/videos", tags=["videos"], route_class=JsonRoute)

STOP_TIMEOUT_S = 10.0
"""Seconds that a request waits for a run that is being stopped."""
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_MEDIA_TYPES = {"mov": "video/mp4", "matroska": "video/webm", "ogg": "video/ogg"}
"""Of what browsers play, by FFmpeg's name of the container."""
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
FrameIndex = Annotated[int, Path(ge=0, le=10**8)]


@router.post("", status_code=201, openapi_extra=_UPLOAD)
async def add_video(request: Request, services: ServicesDep, owner: Owner) -> VideoOut:
    """Keep a film, and look through it. The same bytes are the same film."""
    videos = services.videos
    videos.check_available()
    services.storage.check()
    async with receive_film(request, videos.store.new_draft()) as film:
        record = await services.run_in_thread(videos.receive, owner, film)
    return VideoOut.of(record)


@router.get("")
async def list_videos(services: ServicesDep, owner: Owner) -> VideoListResponse:
    """List your films, those used last first."""
    records = await services.run_db(services.videos.store.of_owner, owner)
    return VideoListResponse(videos=[VideoOut.of(record) for record in records])


@router.get("/{id}")
async def get_video(id: str, services: ServicesDep, owner: Owner, times: bool = False) -> VideoOut:
    """Get what is known of a film; with `times`, when each frame is shown."""
    record = services.videos.store.find(owner, id)
    if not times:
        return VideoOut.of(record)
    video = await services.run_in_thread(services.videos.open, record)
    return VideoOut.of(record, [round(float(moment), 6) for moment in video.times])


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete_video(id: str, services: ServicesDep, owner: Owner) -> Response:
    """Delete a film and its runs; one that is going on is stopped."""
    videos = services.videos
    record = videos.store.find(owner, id)
    for job in videos.jobs_of(id):
        await _stop(job)
    await services.run_in_thread(videos.delete, record)
    return Response(status_code=204)


@router.get("/{id}/film", response_class=FileResponse)
async def get_film(id: str, services: ServicesDep, owner: Owner) -> Response:
    """Get the film itself, or a part of it (`Range`)."""
    record = services.videos.store.find(owner, id)
    kind = _MEDIA_TYPES.get(record.container.partition(",")[0], "application/octet-stream")
    file = services.videos.store.film_file(record)
    return FileResponse(file, media_type=kind, headers=_FOREVER)


@router.get("/{id}/frames/{number}", response_class=Response)
async def get_frame(
    id: str,
    number: FrameIndex,
    services: ServicesDep,
    owner: Owner,
    format: Literal["jpeg", "png"] = "jpeg",
    size: Annotated[int | None, Query(ge=16, le=4096)] = None,
) -> Response:
    """Get an upright frame as a picture; with `size`, at most so many pixels on its longer side."""
    record = services.videos.store.find(owner, id)
    async with services.pixel_reservations.reserve(record.width * record.height):
        content = await services.run_in_thread(services.videos.frame, record, number, format, size)
    return Response(content, media_type=f"image/{format}", headers=_FOREVER)


@router.post("/{id}/frames/{number}/segment")
async def segment_frame(
    id: str,
    number: FrameIndex,
    body: PointOutRequest,
    request: Request,
    services: ServicesDep,
    owner: Owner,
) -> PointedOutResponse:
    """Get the masks of what is pointed at on a frame, before it is followed. Nothing is kept."""
    videos = services.videos
    record = videos.store.find(owner, id)
    services.worker.check_room()
    n_pixels, most = record.width * record.height, services.settings.max_mask_pixels
    if len(body.targets) * n_pixels > most:
        raise ApiError(
            400,
            "invalid_value",
            f"{len(body.targets)} masks of {record.height} x {record.width} pixels are more than "
            f"the limit of {most} pixels. Ask for fewer at once.",
            param="targets",
        )
    targets = [target.to_target(Size(record.height, record.width)) for target in body.targets]
    exemplars = [one.to_exemplar() for one in body.exemplars]
    async with services.pixel_reservations.reserve(n_pixels):
        frame = await services.run_in_thread(videos.read_frame, record, number)
        pointed = await services.run_on_models(
            lambda: videos.point_out(frame.image, body.phrases, exemplars, targets),
            request,
            quick=not (body.phrases or exemplars) and len(targets) <= 1,
        )
    return PointedOutResponse.of(number, pointed, len(targets))


@router.post(
    "/{id}/ask",
    response_model=FilmAnswer,
    responses={
        200: {
            "content": {
                EVENT_STREAM: {
                    "schema": {"type": "string"},
                    "example": 'event: start\ndata: {"frames": [{"number": 0, "seconds": 0}]}\n\n'
                    'event: text\ndata: {"text": "A dog"}\n\nevent: done\ndata: {…}\n\n',
                }
            }
        }
    },
)
async def ask(
    id: str, body: FilmQuestion, request: Request, services: ServicesDep, owner: Owner
) -> FilmAnswer | Response:
    """Ask the chat model about a film or one of its frames. Nothing of it is kept.

    With `stream`, the answer comes as server-sent events while it is being written.
    """
    videos = services.videos
    record = videos.store.find(owner, id)
    services.worker.check_room()
    videos.check_chat()
    frames = await _question_frames(services, request, record, body)
    sampling = body.sampling(services.settings.max_new_tokens)
    is_film = body.frame is None
    job = services.worker.submit(
        lambda: videos.ask(frames, body.question, sampling, body.route, is_film=is_film)
    )
    videos.store.touch(record)
    events = job_events(job, request, services.settings.deadline_s)
    if body.stream:

        async def convert(event: Event) -> Sequence[ServerSentEvent]:
            if isinstance(event, Done):
                answer = FilmAnswer.of_answer(frames, event.answer)
                return [ServerSentEvent(answer, "done")]
            return [to_answer_event(event)]

        start = ServerSentEvent(QuestionStartEvent.of(frames), "start")
        return event_stream_response(_after(start, to_sse(events, convert, named=True)))
    try:
        async for event in events:
            if isinstance(event, Done):
                return FilmAnswer.of_answer(frames, event.answer)
    except ClientDisconnected:
        return Response(status_code=499)
    raise AssertionError("an answer ends with Done")


@router.post(
    "/{id}/tracks",
    response_model=TracksResponse,
    responses={
        200: {
            "content": {
                EVENT_STREAM: {
                    "schema": {"type": "string"},
                    "example": 'event: start\ndata: {"run": "5f0c…", …}\n\nevent: frame\n'
                    'data: {"number": 0, …}\n\nevent: done\ndata: {…}\n\n',
                }
            }
        }
    },
)
async def follow(
    id: str, body: TracksRequest, request: Request, services: ServicesDep, owner: Owner
) -> TracksResponse | Response:
    """Follow things through a film; with `stream`, as server-sent events, a frame each.

    The same request goes on where it was; corrections are followed anew from their frames.
    """
    videos = services.videos
    record = videos.store.find(owner, id)
    services.worker.check_room()
    size = Size(record.height, record.width)
    try:
        settings, additions = body.to_settings(size), body.to_additions(size)
    except InputError as error:
        raise InputError(without_options(str(error))) from error
    corrections = [correction.to_correction() for correction in body.corrections]
    run_id = videos.run_id(settings)
    await _wait_for_run(services, id, run_id)
    videos.check_room()
    with_stored = body.stored and body.stream

    def steps() -> Iterator[ServerSentEvent]:
        # Masks become text before they wait for a client that reads slowly.
        run = videos.track(record, settings, corrections, additions, with_stored=with_stored)
        with closing(run):
            for event in run:
                yield _to_server_sent_event(record, event)

    job = services.worker.submit(steps)
    videos.set_active_job(id, run_id, job)
    videos.store.touch(record)
    events = job_events(job, request, services.settings.deadline_s, renews=True)
    if body.stream:

        async def convert(event: ServerSentEvent) -> Sequence[ServerSentEvent]:
            return [event]

        items = to_sse(events, convert, named=True)
        return event_stream_response(_with_end(items, services, id))
    try:
        async for _ in events:
            pass
    except ClientDisconnected:
        return Response(status_code=499)
    return await services.run_in_thread(_stored_tracks, videos, record, run_id)


@router.get("/{id}/tracks/{run}")
async def get_tracks(id: str, run: str, services: ServicesDep, owner: Owner) -> TracksResponse:
    """Get a run as far as it is."""
    record = services.videos.store.find(owner, id)
    return await services.run_in_thread(_stored_tracks, services.videos, record, run)


@router.post("/{id}/tracks/{run}/undo")
async def undo(
    id: str, run: str, body: UndoRequest, services: ServicesDep, owner: Owner
) -> TracksResponse:
    """Undo the last correction or addition of a run: of a frame or a track, or of all.

    What it had changed is as before; where frames are pending then, the same request goes on.
    """
    videos = services.videos
    record = videos.store.find(owner, id)
    await _wait_for_run(services, id, run)
    await services.run_in_thread(videos.undo, record, run, body.frame, body.track)
    return await services.run_in_thread(_stored_tracks, videos, record, run)


@router.get("/{id}/tracks/{run}/{file}", response_class=FileResponse)
async def export_tracks(
    id: str,
    run: str,
    file: Literal["coco.json", "mot.txt", "sheet.png", "overlay.mp4"],
    services: ServicesDep,
    owner: Owner,
) -> Response:
    """Get a run as a file: COCO with track ids, MOTChallenge, eight frames, or the film."""
    record = services.videos.store.find(owner, id)
    written = await services.run_export(services.videos.export, record, run, file)
    name = f"{record.name.rpartition('.')[0] or record.name}-{file}"
    disposition = f"attachment; filename=\"{file}\"; filename*=UTF-8''{quote(name)}"
    return FileResponse(
        written, media_type=EXPORTS[file][0], headers={"Content-Disposition": disposition}
    )


async def _question_frames(
    services: Services, request: Request, record: VideoRecord, body: FilmQuestion
) -> list[VideoFrame]:
    """Decode what a question shows; the room for it is kept until the request is done.

    Raises:
        ApiError: 404, there is no such frame; 400, the frames are too large together.
    """
    videos = services.videos
    if body.frame is not None:
        videos.check_frame(record, body.frame)
    n_frames = 1 if body.frame is not None else min(body.frames, record.frames)
    n_pixels, most = n_frames * record.width * record.height, services.settings.max_total_pixels
    if n_pixels > most:
        raise ApiError(
            400,
            "picture_too_large",
            f"{n_frames} frames have {n_pixels} pixels together, more than the limit of {most}. "
            "Ask with fewer 'frames'.",
            param="frames",
        )
    await services.pixel_reservations.take(n_pixels)
    give = partial(services.pixel_reservations.give, n_pixels)
    request.scope.setdefault(CLEANUPS, []).append(give)
    if body.frame is not None:
        return [await services.run_in_thread(videos.read_frame, record, body.frame)]
    return await services.run_in_thread(
        videos.question_frames, record, n_frames, body.start, body.end
    )


async def _after(first: SseItem, rest: AsyncIterator[SseItem]) -> AsyncIterator[SseItem]:
    yield first
    async with aclosing(rest):  # type: ignore[type-var]
        async for item in rest:
            yield item


async def _with_end(
    items: AsyncIterator[SseItem], services: Services, id: str
) -> AsyncIterator[SseItem]:
    """Say why a stream ends that the server ended: it stops, or the film was deleted."""
    name = None
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            name = item.name if isinstance(item, ServerSentEvent) else name
            yield item
    if name not in ("done", "error"):
        error = not_found_error("video", id)
        if services.worker.state != "ready":
            error = ApiError(503, "draining", "The server is stopping. What was done is kept.")
        yield ServerSentEvent(error.body(), "error")


def _stored_tracks(videos: VideoService, record: VideoRecord, run: str) -> TracksResponse:
    store = videos.stored_run(record, run)
    numbers = store.settings.selection.numbers(videos.open(record).times)
    return TracksResponse.of(record, store, [int(number) for number in numbers])


async def _wait_for_run(services: Services, id: str, run: str) -> None:
    """Wait for a run that is being stopped.

    Raises:
        ApiError: 409, it is going on for another client.
    """
    job = services.videos.active_job(id, run)
    if job is not None and job.is_cancelled:
        await _stop(job)
        job = services.videos.active_job(id, run)
    if job is not None:
        raise ApiError(409, "busy", BUSY)


async def _stop(job: Job) -> None:
    job.cancel()
    await asyncio.to_thread(job.done.wait, STOP_TIMEOUT_S)


def _to_server_sent_event(record: VideoRecord, event: Any) -> ServerSentEvent:
    """Return an event of a run as it goes out."""
    match event:
        case RunStarted(run, n_pending, n_stored):
            return ServerSentEvent(TracksStartEvent.of(run, n_pending, n_stored), "start")
        case TracksKnown(store):
            return ServerSentEvent(TracksEvent.of(store), "tracks")
        case TrackedFrame():
            return ServerSentEvent(TrackedFrameOut.of(event), "frame")
        case RunEnded(run):
            numbers = [int(number) for number in run.numbers]
            return ServerSentEvent(TracksDoneEvent.of(record, run.store, numbers), "done")
    raise AssertionError(f"{event!r} has no form as a server-sent event")
