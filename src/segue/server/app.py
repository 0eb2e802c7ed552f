"""Puts a server together, and runs it."""

import logging
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from segue.assistant import Assistant
from segue.assistant.loading import load_tracker
from segue.chat import serve_publicly
from segue.errors import InputError
from segue.files.append_only import lock_file
from segue.pipeline.presets import CARDS
from segue.server.conversations.pictures import PictureStore
from segue.server.conversations.service import ConversationService
from segue.server.conversations.storage import Storage, explain_disk_errors, private
from segue.server.conversations.store import ConversationStore
from segue.server.disk_errors import disk_error_code
from segue.server.http.access import AccessMiddleware
from segue.server.http.connections import Connections, protocol_for
from segue.server.http.dependencies import Services
from segue.server.http.errors import install_error_handlers
from segue.server.http.jobs import ClientDisconnected
from segue.server.http.openapi import ERROR_RESPONSES, openapi_of
from segue.server.metrics import Metrics, MetricsMiddleware
from segue.server.review.service import ReviewService
from segue.server.routes import (
    about,
    completions,
    conversations,
    health,
    label_studio,
    page,
    regions,
    segmentation,
)
from segue.server.routes import review as review_routes
from segue.server.routes import videos as videos_routes
from segue.server.settings import Settings
from segue.server.videos.service import LoadTracker, VideoService
from segue.server.videos.store import VideoStore
from segue.server.worker import Worker
from segue.trackers import Tracker
from segue.values.image import budget
from segue.version import __version__

log = logging.getLogger(__name__)

DESCRIPTION = """Talk about a picture, get pixel-accurate masks. Boxes are `[x0, y0, x1, y1]` in
pixels of the upright picture, masks are COCO RLE. Errors have OpenAI's shape everywhere."""


def build(
    settings: Settings,
    load: Callable[[], Assistant],
    on_failure: Callable[[], None] = lambda: None,
    review: ReviewService | None = None,
    *,
    make_tracker: LoadTracker | None = None,
    is_locked: bool = False,
) -> FastAPI:
    """Make the application.

    Args:
        settings: how it shall be.
        load: makes the assistant, in the thread of the models, once the server runs.
        on_failure: called when it cannot be made.
        review: what the page is about, in the place of conversations; None: nothing is reviewed.
        make_tracker: makes what follows things through films, in the same thread; None: box
            following, with the segmenter.
        is_locked: the caller holds the lock of the data folder.

    Raises:
        InputError: another server uses the data folder.
    """
    metrics = Metrics()

    def prepare(assistant: Assistant) -> None:
        _prepare(assistant, settings)
        app.state.services.videos.tracker = (make_tracker or _box_tracker)(assistant)

    worker = Worker(
        max_waiting=settings.max_waiting,
        max_active=settings.max_active,
        waited=metrics.waited.observe,
        loaded=prepare,
    )

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        with nullcontext() if is_locked else locked(settings.data):
            storage = Storage(settings.data)
            store = open_store(storage)
            service = ConversationService(
                store,
                PictureStore(storage.pictures),
                lambda: worker.assistant,
                settings.memory.parts["conversations"],
                storage,
            )
            service.clean()
            storage.keep_reserve()
            videos = VideoService(VideoStore(storage.videos), settings, lambda: worker.assistant)
            app.state.services = Services(settings, worker, service, metrics, storage, videos)
            worker.start(load, on_failure)
            try:
                yield
            finally:
                worker.stop()
                store.close()

    middleware = [Middleware(MetricsMiddleware, metrics)]
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.cors_origins),
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Retry-After", "ETag"],
            )
        )
    middleware.append(Middleware(AccessMiddleware, settings=settings))
    app = FastAPI(
        title="segue",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=running,
        middleware=middleware,
        responses=ERROR_RESPONSES,
    )
    app.state.worker = worker
    app.state.connections = Connections()
    parts = (health, about, completions, segmentation, conversations, regions, videos_routes, page)
    for part in parts:
        app.include_router(part.router)
    app.state.review = review
    if review is not None:
        app.include_router(review_routes.router)
    if settings.label_studio:
        app.include_router(label_studio.router)
    install_error_handlers(app)
    app.add_exception_handler(ClientDisconnected, _client_closed_request)
    app.openapi = openapi_of(app)  # type: ignore[method-assign]
    metrics.watch(
        {
            "segue_queue_waiting": ("Jobs that wait", lambda: worker.waiting),
            "segue_connections": ("Open connections", lambda: app.state.connections.count),
            "segue_queue_active": ("Jobs that are worked on", lambda: worker.active),
            "segue_memory_budget_bytes": (
                "What all that follow may hold together",
                lambda: settings.memory.total,
            ),
            "segue_views_bytes": (
                "Pictures encoded for masks",
                partial(_cache_bytes, app, "views"),
            ),
            "segue_features_bytes": (
                "Pictures encoded for the chat model",
                partial(_cache_bytes, app, "features"),
            ),
            "segue_detector_bytes": (
                "Pictures encoded for the detector",
                partial(_cache_bytes, app, "detector"),
            ),
            "segue_sequences_bytes": (
                "Conversations that the chat model has read",
                partial(_cache_bytes, app, "sequences"),
            ),
            "segue_pictures_bytes": (
                "Pictures of requests",
                partial(_cache_bytes, app, "pictures"),
            ),
            "segue_conversations_bytes": (
                "Conversations at hand",
                partial(_cache_bytes, app, "conversations"),
            ),
            "segue_pixels_in_flight": (
                "Decoded pixels of requests in the works",
                lambda: app.state.services.pixel_reservations.held,
            ),
            "segue_gpu_memory_bytes": ("Memory of the GPU in use", _gpu_bytes),
        }
    )
    return app


