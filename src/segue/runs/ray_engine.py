"""The engine on many processes and machines: paths go out to the workers, and results come back.

The driver alone writes to the store, so that what is kept does not depend on Ray. How work travels,
and what becomes of a worker that dies: `segue.runs.ray_workers`.
"""

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from segue.assistant import Assistant
from segue.errors import InputError, SegueError
from segue.files.unicode import well_formed
from segue.runs.engine import LocalEngine
from segue.runs.ray_workers import DIED_OVER, BlockWorker, RayWorkers
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings, differences
from segue.runs.sources import SourcePicture
from segue.runs.sources.locations import location_from_json, location_to_json
from segue.runs.sources.shards import read_stamp
from segue.values.box import Box

_CALIBRATION = "calibration"

AssistantFactory = Callable[[], Assistant]
"""Loads the models, in a worker; it can be pickled."""


class RayEngine(RayWorkers[Assistant]):
    """Runs the models in workers of Ray; a context manager."""

    @staticmethod
    def describe(models: Assistant) -> Mapping[str, Any]:
        """Return the facts of a run, and the calibration."""
        return _facts_of(models)

    def facts(self) -> Mapping[str, Any]:
        """Load the models once in a worker, and return what results depend on.

        Raises:
            SegueError: the models cannot be loaded.
        """
        return {key: value for key, value in super().facts().items() if key != _CALIBRATION}

    def run(
        self, pictures: Sequence[SourcePicture], settings: RunSettings, known: Mapping[str, str]
    ) -> Iterator[PictureResult | None]:
        """Annotate pictures, in the order in which workers are done. See `Engine.run`.

        Raises:
            InputError: a worker has other models, or does not see the pictures.
        """
        if not pictures:
            return
        work = [_picture_to_json(picture, known.get(picture.name)) for picture in pictures]
        self.facts()
        arguments = (self._factory, settings.to_json(), self._facts)
        for value in self.run_blocks(PictureWorker, arguments, work):
            yield _read_result(value)


class PictureWorker(BlockWorker):
    """Annotates blocks of pictures in a process of Ray."""

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
        self._factory, self._settings_json, self._facts = factory, settings, facts
        super().__init__(death_log)

    def load(self) -> None:
        """Load the models, and compare them with those of the run."""
        self._settings = RunSettings.from_json(self._settings_json)
        assistant = self._factory()
        self._engine = LocalEngine(assistant)
        if changes := differences(self._facts, _facts_of(assistant)):
            raise InputError(
                f"A worker on {platform.node()} has other models than the run: "
                f"{'; '.join(changes)}."
            )

    def read(self, value: Any) -> tuple[SourcePicture, str | None]:
        """Return a picture, and the digest of what is known of its content."""
        return _picture_from_json(value)

    def name_of(self, piece: tuple[SourcePicture, str | None]) -> str:
        """Return the name of a picture."""
        return piece[0].name

    def do(self, pieces: Sequence[tuple[SourcePicture, str | None]]) -> Iterator[Any]:
        """Annotate pictures."""
        known = {picture.name: digest for picture, digest in pieces if digest is not None}
        pictures = [picture for picture, _ in pieces]
        for result in self._engine.run(pictures, self._settings, known):
            yield None if result is None else result.to_json()

    def deadly_result(self, piece: tuple[SourcePicture, str | None]) -> Any:
        """Return the result of a picture over which too many workers died."""
        picture = piece[0]
        try:
            size_bytes, modified_ns = picture.location.stamp()
        except (SegueError, OSError):
            size_bytes = modified_ns = -1
        return PictureResult(
            picture.name,
            well_formed(picture.location.address),
            PictureStamp("", size_bytes, modified_ns),
            error=f"{DIED_OVER} Make it smaller, or use workers with more memory and "
            "--retry-failed.",
            question=picture.question,
        ).to_json()


def _facts_of(assistant: Assistant) -> Any:
    """Return what workers must have in common: the facts of a run, and the calibration."""
    calibration = assistant.calibration
    digest = None
    if calibration is not None:
        text = json.dumps(calibration.to_json(), sort_keys=True)
        digest = blake2b(text.encode(), digest_size=8).hexdigest()
    return json.loads(json.dumps({**LocalEngine(assistant).facts(), _CALIBRATION: digest}))


def _read_result(value: Mapping[str, Any] | None) -> PictureResult | None:
    if value is None:
        return None
    result = PictureResult.from_json(value)
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
