"""The engine on many processes and machines: Ray Data carries paths out and results back.

    driver ── blocks of paths ─► workers, each with the models ─ results as JSON ─► driver ─► store
                                    │ begun, done
                                    ▼
                                 death log, beside the driver

The driver alone writes to the store, so that what is kept does not depend on Ray. A worker never
raises: what goes wrong is a row, since Ray would drop the rows beside it. A block comes back as a
whole; of a worker that dies its block is done again by another one, picture by picture, and a
picture over which workers die again and again becomes a result with that reason.
"""

import json
import logging
import os
import platform
import socket
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import segue.errors
from segue.assistant import Assistant
from segue.errors import InputError, MissingExtra, ModelError, SegueError
from segue.files.unicode import well_formed
from segue.runs.death_log import MAX_TRIES_ALONE, DeathLog
from segue.runs.engine import LocalEngine
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings, differences
from segue.runs.sources import SourcePicture
from segue.runs.sources.locations import location_from_json, location_to_json
from segue.runs.sources.shards import read_stamp
from segue.values.box import Box

BLOCK_SIZE = 8
"""Pictures that come back together; what a crash of the driver can cost each worker, twice."""
MAX_BLOCKS = 20_000
"""More pictures make larger blocks: each costs the driver a millisecond before the start."""
N_RETRIES = 2
"""So many times the models are loaded anew, to describe them, after a worker died."""

CONNECT_SECONDS = 10.0
"""How long a cluster has to answer."""

_CALIBRATION = "calibration"

AssistantFactory = Callable[[], Assistant]
"""Loads the models, in a worker; it can be pickled."""


class RayEngine:
    """Runs the models in workers of Ray; a context manager.

    Every worker sees the pictures under the same paths, and has the same version and models.
    """

    def __init__(
        self,
        factory: AssistantFactory,
        *,
        workers: int | None = None,
        address: str | None = None,
        gpus_per_worker: float | None = None,
    ) -> None:
        """Set up the engine.

        Args:
            factory: loads the models, once in each worker.
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
        self._factory = factory
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
        self._facts: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop Ray, where this engine started it."""
        if self._owns_ray:
            self._ray.shutdown()

    def facts(self) -> Mapping[str, Any]:
        """Load the models once in a worker, and return what results depend on.

        Raises:
            SegueError: the models cannot be loaded.
        """
        if self._facts is None:
            describe = self._ray.remote(
                num_cpus=1, num_gpus=self.gpus_per_worker, max_calls=1, max_retries=N_RETRIES
            )(_describe)
            with _one_sentence(self._ray):
                row = json.loads(self._ray.get(describe.remote(self._factory)))
            _raise_failure(row)
            self._facts = row["facts"]
        return {key: value for key, value in self._facts.items() if key != _CALIBRATION}

    def run(
        self, pictures: Sequence[SourcePicture], settings: RunSettings, known: Mapping[str, str]
    ) -> Iterator[PictureResult | None]:
        """Annotate pictures, in the order in which workers are done. See `Engine.run`.

        Raises:
            InputError: a worker has other models, or does not see the pictures.
        """
        if not pictures:
            return
        rows = [
            {"picture": _picture_to_json(picture, known.get(picture.name))} for picture in pictures
        ]
        self.facts()
        with _one_sentence(self._ray):
            for batch in self._batches(rows, settings, self._start_death_log()):
                for text in batch["row"].to_pylist():
                    yield _read_row(json.loads(text))

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
        self, rows: list[dict[str, str]], settings: RunSettings, death_log: Any
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
                PictureWorker,
                fn_constructor_args=(self._factory, settings.to_json(), self._facts, death_log),
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=self.workers),
                num_cpus=1,
                num_gpus=self.gpus_per_worker,
                ray_remote_args_fn=lambda: {"max_task_retries": 1 + size * MAX_TRIES_ALONE},
            )
        # iter_rows would hold each block back until the next one is there
        return results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


