"""Bodies of requests, read whole within bounds of length, time and memory."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from segue.server.http.errors import ApiError
from segue.server.settings import Settings

METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that come with a body."""
PUBLIC_BODY_BYTES = 4096
"""The longest body of an address that needs no key."""
STREAMED = ("POST", "/v1/videos")
"""Method and address whose body goes to the disk as it comes, and may be as long as a film."""
MULTIPART_BYTES = 64 * 1024
"""What a form needs around its file, at most."""
PUBLIC_BODY_SECONDS = 10.0
DRAIN_SECONDS = 5.0
"""So long a body that is too large is read on and thrown away: a client that still sends would see
a broken connection in place of the answer."""


class BodyReader:
    """Reads bodies; those with a key share one budget of memory, those without take none of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.held = 0
        """Bytes of all bodies that are in memory."""

    async def read(self, scope: Scope, receive: Receive, *, is_public: bool) -> bytes:
        """Read the whole body; give its memory back with `release`.

        Args:
            is_public: whether the address needs no key.

        Raises:
            ApiError: 413, 408, 429, or 400 when the client went away.
        """
        if scope["method"] not in METHODS_WITH_BODY:
            return b""
        limit = PUBLIC_BODY_BYTES if is_public else self._settings.max_body_bytes
        headers = Headers(scope=scope)
        claimed = headers.get("content-length", "0")
        if not claimed.isdecimal() or len(claimed) > 20 or int(claimed) > limit:
            if "expect" not in headers:  # who asks first has sent nothing yet
                await _drain(receive, 4 * self._settings.max_body_bytes)
            raise _too_large(limit)
        seconds = PUBLIC_BODY_SECONDS if is_public else self._settings.body_timeout_s
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(min(seconds, self._settings.body_timeout_s)):
                await self._collect(receive, parts, limit, is_counted=not is_public)
        except BaseException as error:
            if not is_public:
                self.held -= sum(map(len, parts))
            if isinstance(error, TimeoutError):
                raise ApiError(408, "timeout", "The request took too long to arrive.") from error
            if isinstance(error, _BodyTooLarge):
                parts.clear()
                if error.has_more:
                    await _drain(receive, 4 * self._settings.max_body_bytes)
                raise _too_large(limit) from None
            raise
        return b"".join(parts)

    def release(self, body: bytes, *, is_public: bool) -> None:
        """Count the body of a request that is done as free memory."""
        if not is_public:
            self.held -= len(body)

    async def stream(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that hands a long body through, piece by piece, within its bounds.

        Nothing is held. Whoever reads on after the bound gets an ApiError: 413, 408, or 400 when
        the client went away.

        Raises:
            ApiError: 413, the length that is announced is too large.
        """
        limit = self._settings.max_video_bytes + MULTIPART_BYTES
        headers = Headers(scope=scope)
        claimed = headers.get("content-length", "0")
        if not claimed.isdecimal() or len(claimed) > 20 or int(claimed) > limit:
            if "expect" not in headers:
                await _drain(receive, 4 * limit)
            raise _film_too_large(self._settings.max_video_bytes)
        loop = asyncio.get_running_loop()
        until, length, is_whole = loop.time() + self._settings.video_timeout_s, 0, False

        async def receive_piece() -> Message:
            nonlocal length, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise ApiError(408, "timeout", "The film took too long to arrive.") from error
            if message["type"] == "http.disconnect":
                raise ApiError(400, "invalid_value", "The request broke off.")
            length += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if length > limit:
                if not is_whole:
                    await _drain(receive, 4 * limit)
                raise _film_too_large(self._settings.max_video_bytes)
            return message

        return receive_piece

    async def _collect(
        self, receive: Receive, parts: list[bytes], limit: int, *, is_counted: bool
    ) -> None:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ApiError(400, "invalid_value", "The request broke off.")
            part = message.get("body", b"")
            length += len(part)
            if length > limit:
                raise _BodyTooLarge(message.get("more_body", False))
            if is_counted:
                self._take(len(part))
            parts.append(part)
            if not message.get("more_body", False):
                return

    def _take(self, length: int) -> None:
        if self.held + length > 8 * self._settings.max_body_bytes:
            raise ApiError(
                429,
                "queue_full",
                "Too many large requests at once. Try again in a moment.",
                headers={"Retry-After": "2"},
            )
        self.held += length


class _BodyTooLarge(Exception):
    """The body is longer than it said, or than it may be."""

    def __init__(self, has_more: bool) -> None:
        super().__init__()
        self.has_more = has_more


async def _drain(receive: Receive, max_bytes: int) -> None:
    """Read on and throw away, for a while."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while max_bytes > 0:
                message: Message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                max_bytes -= len(message.get("body", b""))
    except TimeoutError:
        return


def _film_too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "body_too_large",
        f"A film may have {limit} bytes at most. Cut it, or make it smaller, for example with "
        "ffmpeg.",
        headers={"Connection": "close"},
    )


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "body_too_large",
        f"A request may have {limit} bytes at most. Make the picture smaller, or send fewer.",
        headers={"Connection": "close"},
    )
