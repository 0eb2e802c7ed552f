"""Pixels that requests hold: what does not fit waits in a line, and the line has an end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from segue.server.http.errors import ApiError


class PixelReservations:
    """Decoded pixels of all requests together, first come, first served; for one event loop.

    A request reserves once, for all of its pictures: one that held some while it waited for more
    could wait for ever. What is larger than the whole budget has it alone.
    """

    def __init__(self, limit: int, *, max_waiting: int, deadline_s: float) -> None:
        """
        Args:
            limit: pixels that may be held together.
            max_waiting: requests in the line.
            deadline_s: how long one waits.
        """
        self.limit, self.max_waiting, self.deadline_s = limit, max_waiting, deadline_s
        self.held = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._line)

    async def take(self, pixels: int) -> None:
        """Wait until there is room, and hold it until `give`.

        Raises:
            ApiError: 429, too many wait already; 504, it took too long.
        """
        if not self._line and self._has_room(pixels):
            self.held += pixels
            return
        if len(self._line) >= self.max_waiting:
            raise ApiError(
                429,
                "queue_full",
                f"{len(self._line)} requests with large pictures are waiting already. Try again "
                "in a moment.",
                headers={"Retry-After": "2"},
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (pixels, turn)
        self._line.append(place)
        try:
            await asyncio.wait_for(asyncio.shield(turn), self.deadline_s)
        except BaseException as error:
            if turn.done():
                self.give(pixels)
            else:
                self._line.remove(place)
                self._call_next()
            if isinstance(error, TimeoutError):
                raise ApiError(
                    504, "deadline_exceeded", "Other pictures took too long. Try again."
                ) from error
            raise

    def give(self, pixels: int) -> None:
        """Let go of what was taken."""
        self.held -= pixels
        self._call_next()

    @asynccontextmanager
    async def reserve(self, pixels: int) -> AsyncIterator[None]:
        """Hold so many pixels for a while. See `take`."""
        await self.take(pixels)
        try:
            yield
        finally:
            self.give(pixels)

    def _has_room(self, pixels: int) -> bool:
        return self.held == 0 or self.held + pixels <= self.limit

    def _call_next(self) -> None:
        while self._line and self._has_room(self._line[0][0]):
            pixels, turn = self._line.popleft()
            if not turn.done():
                self.held += pixels
                turn.set_result(None)
