"""What runs the models over pictures: the engine, and that of this process.

Files are read and decoded ahead, while the models work.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from segue.assistant import Assistant
from segue.errors import InputError
from segue.files.unicode import well_formed
from segue.runs.annotator import Annotator, Findings, PictureRequest
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings
from segue.runs.sources import SourcePicture
from segue.segment.everything import OnClicks
from segue.values.image import Image
from segue.version import __version__

READ_AHEAD = 4
"""Pictures that are decoded before the models want them."""
READERS = 2
"""Threads that read and decode."""
BATCH_SECONDS = 1.0
"""How long the models work on pictures that they are given together; longer gains nothing."""
MAX_BATCH_SIZE = 16
BATCH_PIXELS = 48_000_000
"""Of pictures that are given together, and of those that are decoded ahead."""


class Engine(Protocol):
    """Asks models about pictures, here or elsewhere."""

    def facts(self) -> Mapping[str, Any]:
        """Return what results depend on besides settings: models and version.

        Raises:
            SegueError: the models cannot be loaded.
        """

    def run(
        self, pictures: Sequence[SourcePicture], settings: RunSettings, known: Mapping[str, str]
    ) -> Iterator[PictureResult | None]:
        """Annotate pictures, in any order.

        Args:
            pictures: what is to be done; their paths are absolute.
            settings: what for.
            known: digests of the contents that have a result already, by name.

        Yields:
            The result of each picture; None for one that is known after all.

        Raises:
            SegueError: a model failed. What was given before stays valid.
        """


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A picture file, read; or why it could not be."""

    source: SourcePicture
    stamp: PictureStamp
    image: Image | None
    error: str | None = None


LITTLE_MEMORY = "64MiB"
"""For what models remember: in a run each picture is looked at once, caches would only fill up."""


class LocalEngine:
    """Runs the models in this process."""

    def __init__(
        self,
        assistant: Assistant,
        *,
        batch_size: int | None = None,
        on_clicks: OnClicks | None = None,
    ) -> None:
        """
        Args:
            assistant: whose models are asked.
            batch_size: pictures that the models are given together; None: as many as take them
                about `BATCH_SECONDS`.
            on_clicks: told of the clicks on a picture in which everything is segmented.
        """
        self._assistant, self._batch_size = assistant, batch_size
        self._on_clicks = on_clicks

    def facts(self) -> Mapping[str, Any]:
        """Return what results depend on. See `Engine.facts`."""
        assistant = self._assistant
        return {
            "models": {
                **assistant.model_names(),
                "box_threshold": assistant.box_threshold,
                "text_threshold": assistant.text_threshold,
                "route": assistant.route,
            },
            "version": __version__,
        }

    def run(
        self, pictures: Iterable[SourcePicture], settings: RunSettings, known: Mapping[str, str]
    ) -> Iterator[PictureResult | None]:
        """Annotate pictures in their order. See `Engine.run`."""
        return run_pictures(
            pictures,
            Annotator(self._assistant, settings, self._on_clicks),
            lambda name, digest: known.get(name) == digest,
            self._batch_size,
        )


def read_digest(content: bytes) -> str:
    """Return what tells the content of a file from others."""
    return blake2b(content, digest_size=16).hexdigest()


