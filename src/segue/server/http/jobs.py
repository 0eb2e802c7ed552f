"""Between a job and the client that waits for it: deadlines and disconnects."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from time import monotonic
from typing import Any

from fastapi import Request

from segue.server.http.errors import ApiError
from segue.server.worker import Job, JobFinished, Worker

HEARTBEAT_S = 10.0
"""Seconds of silence after which a stream gives a sign of life."""


class Heartbeat:
    """Nothing happened for a while."""


class ClientDisconnected(Exception):
    """The client closed the connection; the answer will not be sent."""


async def job_events(
    job: Job, request: Request, deadline_s: float, *, renews: bool = False
) -> AsyncIterator[Any]:
    """Yield what a job yields, `QueuePosition` and `Heartbeat` in between.

    The job is cancelled when the client disconnects, when the deadline passes, and when the reader
    of this generator stops reading. With `renews` each event of the job begins the time anew, for
    jobs that take as long as they take and show that they go on.

    Raises:
        ApiError: 504 after the deadline.
        ClientDisconnected: the client closed the connection.
        Whatever the job raised.
    """
    disconnect = asyncio.ensure_future(_wait_for_disconnect(request))
    deadline, is_finished = monotonic() + deadline_s, False
    try:
        while True:
            event = await _next_event(job, disconnect, deadline)
            if isinstance(event, JobFinished):
                is_finished = True
                if event.error is not None:
                    raise event.error
                return
            if renews and not isinstance(event, Heartbeat):
                deadline = monotonic() + deadline_s
            yield event
    except ApiError:
        is_finished = True
        raise
    finally:
        if not is_finished:
            request.app.state.services.metrics.cancelled.inc()
        job.cancel()
        disconnect.cancel()


async def run_job(
    worker: Worker,
    work: Callable[[], Any],
    request: Request,
    deadline_s: float,
    *,
    quick: bool,
) -> Any:
    """Do one thing in the worker's thread and return what it returns.

    Raises:
        As `job_events`, and as `Worker.submit`.
    """

    def steps() -> Iterator[Any]:
        yield (work(),)

    result = None
    async for event in job_events(worker.submit(steps, quick=quick), request, deadline_s):
        if isinstance(event, tuple):
            (result,) = event
    return result


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _next_event(job: Job, disconnect: "asyncio.Future[None]", deadline: float) -> Any:
    seconds_left = deadline - monotonic()
    if seconds_left <= 0:
        raise ApiError(
            504,
            "deadline_exceeded",
            "This took too long and was ended. Ask for less, or try again.",
        )
    next_event = asyncio.ensure_future(job.events.get())
    try:
        await asyncio.wait(
            {next_event, disconnect},
            timeout=min(seconds_left, HEARTBEAT_S),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if next_event.done():
            return next_event.result()
        if disconnect.done():
            raise ClientDisconnected
        return Heartbeat()
    finally:
        if not next_event.done():
            next_event.cancel()
