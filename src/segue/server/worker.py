"""The queue, and the one thread that owns the models.

A job is a generator. Up to `max_active` of them are written in turn, one step each, so that several
people see their replies grow; *quick* jobs (a click, a rename) go between any two steps. The rest
waits, up to a bound. A cancelled job is closed before its next step. Everything that changes a
conversation runs on this thread, so nothing has to be locked there.

Calls of several waiting requests are not joined into one batch: on a processor a batch of two takes
as long as two, and each request would wait for the slowest (`benchmarks/server_load.py`).
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from segue.assistant import Assistant
from segue.server.http.errors import ApiError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """So many jobs are before this one."""

    position: int


@dataclass(frozen=True, slots=True)
class JobFinished:
    """The last event of a job."""

    error: BaseException | None = None


Steps = Callable[[], Iterator[Any]]


class Job:
    """Work for the models, seen from the side of the client that waits for it."""

    def __init__(self, steps: Steps, worker: "Worker", loop: asyncio.AbstractEventLoop) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        """Whatever the steps yield, `QueuePosition` before, `JobFinished` at the end."""
        self.done = threading.Event()
        self.is_cancelled = False
        self.running: Iterator[Any] | None = None
        self.steps = steps
        self.came = monotonic()
        self._worker, self._loop = worker, loop

    def cancel(self) -> None:
        """Stop it soon; nothing happens when it has ended."""
        self._worker.cancel(self)

    def tell(self, event: Any) -> None:
        """Hand an event to the client, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)


