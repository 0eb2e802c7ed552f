"""What the routes work with, and how they get it."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from segue.server.conversations.pictures import Recent, Upload, received
from segue.server.conversations.reservations import Reservations
from segue.server.conversations.service import Talks
from segue.server.conversations.storage import Storage
from segue.server.conversations.store import Record
from segue.server.http.access import AT_END
from segue.server.http.errors import Problem
from segue.server.http.keys import Keys, SessionTokens
from segue.server.http.sse import call
from segue.server.metrics import Metrics
from segue.server.settings import Settings
from segue.server.worker import Worker
from segue.values.image import Image

T = TypeVar("T")

AT_ONCE = 2
"""Pictures that are decoded, edited or exported at the same time."""


class Service:
    """Everything that a server has running."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        talks: Talks,
        metrics: Metrics,
        storage: Storage,
    ) -> None:
        self.settings, self.worker, self.talks, self.metrics = settings, worker, talks, metrics
        self.storage = storage
        self.tokens = SessionTokens(talks.store, Keys(settings.keys).owners)
        """Logins of browsers."""
        self.recent = Recent(settings.memory.parts["pictures"])
        """Pictures that requests brought lately, by owner and digest."""
        self.room = Reservations(
            settings.max_held_pixels,
            max_waiting=settings.max_waiting,
            deadline_s=settings.deadline_s,
        )
        """For the decoded pictures of requests."""
        self._side = anyio.CapacityLimiter(AT_ONCE)

    async def aside(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Do something slow beside the event loop and beside the models."""
        run = partial(work, *arguments, **options)
        return await anyio.to_thread.run_sync(run, limiter=self._side)

    async def stored(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something short with the store, beside the event loop."""
        return await anyio.to_thread.run_sync(partial(work, *arguments))

    async def modelled(self, work: Callable[[], T], request: Request, *, quick: bool = True) -> T:
        """Do something in the thread of the models; what takes long is not quick."""
        deadline_s = self.settings.deadline_s
        result: T = await call(self.worker, work, request, deadline_s, quick=quick)
        return result

    def look_ahead(self, image: Image) -> None:
        """Encode a picture for the first click, when the models have nothing else to do."""
        worker = self.worker
        if worker.state != "ready" or worker.waiting or worker.active:
            return

        def steps() -> Iterator[None]:
            if worker.assistant.segmenter is not None:
                worker.assistant.grounder.view(image)
            yield

        worker.submit(steps)

    async def pictures(
        self,
        request: Request,
        owner: str,
        sources: Sequence[tuple[str | bytes, str]],
        known: int = 0,
    ) -> list[Image]:
        """The pictures of a request, as (source, name); they are remembered by their digests.

        All headers are read and added up before a pixel is decoded; when the pixels of other
        requests leave no room, this one waits. The room is kept until the request is done.

        Args:
            request: whose they are.
            owner: of the key.
            sources: bytes or addresses, each with a name for people.
            known: pixels of the pictures that are there already, in the same conversation.

        Raises:
            Problem: 400, one cannot be read, or they are too large; 429 and 504, no room.
        """
        uploads = [await self._received(source, name) for source, name in sources]
        total = sum(upload.pixels for upload in uploads)
        most = self.settings.max_total_pixels
        if known + total > most:
            raise Problem(
                400,
                "picture_too_large",
                f"The pictures have {known + total} pixels together, more than the limit of "
                f"{most}. Send fewer, or smaller ones.",
                param="image",
            )
        await self.room.take(total)
        request.scope.setdefault(AT_END, []).append(partial(self.room.give, total))
        return [await self._remembered(owner, upload) for upload in uploads]

    @asynccontextmanager
    async def picture_for_a_while(
        self, owner: str, source: str | bytes, name: str = ""
    ) -> AsyncIterator[Image]:
        """One of many pictures of a request, which are needed one after the other."""
        upload = await self._received(source, name)
        async with self.room.taken(upload.pixels):
            yield await self._remembered(owner, upload)

    async def _received(self, source: str | bytes, name: str) -> Upload:
        settings = self.settings
        return await self.aside(
            received, source, settings.limits, allow_urls=settings.allow_urls, name=name
        )

    async def _remembered(self, owner: str, upload: Upload) -> Image:
        image = await self.aside(upload.decoded)
        self.recent.put((owner, image.digest), image, image.array.nbytes)
        return image

    def known_picture(self, owner: str, digest: str) -> Image:
        """A picture that the same owner sent before.

        Raises:
            Problem: 404, it is not remembered (any more).
        """
        image = self.recent.get((owner, digest))
        if not isinstance(image, Image):
            raise Problem(
                404,
                "picture_not_known",
                f"There is no picture {digest[:80]!r} in memory. Send the picture itself.",
                param="image",
            )
        return image

    async def record(self, owner: str, id: str) -> Record:
        """A conversation as it is stored.

        Raises:
            Problem: 404.
        """
        return await self.stored(self.talks.record, owner, id)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _owner(request: Request) -> str:
    owner: str = request.state.owner
    return owner


TheService = Annotated[Service, Depends(_service)]
Owner = Annotated[str, Depends(_owner)]