def open_store(storage: Storage) -> ConversationStore:
    """Open the conversations of a data folder; on a full disk with the help of its reserve.

    Raises:
        InputError: the folder or the file cannot be used; the message says why.
        ModelError: another version wrote the file.
    """
    with explain_disk_errors(storage.folder):
        try:
            return ConversationStore(storage.database)
        except sqlite3.Error as error:
            if disk_error_code(error) != "storage_full":
                raise
            with storage.release_reserve():
                return ConversationStore(storage.database)


class Server(uvicorn.Server):
    """A uvicorn server that says when it listens, and takes no new work once told to stop."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = self.config.host
            self._listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGINT and SIGTERM: replies that are being written may end first."""
        app = self.config.app
        if isinstance(app, FastAPI):
            app.state.worker.drain()
        super().handle_exit(sig, frame)


def serve(
    settings: Settings,
    load: Callable[[], Assistant],
    listening: Callable[[str], None] = lambda address: None,
    review: ReviewService | None = None,
    make_tracker: LoadTracker | None = None,
) -> None:
    """Run until told to stop.

    Args:
        settings: how it shall be.
        load: makes the assistant.
        listening: told the address, "http://127.0.0.1:8000", once it is open.
        review: what the page is about; None: conversations.
        make_tracker: makes what follows things through films; None: box following.

    Raises:
        InputError: the address is in use, or another server uses the data folder.
        SegueError: the models could not be loaded.
    """
    servers: list[Server] = []

    def give_up() -> None:
        for server in servers:
            server.should_exit = True

    with locked(settings.data):  # what is wrong with the folder is said before anything starts
        open_store(Storage(settings.data)).close()
        budget.PIXELS.limit = settings.max_pixels  # one of the largest pictures at a time
        app = build(settings, load, give_up, review, make_tracker=make_tracker, is_locked=True)
        config = uvicorn.Config(
            app,
            host=settings.host.strip("[]"),
            port=settings.port,
            log_level="warning",
            timeout_graceful_shutdown=int(settings.grace_s),
            timeout_keep_alive=15,
            server_header=False,
            http=protocol_for(app.state.connections),
            ws="none",
            h11_max_incomplete_event_size=64 * 1024,
        )
        server = Server(config, listening)
        servers.append(server)
        _run(server)
    failure = app.state.worker.failure
    if failure is not None:
        raise failure


def _run(server: Server) -> None:
    """Run a server until told to stop.

    Raises:
        InputError: the address cannot be used.
    """
    reasons: list[OSError] = []

    def is_news(record: logging.LogRecord) -> bool:
        if isinstance(record.msg, OSError):  # uvicorn's way to say why it cannot listen
            reasons.append(record.msg)
        return not isinstance(record.msg, OSError)

    log_of_uvicorn = logging.getLogger("uvicorn.error")
    log_of_uvicorn.addFilter(is_news)
    try:
        with suppress(KeyboardInterrupt):
            server.run()
    except SystemExit as error:
        why = "".join(f": {os.strerror(reason.errno or 0)}" for reason in reasons[-1:])
        raise InputError(
            f"Cannot listen on {server.config.host}:{server.config.port}{why}. Is another server "
            "running there? Choose another --port."
        ) from error
    finally:
        log_of_uvicorn.removeFilter(is_news)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Only one server may use a data folder; the system frees it when a process dies.

    Raises:
        InputError: another one does.
    """
    with explain_disk_errors(data):
        Storage(data).prepare()
        file = open(data / "lock", "w", opener=private)  # noqa: SIM115, closed below
    with file:
        lock_file(file, f"Another server uses {data}. Stop it, or choose another --data.")
        yield


def _prepare(assistant: Assistant, settings: Settings) -> None:
    """Make the models ready to answer strangers."""
    serve_publicly(assistant.chat)
    assistant.limit_memory(settings.memory)
    set_num_threads(assistant, settings.threads)


def _box_tracker(assistant: Assistant) -> Tracker | None:
    """Return the tracker that needs nothing but a segmenter."""
    segmenter = assistant.segmenter
    return None if segmenter is None else load_tracker("box_following", segmenter)


def set_num_threads(assistant: Assistant, threads: int | None) -> None:
    """Set how many processor threads the models use, in the thread that calls this."""
    stages = (assistant.chat, assistant.detector, assistant.segmenter)
    cards = [CARDS.get(getattr(stage, "name", "")) for stage in stages if stage is not None]
    small = all(card is not None and card.source.startswith("embedded/") for card in cards)
    if threads is None and (not small or "OMP_NUM_THREADS" in os.environ):
        return
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads or 1)


async def _client_closed_request(_request: Request, _error: Exception) -> Response:
    """Answer a client that disconnected; only the log of a proxy sees it."""
    return Response(status_code=499)


def _cache_bytes(app: FastAPI, part: str) -> float:
    """Memory of one kind of what is remembered."""
    services: Services = app.state.services
    own = {
        "pictures": services.recent_pictures.size_bytes,
        "conversations": services.conversations.size_bytes,
    }
    if part in own or services.worker.state != "ready":
        return float(own.get(part, 0))
    return float(services.worker.assistant.memory_bytes()[part])


def _gpu_bytes() -> float:
    torch = sys.modules.get("torch")  # only where a model has brought it
    if torch is None or not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.memory_allocated())
