"""Work on many processes and machines: Ray Data carries it out in blocks, and results back.

    driver ── blocks of work ─► workers, each with the models ─ results as JSON ─► driver
                                    │ begun, done
                                    ▼
                                 death log, beside the driver

A worker never raises: what goes wrong is a row, since Ray would drop the rows beside it. A block
comes back as a whole; of a worker that dies its block is done again by another one, piece by piece,
and a piece over which workers die again and again becomes a result with that reason.
"""

import json
import logging
import os
import socket
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import segue.errors
from segue.errors import InputError, MissingExtra, ModelError, SegueError
from segue.runs.death_log import MAX_TRIES_ALONE, DeathLog

BLOCK_SIZE = 8
"""Pieces that come back together; what a crash of the driver can cost each worker, twice."""
MAX_BLOCKS = 20_000
"""More pieces make larger blocks: each costs the driver a millisecond before the start."""
N_RETRIES = 2
"""So many times a single call is made anew after its worker died."""
CONNECT_SECONDS = 10.0
"""How long a cluster has to answer."""
DIED_OVER = (
    f"{MAX_TRIES_ALONE + 1} workers died over it: it takes too much memory, or crashes a library."
)
"""Why a piece has no result."""
_COLUMN = "work"
Model = TypeVar("Model")


class RayWorkers(ABC, Generic[Model]):
    """Processes of Ray, each of which loads models; a context manager.

    Every worker sees the pictures under the same paths, and has the same version and models.
    """

    def __init__(
        self,
        factory: Callable[[], Model],
        *,
        workers: int | None = None,
        address: str | None = None,
        gpus_per_worker: float | None = None,
    ) -> None:
        """Start Ray, or connect to a cluster.

        Args:
            factory: loads the models, once in each worker; it can be pickled.
            workers: how many processes; None: as many as the GPUs take, without GPUs one.
            address: HOST:PORT of the head of a Ray cluster, or "auto" on one of its machines;
                None: Ray is started on this machine for the run, unless this process has it.
            gpus_per_worker: 0.5 lets two workers share a GPU; None: 1 where there are GPUs.

        Raises:
            MissingExtra: Ray is not installed.
            InputError: a number makes no sense, or there is no cluster at the address.
        """
        if workers is not None and workers < 1:
            raise InputError(f"At least one worker is needed, got {workers}.")
        share = gpus_per_worker
        if share is not None and (share < 0 or (share > 1 and share != int(share))):
            raise InputError(f"A worker has a share of one GPU, or whole GPUs, got {share:g}.")
        self._ray = _ray()
        self._owns_ray = not self._ray.is_initialized()
        if self._owns_ray:
            _start(self._ray, address, workers)
        resources = self._ray.cluster_resources()
        n_gpus = resources.get("GPU", 0)
        self.gpus_per_worker = float(n_gpus > 0) if share is None else share
        if self.gpus_per_worker > n_gpus and address is None:
            self.close()
            raise InputError(
                f"A worker shall have {self.gpus_per_worker:g} GPU(s), and Ray sees {n_gpus:g}."
            )
        shared = int(n_gpus / self.gpus_per_worker) if self.gpus_per_worker else 1
        self.workers = workers or max(1, shared)
        self._factory = factory
        self._facts: Mapping[str, Any] | None = None

    @staticmethod
    @abstractmethod
    def describe(models: Model) -> Mapping[str, Any]:
        """Return what workers must have in common, as JSON values; called in a worker."""

    def facts(self) -> Mapping[str, Any]:
        """Load the models once in a worker, and return what results depend on.

        Raises:
            SegueError: the models cannot be loaded.
        """
        if self._facts is None:
            self._facts = self.call(partial(_describe_loaded, self._factory, self.describe))
        return self._facts

    def __enter__(self) -> Self:
        """Return the workers."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop Ray, where this started it."""
        if self._owns_ray:
            self._ray.shutdown()

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function once in a worker, and return its result, which JSON can hold.

        Raises:
            SegueError: what the function raised; or workers died, or Ray failed.
        """
        remote = self._ray.remote(
            num_cpus=1, num_gpus=self.gpus_per_worker, max_calls=1, max_retries=N_RETRIES
        )(_result_as_json)
        with _one_sentence(self._ray):
            row = json.loads(self._ray.get(remote.remote(function)))
        _raise_failure(row)
        return row["result"]

    def run_blocks(
        self, worker_class: type["BlockWorker"], arguments: tuple[Any, ...], work: Sequence[str]
    ) -> Iterator[Any]:
        """Let workers do pieces of work, and yield the results in the order in which they come.

        Args:
            worker_class: made once in each process, with the arguments and a death log.
            arguments: they can be pickled.
            work: pieces as JSON in ASCII, which Arrow takes whatever is in them.

        Raises:
            SegueError: what went wrong in a worker; or workers died, or Ray failed.
        """
        rows = [{_COLUMN: piece} for piece in work]
        with _one_sentence(self._ray):
            for batch in self._batches(rows, worker_class, (*arguments, self._start_death_log())):
                for text in batch["row"].to_pylist():
                    row = json.loads(text)
                    _raise_failure(row)
                    yield row["result"]

    def _start_death_log(self) -> Any:
        """Start the log on this machine, where it outlives workers on all others."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        local_node = NodeAffinitySchedulingStrategy(
            self._ray.get_runtime_context().get_node_id(), soft=True
        )
        return (
            self._ray.remote(num_cpus=0)(DeathLog).options(scheduling_strategy=local_node).remote()
        )

    def _batches(
        self,
        rows: list[dict[str, str]],
        worker_class: type["BlockWorker"],
        arguments: tuple[Any, ...],
    ) -> Iterable[Any]:
        """Return blocks of results, each as soon as it is there."""
        import ray.data

        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = context.print_on_execution_start = False
        size = block_size(len(rows), self.workers)
        with (
            ray.data.DataContext.current(context),
            warnings.catch_warnings(action="ignore", category=DeprecationWarning),
        ):
            results = ray.data.from_items(
                rows, override_num_blocks=-(-len(rows) // size)
            ).map_batches(
                worker_class,
                fn_constructor_args=arguments,
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=self.workers),
                num_cpus=1,
                num_gpus=self.gpus_per_worker,
                ray_remote_args_fn=lambda: {"max_task_retries": 1 + size * MAX_TRIES_ALONE},
            )
        # iter_rows would hold each block back until the next one is there
        return results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


