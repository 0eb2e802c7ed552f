"""Bodies of requests, read whole within bounds of length, time and memory."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from segue.server.http.errors import Problem
from segue.server.settings import Settings

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that come with a body."""
OPEN_BODY_BYTES = 4096
"""The longest body of an address that needs no key."""
OPEN_BODY_SECONDS = 10.0
DRAINED_SECONDS = 5.0
"""So long a body that is too large is read on and thrown away: a client that still sends would see
a broken connection in place of the answer."""


class Bodies:
    """Reads bodies; those with a key share one budget of memory, those without take none of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.held = 0
        """Bytes of all bodies that are in memory."""

    async def read(self, scope: Scope, receive: Receive, *, is_open: bool) -> bytes:
        """The whole body; give it back with `release`.

        Args:
            is_open: whether the address needs no key.

        Raises:
            Problem: 413, 408, 429, or 400 when the client went away.
        """
        if scope["method"] not in CHANGING:
            return b""
        limit = OPEN_BODY_BYTES if is_open else self._settings.max_body_bytes
        headers = Headers(scope=scope)
        claimed = headers.get("content-length", "0")
        if not claimed.isdecimal() or len(claimed) > 20 or int(claimed) > limit:
            if "expect" not in headers:  # who asks first has sent nothing yet
                await _drain(receive, 4 * self._settings.max_body_bytes)
            raise _too_large(limit)
        seconds = OPEN_BODY_SECONDS if is_open else self._settings.body_timeout_s
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(min(seconds, self._settings.body_timeout_s)):
                await self._collect(receive, parts, limit, counted=not is_open)
        except BaseException as error:
            if not is_open:
                self.held -= sum(map(len, parts))
            if isinstance(error, TimeoutError):
                raise Problem(408, "timeout", "The request took too long to arrive.") from error
            if isinstance(error, _TooLarge):
                parts.clear()
                if error.goes_on:
                    await _drain(receive, 4 * self._settings.max_body_bytes)
                raise _too_large(limit) from None
            raise
        return b"".join(parts)

    def release(self, body: bytes, *, is_open: bool) -> None:
        """The request is done with its body."""
        if not is_open:
            self.held -= len(body)

    async def _collect(
        self, receive: Receive, parts: list[bytes], limit: int, *, counted: bool
    ) -> None:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "invalid_value", "The request broke off.")
            part = message.get("body", b"")
            length += len(part)
            if length > limit:
                raise _TooLarge(message.get("more_body", False))
            if counted:
                self._take(len(part))
            parts.append(part)
            if not message.get("more_body", False):
                return

    def _take(self, length: int) -> None:
        if self.held + length > 8 * self._settings.max_body_bytes:
            raise Problem(
                429,
                "queue_full",
                "Too many large requests at once. Try again in a moment.",
                headers={"Retry-After": "2"},
            )
        self.held += length


class _TooLarge(Exception):
    """The body is longer than it said, or than it may be."""

    def __init__(self, goes_on: bool) -> None:
        super().__init__()
        self.goes_on = goes_on


async def _drain(receive: Receive, most: int) -> None:
    """Read on and throw away, for a while."""
    try:
        async with asyncio.timeout(DRAINED_SECONDS):
            while most > 0:
                message: Message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"A request may have {limit} bytes at most. Make the picture smaller, or send fewer.",
        headers={"Connection": "close"},
    )
