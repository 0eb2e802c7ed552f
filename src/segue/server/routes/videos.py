"""Films: kept, shown frame by frame, and followed through."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from segue.runs.tracking.entries import TrackedFrame
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.jobs import ClientDisconnected, job_events
from segue.server.http.response_models import JsonRoute
from segue.server.http.sse import EVENT_STREAM, ServerSentEvent, event_stream_response, to_sse
from segue.server.http.video_models import (
    TrackedFrameOut,
    TracksDoneEvent,
    TracksEvent,
    TracksRequest,
    TracksResponse,
    TracksStartEvent,
    VideoListResponse,
    VideoOut,
)
from segue.server.videos.service import (
    EXPORTS,
    RunEnded,
    RunStarted,
    TracksKnown,
    VideoService,
)
from segue.server.videos.store import VideoRecord
from segue.server.videos.upload import receive_film
from segue.server.worker import Job

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
    settings = body.to_settings()
    corrections = [correction.to_correction() for correction in body.corrections]
    run_id = videos.run_id(settings)
    await _wait_for_run(services, id, run_id)
    videos.check_room()
    with_stored = body.stored and body.stream

    def steps() -> Iterator[ServerSentEvent]:
        # Masks become text before they wait for a client that reads slowly.
        with closing(videos.track(record, settings, corrections, with_stored=with_stored)) as run:
            for event in run:
                yield _to_server_sent_event(record, event)

    job = services.worker.submit(steps)
    videos.set_active_job(id, run_id, job)
    videos.store.touch(record)
    events = job_events(job, request, services.settings.deadline_s, renews=True)
    if body.stream:

        async def convert(event: ServerSentEvent) -> Sequence[ServerSentEvent]:
            return [event]

        return event_stream_response(to_sse(events, convert, named=True))
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
        raise ApiError(
            409, "busy", "The same is being followed for another request. Wait for it, or stop it."
        )


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