class BlockWorker(ABC):
    """Does blocks of work in a process of Ray; it never raises."""

    def __init__(self, death_log: Any = None) -> None:
        """Load what the work needs.

        Args:
            death_log: a `DeathLog` as an actor of Ray; None: nobody dies.
        """
        self._death_log = death_log
        self._failure: dict[str, Any] | None = None
        try:
            self.load()
        except Exception as error:
            self._failure = _failure_of(error)

    @abstractmethod
    def load(self) -> None:
        """Load the models. What this raises ends the run."""

    @abstractmethod
    def read(self, value: Any) -> Any:
        """Return a piece of work from JSON."""

    @abstractmethod
    def name_of(self, piece: Any) -> str:
        """Return what no other piece is called."""

    @abstractmethod
    def do(self, pieces: Sequence[Any]) -> Iterator[Any]:
        """Do pieces of work, and yield a result of each, which JSON can hold."""

    @abstractmethod
    def deadly_result(self, piece: Any) -> Any:
        """Return the result of a piece over which too many workers died."""

    def __call__(self, batch: Any) -> dict[str, list[str]]:
        """Do a block; what follows a failure is left out."""
        if self._failure is not None:
            return {"row": [json.dumps(self._failure)]}
        pieces = [self.read(json.loads(text)) for text in batch[_COLUMN].to_pylist()]
        rows: list[dict[str, Any]] = []
        try:
            for result in self._results(pieces):
                rows.append({"result": result})
        except Exception as error:
            rows.append(_failure_of(error))
        return {"row": [json.dumps(row) for row in rows]}

    def _results(self, pieces: Sequence[Any]) -> Iterator[Any]:
        """Do a block; after a death over it, piece by piece."""
        block = self.name_of(pieces[0])
        if not self._note("begin_block", block):
            yield from self.do(pieces)
        else:
            for piece in pieces:
                name = self.name_of(piece)
                if self._note("begin_picture", name):
                    yield from self.do([piece])
                    self._note("end_picture", name)
                else:
                    yield self.deadly_result(piece)
        self._note("end_block", block)

    def _note(self, event: str, name: str) -> Any:
        """Write to the death log, and wait until it stands there."""
        if self._death_log is None:
            return None
        import ray

        return ray.get(getattr(self._death_log, event).remote(name))


def block_size(n_pieces: int, workers: int) -> int:
    """Return how many pieces make a block: few enough for every worker to have some.

    >>> block_size(10, 4), block_size(1000, 4), block_size(1_000_000, 4)
    (2, 8, 50)
    """
    return max(1, min(BLOCK_SIZE, n_pieces // workers), -(-n_pieces // MAX_BLOCKS))


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The engine 'ray' needs the 'ray' extra ({error.name} is not installed). "
            "Run: pip install 'segue[ray]'"
        ) from error
    return ray


def _start(ray: Any, address: str | None, workers: int | None) -> None:
    """Connect to a cluster, or start Ray on this machine, without its talk."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        cores = os.cpu_count() or 1
        options |= {"num_cpus": max(cores, workers or 1), "include_dashboard": False}
    try:
        host, colon, port = (address or "").rpartition(":")
        if colon:  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address or "local", **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"There is no Ray cluster at {address or 'local'!r} ({error}). Expected HOST:PORT of "
            "its head, or 'auto' on one of its machines."
        ) from error


@contextmanager
def _one_sentence(ray: Any) -> Iterator[None]:
    """Turn errors of Ray itself into a sentence.

    Raises:
        ModelError: workers died, or Ray failed.
    """
    errors = ray.exceptions
    deaths = (errors.RayActorError, errors.WorkerCrashedError, errors.OutOfMemoryError)
    try:
        yield
    except deaths as error:
        raise ModelError(
            "Workers died again and again; too little memory is the usual reason. Ray says: "
            f"{_last_line(error)}"
        ) from error
    except errors.RayError as error:
        raise ModelError(f"Ray failed: {_last_line(error)}") from error


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _describe_loaded(
    factory: Callable[[], Model], describe: Callable[[Model], Mapping[str, Any]]
) -> Mapping[str, Any]:
    return describe(factory())


def _result_as_json(function: Callable[[], Any]) -> str:
    """Return the result of a function as JSON, or what it raised."""
    try:
        return json.dumps({"result": function()})
    except Exception as error:
        return json.dumps(_failure_of(error))


def _failure_of(error: Exception) -> dict[str, Any]:
    if isinstance(error, SegueError):
        return {"failure": [type(error).__name__, str(error)]}
    return {"failure": ["", "".join(traceback.format_exception(error))]}


def _raise_failure(row: Mapping[str, Any]) -> None:
    """Raise what went wrong in a worker, as if it had happened here."""
    if "failure" in row:
        name, message = row["failure"]
        kind = getattr(segue.errors, name, None)
        if kind is None:
            raise RuntimeError(f"a worker failed:\n{message}")
        raise kind(message)
