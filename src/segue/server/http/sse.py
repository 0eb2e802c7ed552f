"""Server-sent events: typed until they are sent, and formatted in one place."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from segue.server.http.errors import to_api_error
from segue.server.http.event_models import QueueEvent
from segue.server.http.jobs import ClientDisconnected, Heartbeat
from segue.server.http.response_models import to_json_bytes
from segue.server.worker import QueuePosition

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream."""

    data: BaseModel | str
    name: str | None = None

    def to_bytes(self) -> bytes:
        """Format the event.

        >>> ServerSentEvent("[DONE]").to_bytes()
        b'data: [DONE]\\n\\n'
        """
        data = self.data.encode() if isinstance(self.data, str) else to_json_bytes(self.data)
        head = f"event: {self.name}\n".encode() if self.name else b""
        return head + b"data: " + data + b"\n\n"


@dataclass(frozen=True, slots=True)
class SseComment:
    """A line that clients ignore: a sign of life."""

    text: str

    def to_bytes(self) -> bytes:
        """Format the comment."""
        return f": {self.text}\n\n".encode()


SseItem = ServerSentEvent | SseComment


async def to_sse(
    events: AsyncIterator[Any],
    convert: Callable[[Any], Awaitable[Sequence[ServerSentEvent]]],
    *,
    named: bool,
    final_event: ServerSentEvent | None = None,
) -> AsyncIterator[SseItem]:
    """Turn the events of a job into server-sent events; a failure becomes the last of them.

    Args:
        events: of a job, from `job_events`.
        convert: returns what one of them is to the client.
        named: events have names ("waiting", "error"), as those of `/ask`; else they are data only,
            as OpenAI's.
        final_event: ends a stream that did not fail.
    """
    try:
        async with contextlib.aclosing(events) as job_stream:  # type: ignore[type-var]
            async for event in job_stream:
                if isinstance(event, Heartbeat):
                    yield SseComment("alive")
                elif isinstance(event, QueuePosition) and not named:
                    yield SseComment("waiting")
                elif isinstance(event, QueuePosition):
                    yield ServerSentEvent(QueueEvent(position=event.position), "waiting")
                else:
                    for item in await convert(event):
                        yield item
    except ClientDisconnected:
        return
    except Exception as error:
        yield ServerSentEvent(to_api_error(error).body(), "error" if named else None)
        return
    if final_event is not None:
        yield final_event


def event_stream_response(items: AsyncIterator[SseItem]) -> StreamingResponse:
    """Return an event stream that proxies pass on at once."""
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    content = (item.to_bytes() async for item in items)
    return StreamingResponse(content, media_type=EVENT_STREAM, headers=headers)
