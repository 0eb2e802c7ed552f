"""What the routes work with, and how they get it."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from segue.runtime.byte_cache import ByteCache
from segue.server.conversations.pictures import Upload, receive_picture
from segue.server.conversations.reservations import PixelReservations
from segue.server.conversations.service import ConversationService
from segue.server.conversations.storage import Storage
from segue.server.conversations.store import ConversationRecord
from segue.server.http.access import CLEANUPS
from segue.server.http.errors import ApiError
from segue.server.http.jobs import run_job
from segue.server.http.keys import ApiKeys, SessionTokens
from segue.server.metrics import Metrics
from segue.server.settings import Settings
from segue.server.videos.service import VideoService
from segue.server.worker import Worker
from segue.values.image import Image

T = TypeVar("T")

MAX_CONCURRENT = 2
"""Pictures that are decoded, edited or exported at the same time."""


class Services:
    """Everything that a server has running."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        conversations: ConversationService,
        metrics: Metrics,
        storage: Storage,
        videos: VideoService,
    ) -> None:
        self.settings, self.worker, self.metrics = settings, worker, metrics
        self.conversations = conversations
        self.storage = storage
        self.videos = videos
        self.tokens = SessionTokens(conversations.store, ApiKeys(settings.keys).owners)
        """Logins of browsers."""
        self.recent_pictures: ByteCache[tuple[str, str], Image] = ByteCache(
            settings.memory.parts["pictures"], size_of=lambda image: image.array.nbytes
        )
        """Pictures that requests brought lately, by owner and digest."""
        self.pixel_reservations = PixelReservations(
            settings.max_held_pixels,
            max_waiting=settings.max_waiting,
            deadline_s=settings.deadline_s,
        )
        """For the decoded pictures of requests."""
        self._thread_limiter = anyio.CapacityLimiter(MAX_CONCURRENT)
        self._export_limiter = anyio.CapacityLimiter(1)

    async def run_in_thread(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Do something slow beside the event loop and beside the models."""
        call = partial(work, *arguments, **options)
        return await anyio.to_thread.run_sync(call, limiter=self._thread_limiter)

    async def run_export(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something that takes minutes beside the event loop, one after the other."""
        call = partial(work, *arguments)
        return await anyio.to_thread.run_sync(call, limiter=self._export_limiter)

    async def run_db(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something short with the store, beside the event loop."""
        return await anyio.to_thread.run_sync(partial(work, *arguments))

    async def run_on_models(
        self, work: Callable[[], T], request: Request, *, quick: bool = True
    ) -> T:
        """Do something in the thread of the models; what takes long is not quick."""
        deadline_s = self.settings.deadline_s
        result: T = await run_job(self.worker, work, request, deadline_s, quick=quick)
        return result

    def encode_ahead(self, image: Image) -> None:
        """Encode a picture for the first click, when the models have nothing else to do."""
        worker = self.worker
        if worker.state != "ready" or worker.waiting or worker.active:
            return

        def steps() -> Iterator[None]:
            if worker.assistant.segmenter is not None:
                worker.assistant.grounder.view(image)
            yield

        worker.submit(steps)

    async def load_pictures(
        self,
        request: Request,
        owner: str,
        sources: Sequence[tuple[str | bytes, str]],
        n_pixels_before: int = 0,
    ) -> list[Image]:
        """Load the pictures of a request, as (source, name); they are cached by their digests.

        All headers are read and added up before a pixel is decoded; when the pixels of other
        requests leave no room, this one waits. The room is kept until the request is done.

        Args:
            request: whose they are.
            owner: of the key.
            sources: bytes or addresses, each with a name for people.
            n_pixels_before: pixels of the pictures already in the same conversation.

        Raises:
            ApiError: 400, one cannot be read, or they are too large; 429 and 504, no room.
        """
        uploads = [await self._receive(source, name) for source, name in sources]
        total = sum(upload.pixels for upload in uploads)
        max_pixels = self.settings.max_total_pixels
        if n_pixels_before + total > max_pixels:
            raise ApiError(
                400,
                "picture_too_large",
                f"The pictures have {n_pixels_before + total} pixels together, more than the limit "
                f"of {max_pixels}. Send fewer, or smaller ones.",
                param="image",
            )
        await self.pixel_reservations.take(total)
        request.scope.setdefault(CLEANUPS, []).append(partial(self.pixel_reservations.give, total))
        return [await self._decode(owner, upload) for upload in uploads]

    @asynccontextmanager
    async def hold_picture(
        self, owner: str, source: str | bytes, name: str = ""
    ) -> AsyncIterator[Image]:
        """One of many pictures of a request, which are needed one after the other."""
        upload = await self._receive(source, name)
        async with self.pixel_reservations.reserve(upload.pixels):
            yield await self._decode(owner, upload)

    async def _receive(self, source: str | bytes, name: str) -> Upload:
        settings = self.settings
        return await self.run_in_thread(
            receive_picture, source, settings.limits, allow_urls=settings.allow_urls, name=name
        )

    async def _decode(self, owner: str, upload: Upload) -> Image:
        image = await self.run_in_thread(upload.decode)
        self.recent_pictures.put((owner, image.digest), image)
        return image

    def recent_picture(self, owner: str, digest: str) -> Image:
        """Find a picture that the same owner sent before.

        Raises:
            ApiError: 404, it is not remembered (any more).
        """
        image = self.recent_pictures.get((owner, digest))
        if image is None:
            raise ApiError(
                404,
                "picture_not_known",
                f"There is no picture {digest[:80]!r} in memory. Send the picture itself.",
                param="image",
            )
        return image

    async def find_record(self, owner: str, id: str) -> ConversationRecord:
        """Find a conversation as it is stored.

        Raises:
            ApiError: 404.
        """
        return await self.run_db(self.conversations.find_record, owner, id)


def _get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _owner(request: Request) -> str:
    owner: str = request.state.owner
    return owner


ServicesDep = Annotated[Services, Depends(_get_services)]
Owner = Annotated[str, Depends(_owner)]
