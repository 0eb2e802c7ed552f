"""Annotate many pictures: the function behind `segue annotate`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue.assistant import Assistant, load
from segue.errors import InputError
from segue.runs.engine import LITTLE_MEMORY, Engine, LocalEngine, read_digest
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings, parse_classes
from segue.runs.sources import SourcePicture, find_pictures
from segue.runs.sources.locations import FileLocation, PictureLocation
from segue.runs.sources.object_storage import is_address
from segue.runs.store import KnownPicture, RunStore


class AnnotationRun:
    """A run that can be started, interrupted, and started again."""

    def __init__(
        self,
        pictures: Sequence[SourcePicture],
        folder: str | Path,
        settings: RunSettings,
        assistant: Assistant | Engine,
        *,
        retry_failed: bool = False,
    ) -> None:
        """Plan a run.

        Args:
            pictures: what is to be annotated.
            folder: where results are kept; an earlier run of the same settings goes on.
            settings: what is looked for.
            assistant: whose models are asked, in this process; or an engine.
            retry_failed: do pictures again that failed before.

        Raises:
            InputError: the folder holds a run of other settings, or a model that the settings need
                is missing.
        """
        self._engine = LocalEngine(assistant) if isinstance(assistant, Assistant) else assistant
        facts = self._engine.facts()
        self.models: Mapping[str, Any] = facts["models"]
        """Names of the models by stage, and how they are asked."""
        is_given = settings.from_boxes or settings.asks_chat  # objects come from elsewhere too
        if settings.classes and not is_given and self.models["detect"] is None:
            raise InputError("Looking for classes needs a detector. Load one: detect=….")
        if settings.everything is not None and self.models["segment"] is None:
            raise InputError("Segmenting everything needs a segmenter. Load one: segment=….")
        if settings.asks_chat and self.models["chat"] is None:
            raise InputError("A question needs a chat model. Load one: chat=….")
        self.pictures = [_with_absolute_path(picture) for picture in pictures]
        self.settings = settings
        self.store = RunStore.create(Path(folder), settings, facts)
        known = self.store.known_pictures()
        self.pictures = keep_known_names(self.pictures, known)
        self._known = known
        self.pending = [
            picture for picture in self.pictures if not self._is_done(picture, retry_failed)
        ]
        """Pictures without a result."""

    def _is_done(self, picture: SourcePicture, retry_failed: bool) -> bool:
        known = self._known.get(picture.name)
        if known is None or (known.has_failed and retry_failed):
            return False
        if known.question != picture.question:
            return False
        stamp = known.stamp
        return (stamp.size_bytes, stamp.modified_ns) == picture.location.stamp()

    def results(self) -> Iterator[PictureResult | None]:
        """Annotate what is pending, and keep each result before it is given.

        Yields:
            A result; None for a picture whose file changed in time only.

        Raises:
            SegueError: a model failed, or the disk refuses. What was done is kept, and the next
                run goes on there.
        """

        questions = {picture.name: picture.question for picture in self.pending}
        known = {
            name: known.stamp.digest
            for name, known in self._known.items()
            if not known.has_failed and known.question == questions.get(name)
        }
        with self.store as store:
            for result in self._engine.run(self.pending, self.settings, known):
                if result is not None:
                    store.append(result)
                yield result


def keep_known_names(
    pictures: Sequence[SourcePicture], known: Mapping[str, KnownPicture]
) -> list[SourcePicture]:
    """Give pictures the names under which an earlier run knows them.

    Names depend on what else is annotated: of two folders, or of one after the other, both may have
    an "a.png". A file keeps its name, and no file of other content gets it as long as that file is
    there.

    Args:
        pictures: what is to be annotated.
        known: as `RunStore.known_pictures` gives it.
    """
    names = {earlier.path: name for name, earlier in known.items()}
    addresses = [picture.location.address for picture in pictures]
    source_addresses = set(addresses)
    renamed_pictures = []
    for picture, address in zip(pictures, addresses):
        name = names.get(address)
        if name is None:
            name = picture.name
            earlier = known.get(name)
            if (
                earlier is not None
                and (earlier.path in source_addresses or _is_there(earlier.path))
                and not _is_copy(picture.location, earlier.stamp)
            ):
                name = _with_absolute_path(picture).location.long_name
        renamed_pictures.append(picture if name == picture.name else replace(picture, name=name))
    return renamed_pictures


def _with_absolute_path(picture: SourcePicture) -> SourcePicture:
    if not isinstance(picture.location, FileLocation):
        return picture
    return replace(picture, location=FileLocation(picture.location.path.absolute()))


def _is_there(address: str) -> bool:
    """Whether a picture of an earlier run is still there; nobody asks object storage for it."""
    if is_address(address):
        return True
    shard, mark, _ = address.rpartition("#")
    return Path(address).is_file() or (bool(mark) and Path(shard).is_file())


def _is_copy(location: PictureLocation, stamp: PictureStamp) -> bool:
    """Whether a picture has the content that a stamp tells of."""
    try:
        if location.stamp()[0] != stamp.size_bytes:
            return False
        return read_digest(location.read()) == stamp.digest
    except (InputError, OSError):
        return False


def annotate(
    sources: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    classes: str | Sequence[str] = (),
    question: str | None = None,
    assistant: Assistant | Engine | None = None,
    images: str | Path | None = None,
    image_column: str | None = None,
    ask_column: str | None = None,
    retry_failed: bool = False,
    **rules: Any,
) -> RunStore:
    """Annotate pictures, and keep the results in a folder.

    The same call goes on where an interrupted one ended.

    Args:
        sources: what `segue.runs.sources.find_pictures` takes: folders, patterns, lists of paths,
            tables, COCO files, shards, on this machine or in object storage.
        folder: of the run.
        classes: what to look for: "cup, dog:0.4", or a list; see `ClassRule.parse`.
        question: what to ask the chat model about each picture; with classes, both routes are
            asked, and regions say how far they agree.
        assistant: whose models are asked, in this process; or an engine. None: the embedded ones.
        images: folder of the relative names in lists and COCO files.
        image_column: column of the pictures in tables and Parquet shards; None: it is found.
        ask_column: column of a question about each picture, instead of one for all.
        retry_failed: do pictures again that failed before.
        rules: further fields of `RunSettings`, such as `min_area`.

    Returns:
        The run; `.results()` yields a result a picture.

    Raises:
        InputError: nothing is asked for, there is no picture, or the folder holds another run.
        ModelError: a model failed; what was done is kept.
    """
    source_list = [sources] if isinstance(sources, str | Path) else list(sources)
    settings = RunSettings(
        classes=parse_classes(classes), question=question, ask_column=ask_column, **rules
    )
    run = AnnotationRun(
        find_pictures(source_list, images, image_column=image_column, ask_column=ask_column),
        folder,
        settings,
        assistant or load(memory=LITTLE_MEMORY),
        retry_failed=retry_failed,
    )
    for _ in run.results():
        pass
    return run.store
