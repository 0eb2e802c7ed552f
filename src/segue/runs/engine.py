"""What runs the models over pictures: the engine, and that of this process.

Files are read and decoded ahead, while the models work.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from segue.assistant import Assistant
from segue.errors import InputError
from segue.files.unicode import well_formed
from segue.runs.annotator import Annotator, Findings
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings
from segue.runs.sources import SourcePicture
from segue.values.image import Image
from segue.version import __version__

READ_AHEAD = 4
"""Pictures that are decoded before the models want them."""
READERS = 2
"""Threads that read and decode."""


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


class LocalEngine:
    """Runs the models in this process."""

    def __init__(self, assistant: Assistant) -> None:
        """
        Args:
            assistant: whose models are asked.
        """
        self._assistant = assistant

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
        annotator = Annotator(self._assistant, settings)
        return run_pictures(
            pictures,
            lambda image, source: annotator.annotate(image, source.boxes, source.question),
            lambda name, digest: known.get(name) == digest,
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
    find: Callable[[Image, SourcePicture], Findings],
    known: Callable[[str, str], bool] = lambda name, digest: False,
) -> Iterator[PictureResult | None]:
    """Annotate pictures in their order.

    Args:
        pictures: what is to be done.
        find: asks the models; an error of theirs ends the run.
        known: whether a picture of that name and content has a result already.

    Yields:
        The result of each picture; None for one that is known after all.
    """
    with ThreadPoolExecutor(READERS, thread_name_prefix="segue-read") as readers:
        waiting: deque[Future[DecodedPicture]] = deque()
        sources = iter(pictures)
        try:
            while True:
                while len(waiting) < READ_AHEAD and (source := next(sources, None)) is not None:
                    waiting.append(readers.submit(decode, source))
                if not waiting:
                    return
                yield _result_of(waiting.popleft().result(), find, known)
        finally:
            for future in waiting:
                future.cancel()


def _result_of(
    picture: DecodedPicture,
    find: Callable[[Image, SourcePicture], Findings],
    known: Callable[[str, str], bool],
) -> PictureResult | None:
    name = picture.source.name
    path = well_formed(picture.source.location.address)
    question = picture.source.question
    if picture.image is None:
        return PictureResult(name, path, picture.stamp, error=picture.error, question=question)
    if known(name, picture.stamp.digest):
        return None
    started = time.perf_counter()
    findings = find(picture.image, picture.source)
    return PictureResult(
        name,
        path,
        picture.stamp,
        picture.image.size,
        findings.regions,
        findings.not_found,
        findings.notices,
        seconds=time.perf_counter() - started,
        question=question,
    )
