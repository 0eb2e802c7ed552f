"""Between a job and the client who waits for it: deadlines, departures, event streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from time import monotonic
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from segue.server.http.errors import Problem, problem_of
from segue.server.worker import Finished, Job, Waiting, Worker

ALIVE_S = 10.0
"""A silent stream gives a sign of life so often."""

EVENT_STREAM = "text/event-stream"


class Alive:
    """Nothing happened for a while."""


async def events_of(job: Job, request: Request, deadline_s: float) -> AsyncIterator[Any]:
    """What a job yields, `Waiting` and `Alive` in between.

    The job is cancelled when the client goes away, when the deadline passes, and when the reader
    of this stops reading.

    Raises:
        Problem: 504 after the deadline.
        ClientGone: nobody listens any more.
        Whatever the job raised.
    """
    gone = asyncio.ensure_future(_departure(request))
    ends, ended = monotonic() + deadline_s, False
    try:
        while True:
            event = await _next(job, gone, ends)
            if isinstance(event, Finished):
                ended = True
                if event.error is not None:
                    raise event.error
                return
            yield event
    except Problem:
        ended = True
        raise
    finally:
        if not ended:
            request.app.state.service.metrics.cancelled.inc()
        job.cancel()
        gone.cancel()


async def call(
    worker: Worker,
    work: Callable[[], Any],
    request: Request,
    deadline_s: float,
    *,
    quick: bool,
) -> Any:
    """Do one thing in the worker's thread and return what it returns.

    Raises:
        As `events_of`, and as `Worker.submit`.
    """

    def steps() -> Iterator[Any]:
        yield (work(),)

    result = None
    async for event in events_of(worker.submit(steps, quick=quick), request, deadline_s):
        if isinstance(event, tuple):
            (result,) = event
    return result


class ClientGone(Exception):
    """Nobody listens any more; the answer will not be sent."""


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _next(job: Job, gone: "asyncio.Future[None]", ends: float) -> Any:
    left = ends - monotonic()
    if left <= 0:
        raise Problem(
            504, "deadline_exceeded", "This took too long and was ended. Ask for less, or again."
        )
    coming = asyncio.ensure_future(job.events.get())
    try:
        await asyncio.wait(
            {coming, gone}, timeout=min(left, ALIVE_S), return_when=asyncio.FIRST_COMPLETED
        )
        if coming.done():
            return coming.result()
        if gone.done():
            raise ClientGone
        return Alive()
    finally:
        if not coming.done():
            coming.cancel()


def streaming(lines: AsyncIterator[str]) -> StreamingResponse:
    """An event stream that proxies pass on at once."""
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines, media_type=EVENT_STREAM, headers=headers)


def written(value: Any, name: str | None = None) -> str:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def shown(
    events: AsyncIterator[Any], write: Callable[[Any], Iterator[str]], *, named: bool
) -> AsyncIterator[str]:
    """Events as lines; a failure becomes the last of them.

    Args:
        events: of a job.
        write: one event as lines.
        named: events have names ("error" too), as `/ask` does; else only data, as OpenAI's.
    """
    try:
        async with contextlib.aclosing(events) as coming:  # type: ignore[type-var]
            async for event in coming:
                if isinstance(event, Alive):
                    yield ": alive\n\n"
                elif isinstance(event, Waiting):
                    waits = {"position": event.position}
                    yield written(waits, "waiting") if named else ": waiting\n\n"
                else:
                    for line in write(event):
                        yield line
    except ClientGone:
        return
    except Exception as error:
        yield written(problem_of(error).to_json(), "error" if named else None)