def decode(source: SourcePicture) -> DecodedPicture:
    """Read and decode a picture; it never raises."""
    size_bytes = modified_ns = -1
    digest = ""
    try:
        size_bytes, modified_ns = source.location.stamp()
        content = source.location.read()
        digest = read_digest(content)
        image = Image.open(content)
        image = Image(image.array, source.name)
        if source.problem is not None:
            raise InputError(source.problem)
    except (InputError, OSError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            reason = f"The file cannot be read: {error.strerror}."
        return DecodedPicture(source, PictureStamp(digest, size_bytes, modified_ns), None, reason)
    return DecodedPicture(source, PictureStamp(digest, size_bytes, modified_ns), image)


def run_pictures(
    pictures: Iterable[SourcePicture],
    annotator: Annotator,
    known: Callable[[str, str], bool] = lambda name, digest: False,
    batch_size: int | None = None,
) -> Iterator[PictureResult | None]:
    """Annotate pictures in their order.

    Args:
        pictures: what is to be done.
        annotator: asks the models; an error of theirs ends the run.
        known: whether a picture of that name and content has a result already.
        batch_size: pictures that the models are given together; None: as many as take them about
            `BATCH_SECONDS`.

    Yields:
        The result of each picture; None for one that is known after all.
    """

    def read(source: SourcePicture) -> DecodedPicture:
        picture = decode(source)
        if picture.image is not None and not known(source.name, picture.stamp.digest):
            with suppress(RuntimeError, ValueError, OSError, MemoryError):  # the models will say it
                annotator.prepare(picture.image)
        return picture

    with ThreadPoolExecutor(READERS, thread_name_prefix="segue-read") as readers:
        waiting: deque[Future[DecodedPicture]] = deque()
        sources = iter(pictures)
        size, n_ahead = batch_size or 1, READ_AHEAD
        try:
            while True:
                batch: list[DecodedPicture] = []
                n_pixels = 0
                while len(batch) < size and n_pixels < BATCH_PIXELS:
                    while len(waiting) < n_ahead and (source := next(sources, None)) is not None:
                        waiting.append(readers.submit(read, source))
                    if not waiting:
                        break
                    batch.append(waiting.popleft().result())
                    n_pixels += _n_pixels(batch[-1])
                if not batch:
                    return
                started = time.perf_counter()
                yield from _results_of(batch, annotator, known)
                if batch_size is None:
                    size = next_batch_size(size, time.perf_counter() - started)
                largest = max(map(_n_pixels, batch))
                n_ahead = max(READ_AHEAD, min(2 * size, BATCH_PIXELS // max(1, largest)))
        finally:
            for future in waiting:
                future.cancel()


def next_batch_size(size: int, seconds: float) -> int:
    """Return how many pictures go together after a batch that took so long.

    >>> next_batch_size(4, 0.1), next_batch_size(4, 0.5), next_batch_size(4, 2.0)
    (8, 4, 2)
    """
    if seconds > BATCH_SECONDS:
        return max(1, size // 2)
    return min(MAX_BATCH_SIZE, size * 2) if seconds < BATCH_SECONDS / 3 else size


def _n_pixels(picture: DecodedPicture) -> int:
    return 0 if picture.image is None else picture.image.size.height * picture.image.size.width


def _results_of(
    batch: Sequence[DecodedPicture], annotator: Annotator, known: Callable[[str, str], bool]
) -> Iterator[PictureResult | None]:
    """Yield the results of pictures that the models are given together."""
    is_known = [known(picture.source.name, picture.stamp.digest) for picture in batch]
    findings = annotator.annotate_many(
        [
            PictureRequest(picture.image, picture.source.boxes, picture.source.question)
            for picture, is_done in zip(batch, is_known)
            if picture.image is not None and not is_done
        ]
    )
    for picture, is_done in zip(batch, is_known):
        if picture.image is None:
            yield _result(picture, None)
        else:
            yield None if is_done else _result(picture, next(findings))
    for _ in findings:  # runs to its end, where a failure is raised
        pass


def _result(picture: DecodedPicture, findings: Findings | None) -> PictureResult:
    source = picture.source
    path = well_formed(source.location.address)
    if picture.image is None or findings is None:
        return PictureResult(
            source.name, path, picture.stamp, error=picture.error, question=source.question
        )
    return PictureResult(
        source.name,
        path,
        picture.stamp,
        picture.image.size,
        findings.regions,
        findings.not_found,
        findings.notices,
        seconds=findings.seconds,
        question=source.question,
    )