class Worker:
    """Loads the models in its thread, then works on jobs until it is stopped."""

    def __init__(
        self,
        *,
        max_waiting: int,
        max_active: int,
        waited: Callable[[float], None] = lambda seconds: None,
        loaded: Callable[[Assistant], None] = lambda assistant: None,
    ) -> None:
        """
        Args:
            max_waiting: jobs that may wait, and quick ones besides.
            max_active: jobs that are worked on in turn.
            waited: told how many seconds a job has waited.
            loaded: called in the thread of the models, once they are there.
        """
        self.max_waiting, self.max_active = max_waiting, max_active
        self._waited, self._loaded = waited, loaded
        self.state: Literal["loading", "ready", "draining", "failed"] = "loading"
        self.failure: BaseException | None = None
        self._assistant: Assistant | None = None
        self._lock = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._quick: deque[Job] = deque()
        self._active: deque[Job] = deque()
        self._stopping = False
        self._pace = 0.5  # seconds from one finished job to the next, lately
        self._ended = 0.0
        self._thread = threading.Thread(target=self._run, name="segue-models", daemon=True)

    def start(self, load: Callable[[], Assistant], on_failure: Callable[[], None]) -> None:
        """Begin to load the models.

        Args:
            load: makes the assistant.
            on_failure: called when it cannot be made; `failure` says why.
        """
        self._load, self._on_failure = load, on_failure
        self._thread.start()

    @property
    def assistant(self) -> Assistant:
        """The models.

        Raises:
            ApiError: they are not there yet.
        """
        if self._assistant is None:
            self._check_open()
            raise ApiError(503, "loading", "The models are not there yet.")
        return self._assistant

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting) + len(self._quick)

    @property
    def active(self) -> int:
        """How many jobs are being worked on."""
        return len(self._active)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Those that are being worked on."""
        with self._lock:
            return tuple(self._active)

    def check_room(self) -> None:
        """Check that a job could be submitted now.

        Raises:
            ApiError: 503, loading or draining; 429, the queue is full.
        """
        self._check_open()
        self._check_length(self._waiting)

    def submit(self, steps: Steps, *, quick: bool = False) -> Job:
        """Put a job into the queue. To be called from the event loop.

        Args:
            steps: called in the worker's thread; what it yields are the job's events.
            quick: it is short and somebody is watching: do it before the next step of the others.

        Raises:
            ApiError: 429, the queue is full; 503, loading or draining.
        """
        job = Job(steps, self, asyncio.get_running_loop())
        with self._lock:
            self._check_open()
            line = self._quick if quick else self._waiting
            self._check_length(line)
            line.append(job)
            n_before = len(self._waiting) - 1
            if not quick and n_before + len(self._active) >= self.max_active:
                job.tell(QueuePosition(n_before + 1))
            self._lock.notify()
        return job

    def cancel(self, job: Job) -> None:
        """Take a job out of the queue, or have it closed before its next step."""
        with self._lock:
            job.is_cancelled = True
            for line in (self._waiting, self._quick):
                if job in line:
                    line.remove(job)
                    self._finish(job, None)

    def drain(self) -> None:
        """Take no new jobs; those that came before are done."""
        with self._lock:
            if self.state != "failed":
                self.state = "draining"
            self._lock.notify()

    def stop(self) -> None:
        """End: jobs that are still there are cancelled, what they did so far is kept."""
        self.drain()
        with self._lock:
            self._stopping = True
            for job in (*self._waiting, *self._quick, *self._active):
                job.is_cancelled = True
            self._lock.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _check_length(self, line: deque[Job]) -> None:
        if len(line) >= self.max_waiting:
            raise ApiError(
                429,
                "queue_full",
                f"{len(line)} requests are waiting already. Try again in a moment.",
                headers={"Retry-After": str(self._retry_after())},
            )

    def _retry_after(self) -> int:
        """Seconds until half of those that wait have had their turn."""
        return min(30, max(1, round(self._pace * len(self._waiting) / 2)))

    def _check_open(self) -> None:
        if self.state == "ready":
            return
        messages = {
            "loading": "The models are being loaded. Try again in a moment.",
            "draining": "The server is stopping. Try again in a moment.",
            "failed": f"The models could not be loaded: {self.failure}",
        }[self.state]
        code = "model_failed" if self.state == "failed" else self.state
        raise ApiError(503, code, messages, headers={"Retry-After": "3"})

    def _run(self) -> None:
        try:
            self._assistant = self._load()
            self._loaded(self._assistant)
        except BaseException as error:
            self.failure, self.state = error, "failed"
            log.error("the models could not be loaded: %s", error)
            self._on_failure()
            return
        if self.state == "loading":
            self.state = "ready"
        while (job := self._next()) is not None:
            self._step(job)

    def _next(self) -> Job | None:
        """Return whose turn it is; waits for a job; None at the end."""
        with self._lock:
            while True:
                if self._quick:
                    return self._quick.popleft()
                has_moved = False
                while self._waiting and len(self._active) < self.max_active:
                    job = self._waiting.popleft()
                    self._active.append(job)
                    self._waited(monotonic() - job.came)
                    has_moved = True
                for position, waiting_job in enumerate(self._waiting if has_moved else (), 1):
                    waiting_job.tell(QueuePosition(position))
                if self._active:
                    self._active.rotate(-1)
                    return self._active[-1]
                if self._stopping:
                    return None
                self._lock.wait()

    def _step(self, job: Job) -> None:
        """One step of a job, or its end."""
        error: BaseException | None = None
        try:
            if job.running is None and not job.is_cancelled:
                job.running = iter(job.steps())
            if job.running is not None and not job.is_cancelled:
                job.tell(next(job.running))
                if job in self._active:
                    return
                for event in job.running:  # a quick one is done at once
                    job.tell(event)
            if job.running is not None and hasattr(job.running, "close"):
                job.running.close()
        except StopIteration:
            pass
        except BaseException as failure:
            error = failure
        with self._lock:
            if job in self._active:
                self._active.remove(job)
                self._measure()
        self._finish(job, error)

    def _measure(self) -> None:
        """Note how fast jobs end while others wait."""
        now = monotonic()
        if self._waiting and self._ended:
            self._pace = 0.8 * self._pace + 0.2 * min(30.0, now - self._ended)
        self._ended = now if self._waiting else 0.0

    def _finish(self, job: Job, error: BaseException | None) -> None:
        job.running = None
        job.done.set()
        job.tell(JobFinished(error))