class PictureWorker:
    """Annotates blocks of pictures in a process of Ray; it never raises."""

    def __init__(
        self,
        factory: AssistantFactory,
        settings: Mapping[str, Any],
        facts: Mapping[str, Any],
        death_log: Any = None,
    ) -> None:
        """Load the models.

        Args:
            factory: loads them.
            settings: of the run, as JSON.
            facts: what the models of the run are, and their calibration.
            death_log: a `DeathLog` as an actor of Ray; None: nobody dies.
        """
        self._death_log = death_log
        self._failure: dict[str, Any] | None = None
        try:
            self._settings = RunSettings.from_json(settings)
            assistant = factory()
            self._engine = LocalEngine(assistant)
            if changes := differences(facts, _facts_of(assistant)):
                raise InputError(
                    f"A worker on {platform.node()} has other models than the run: "
                    f"{'; '.join(changes)}."
                )
        except Exception as error:
            self._failure = _failure_of(error)

    def __call__(self, batch: Any) -> dict[str, list[str]]:
        """Annotate a block; what follows a failure is left out."""
        if self._failure is not None:
            return {"row": [json.dumps(self._failure)]}
        pictures, known = [], {}
        for text in batch["picture"].to_pylist():
            picture, digest = _picture_from_json(json.loads(text))
            pictures.append(picture)
            if digest is not None:
                known[picture.name] = digest
        rows: list[dict[str, Any]] = []
        try:
            for result in self._results(pictures, known):
                rows.append({"result": None if result is None else result.to_json()})
        except Exception as error:
            rows.append(_failure_of(error))
        return {"row": [json.dumps(row) for row in rows]}

    def _results(
        self, pictures: Sequence[SourcePicture], known: Mapping[str, str]
    ) -> Iterator[PictureResult | None]:
        """Annotate a block; after a death over it, picture by picture."""
        block = pictures[0].name
        if not self._note("begin_block", block):
            yield from self._engine.run(pictures, self._settings, known)
        else:
            for picture in pictures:
                if self._note("begin_picture", picture.name):
                    yield from self._engine.run([picture], self._settings, known)
                    self._note("end_picture", picture.name)
                else:
                    yield _deadly_result(picture)
        self._note("end_block", block)

    def _note(self, event: str, name: str) -> Any:
        """Write to the death log, and wait until it stands there."""
        if self._death_log is None:
            return None
        import ray

        return ray.get(getattr(self._death_log, event).remote(name))


def block_size(n_pictures: int, workers: int) -> int:
    """Return how many pictures make a block: few enough for every worker to have some.

    >>> block_size(10, 4), block_size(1000, 4), block_size(1_000_000, 4)
    (2, 8, 50)
    """
    return max(1, min(BLOCK_SIZE, n_pictures // workers), -(-n_pictures // MAX_BLOCKS))


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


def _describe(factory: AssistantFactory) -> str:
    """Load the models, and return their facts, or why they cannot be loaded."""
    try:
        return json.dumps({"facts": _facts_of(factory())})
    except Exception as error:
        return json.dumps(_failure_of(error))


def _facts_of(assistant: Assistant) -> Any:
    """Return what workers must have in common: the facts of a run, and the calibration."""
    calibration = assistant.calibration
    digest = None
    if calibration is not None:
        text = json.dumps(calibration.to_json(), sort_keys=True)
        digest = blake2b(text.encode(), digest_size=8).hexdigest()
    return json.loads(json.dumps({**LocalEngine(assistant).facts(), _CALIBRATION: digest}))


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


def _read_row(row: Mapping[str, Any]) -> PictureResult | None:
    _raise_failure(row)
    if row["result"] is None:
        return None
    result = PictureResult.from_json(row["result"])
    is_seen_there, is_seen_here = (
        result.stamp.size_bytes >= 0,
        any(read_stamp(Path(path))[0] >= 0 for path in _files_of(result.path)),
    )
    if is_seen_here and not is_seen_there:
        raise InputError(
            f"A worker does not see {result.path}, which is there on this machine. Pictures need "
            "the same path on all machines, such as that of a shared folder."
        )
    return result


def _deadly_result(picture: SourcePicture) -> PictureResult:
    """Return the result of a picture over which too many workers died."""
    try:
        size_bytes, modified_ns = picture.location.stamp()
    except (SegueError, OSError):
        size_bytes = modified_ns = -1
    return PictureResult(
        picture.name,
        well_formed(picture.location.address),
        PictureStamp("", size_bytes, modified_ns),
        error=f"{MAX_TRIES_ALONE + 1} workers died over it: it takes too much memory, or crashes a "
        "library. Make it smaller, or use workers with more memory and --retry-failed.",
        question=picture.question,
    )


def _files_of(address: str) -> tuple[str, ...]:
    """Return the files that an address of a picture may mean: itself, or its shard."""
    shard, mark, _ = address.rpartition("#")
    return (address, shard) if mark else (address,)


def _picture_to_json(picture: SourcePicture, digest: str | None) -> str:
    """Write a picture as JSON in ASCII, which Arrow takes whatever the name of a file is."""
    boxes = [[name, *box.corners] for name, box in picture.boxes]
    place = location_to_json(picture.location)
    return json.dumps([picture.name, place, boxes, picture.question, picture.problem, digest])


def _picture_from_json(value: Sequence[Any]) -> tuple[SourcePicture, str | None]:
    name, place, boxes, question, problem, digest = value
    known_boxes = tuple((key, Box(*corners)) for key, *corners in boxes)
    location = location_from_json(place)
    return SourcePicture(name, location, known_boxes, question, problem), digest
