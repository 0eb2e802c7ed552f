"""Who answers the items of a benchmark: a chat model, or the detector alone.

On a video the models are asked about one frame, and a tracker follows what they point at through
the others, forwards and backwards. Where they find nothing on it, they may look at further ones.
"""

import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Protocol

from segue.benchmarks.dataset import PicturePlace, open_picture
from segue.benchmarks.item import AnsweredRegion, BenchmarkAnswer, BenchmarkItem
from segue.benchmarks.item_video import ItemVideo
from segue.benchmarks.protocol import Respondent
from segue.errors import InputError, ModelError
from segue.pipeline.grounder import region_of
from segue.runs.tracking.run import TrackingRun
from segue.runs.tracking.settings import TrackingSettings
from segue.trackers import Tracker
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region
from segue.version import __version__

if TYPE_CHECKING:
    from segue.assistant import Assistant

_PACKAGES = ("torch", "transformers", "numpy")
"""Whose versions are kept with a run."""
Distortion = Callable[[Image], Image]
"""Changes a picture."""
RegionMapping = Callable[[AnsweredRegion, Size], AnsweredRegion]
"""Brings a region of a changed picture, of that size, back to the original picture."""


@dataclass(frozen=True, slots=True)
class LocatedItem:
    """An item, and where its picture or the frames of its video lie."""

    item: BenchmarkItem
    places: Sequence[PicturePlace] = ()
    problem: str = ""
    """Why they cannot be found; "": they are there."""

    def failure(self) -> BenchmarkAnswer | None:
        """Return the answer where there is nothing to look at; None: there is."""
        if not self.problem:
            return None
        size = self.item.size or Size(1, 1)
        return BenchmarkAnswer(id=self.item.id, size=size, error=self.problem)


class RunRespondent(Protocol):
    """Who answers: models in this process, or in others."""

    def facts(self) -> Mapping[str, Any]:
        """Return what the answers depend on, as JSON values."""

    def answer_all(self, items: Iterable[LocatedItem]) -> Iterator[BenchmarkAnswer]:
        """Answer items, in any order."""


@dataclass(slots=True)
class ItemRespondent:
    """Asks the models about one item after the other."""

    assistant: "Assistant"
    respondent: Respondent
    prompt: str
    """The question to a chat model; {sent} stands for the phrase."""
    threshold: float | None = None
    """The detector keeps what scores above; None: its own."""
    with_masks: bool = True
    distort_picture: Distortion | None = None
    distort_words: Callable[[str], str] | None = None
    restore_region: RegionMapping | None = None
    tracker: Tracker | None = None
    """Follows through a video; None: there are no videos."""
    n_looks: int = 1
    """Frames of a video that are looked at, evenly spread, until something is found; the first is
    always one of them."""
    _last_picture: tuple[PicturePlace, Image, Size] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Refuse missing stages before anything is asked.

        Raises:
            InputError: the stage that must answer is missing.
        """
        if self.respondent == "chat" and self.assistant.chat is None:
            raise InputError("There is no chat model to ask. Load one, or: --ask detector")
        if self.respondent == "detector" and self.assistant.detector is None:
            raise InputError("There is no detector to ask. Load one, or: --ask chat")
        detects_masks = self.respondent == "detector" and self.assistant.grounder.detects_masks
        if self.with_masks and self.assistant.segmenter is None and not detects_masks:
            raise InputError("Masks are scored, and there is no segmenter. Load one: --segment")

    def facts(self) -> dict[str, Any]:
        """Return what the answers depend on, as JSON values."""
        assistant = self.assistant
        facts: dict[str, Any] = {
            "asks": self.respondent,
            "prompt": self.prompt if self.respondent == "chat" else "",
            "threshold": self.threshold,
            "masks": self.with_masks,
            "models": dict(assistant.stage_names),
            "route": assistant.route,
            "dialect": assistant.dialect_name if self.respondent == "chat" else "",
            "teach_tag": assistant.teach_tag,
            "thresholds": [assistant.box_threshold, assistant.text_threshold],
            "versions": _versions(),
        }
        if self.tracker is not None:
            facts |= {"tracker": self.tracker.name, "looks": self.n_looks}
        return facts

    def distorted(
        self,
        picture: Distortion | None,
        words: Callable[[str], str] | None,
        restore: RegionMapping | None,
    ) -> "ItemRespondent":
        """Return a respondent that is asked about worse pictures or in worse words."""
        return replace(self, distort_picture=picture, distort_words=words, restore_region=restore)

    def answer_all(self, items: Iterable[LocatedItem]) -> Iterator[BenchmarkAnswer]:
        """Answer one item after the other; those whose picture is missing are failures."""
        for located in items:
            yield located.failure() or self.answer(located.item, located.places)

    def answer(self, item: BenchmarkItem, pictures: Sequence[PicturePlace]) -> BenchmarkAnswer:
        """Ask about one item. A failure is an answer with an error.

        Args:
            item: what is asked.
            pictures: its picture, or the frames of its video.
        """
        started = time.perf_counter()
        size = Size(1, 1)
        try:
            image, size = self._open(pictures[0])
            if item.frame_names:
                raw, regions = self._answer_video(item, pictures, image.size)
            else:
                raw, found = self._ask(item, image)
                regions = [_to_answer_region(region, index) for index, region in found]
        except (InputError, ModelError) as error:
            seconds = time.perf_counter() - started
            return BenchmarkAnswer(id=item.id, size=size, error=str(error), seconds=seconds)
        if self.restore_region is not None:
            restore = self.restore_region
            regions = [restore(region, image.size) for region in regions]
        seconds = time.perf_counter() - started
        return BenchmarkAnswer(
            id=item.id, size=size, regions=tuple(regions), raw=raw, seconds=seconds
        )

    def _answer_video(
        self, item: BenchmarkItem, frames: Sequence[PicturePlace], size: Size
    ) -> tuple[str, list[AnsweredRegion]]:
        """Find what is asked for on a frame, and follow it through the others."""
        raws = []
        n_looks = min(self.n_looks, len(frames))
        for anchor in (look * len(frames) // n_looks for look in range(n_looks)):
            raw, found = self._ask(item, self._open(frames[anchor])[0])
            raws.append(raw)
            seen = [
                (index, region.phrase, region.mask)
                for index, region in found
                if region.mask is not None and not region.mask.is_empty
            ]
            if seen:
                video = ItemVideo(item.id, frames, size, self.distort_picture)
                return "\n".join(raws), self._follow(video, anchor, seen)
        return "\n".join(raws), []

    def _follow(
        self, video: ItemVideo, anchor: int, found: Sequence[tuple[int, str, Mask]]
    ) -> list[AnsweredRegion]:
        assert self.tracker is not None, "checked where the items are known"
        settings = TrackingSettings(
            phrases=tuple(dict.fromkeys(phrase for _, phrase, _ in found)), frame=anchor
        )
        regions: list[AnsweredRegion] = []
        with tempfile.TemporaryDirectory(prefix="segue-benchmark-") as folder:
            run = TrackingRun(
                video,
                folder,
                settings,
                self.assistant,
                self.tracker,
                found=[(phrase, mask) for _, phrase, mask in found],
            )
            for frame in run.results():
                for entry in frame.entries:
                    mask = entry.mask
                    if mask is not None and mask.box is not None:
                        phrase = found[entry.track - 1][0]
                        regions.append(
                            AnsweredRegion(phrase, mask.box, entry.score, mask.rle, frame.number)
                        )
        return regions

    def _open(self, picture: PicturePlace) -> tuple[Image, Size]:
        """Open a picture, and return it with its own size, before any distortion.

        Consecutive items about one picture open it once.
        """
        if self._last_picture is None or self._last_picture[0] != picture:
            image = open_picture(picture)
            size = image.size
            if self.distort_picture is not None:
                image = self.distort_picture(image)
            self._last_picture = (picture, image, size)
        return self._last_picture[1:]

    def _phrase(self, phrase: str) -> str:
        return phrase if self.distort_words is None else self.distort_words(phrase)

    def _ask(self, item: BenchmarkItem, image: Image) -> tuple[str, list[tuple[int, Region]]]:
        """Return the reply of the chat model, and each region with the index of its phrase."""
        if self.respondent == "detector":
            return "", self._ask_detector(item, image)
        return self._ask_chat(item, image)

    def _ask_chat(self, item: BenchmarkItem, image: Image) -> tuple[str, list[tuple[int, Region]]]:
        from segue.values.message import Sampling

        raws = []
        found: list[tuple[int, Region]] = []
        for index, phrase in enumerate(item.phrases):
            question = self.prompt.replace("{sent}", self._phrase(phrase))
            answer = self.assistant.open(image).ask(question, Sampling(temperature=0))
            raws.append(answer.raw)
            found += [(index, region) for region in answer.regions]
        return "\n".join(raws), found

    def _ask_detector(self, item: BenchmarkItem, image: Image) -> list[tuple[int, Region]]:
        assistant = self.assistant
        assert assistant.detector is not None, "checked at the start"
        phrases = [self._phrase(phrase) for phrase in item.phrases]
        threshold = self.threshold
        box_threshold = assistant.box_threshold if threshold is None else threshold
        text_threshold = assistant.text_threshold if threshold is None else threshold
        detections = assistant.detector.find(image, phrases, box_threshold, text_threshold)
        regions = [
            region_of(detection, f"r{number}") for number, detection in enumerate(detections, 1)
        ]
        if self.with_masks:
            regions = assistant.grounder.add_masks(regions, image)
        index_of = {phrase: index for index, phrase in reversed(list(enumerate(phrases)))}
        return [(index_of[region.phrase], region) for region in regions]


def _versions() -> dict[str, str]:
    versions = {"segue": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _to_answer_region(region: Region, phrase: int) -> AnsweredRegion:
    mask = region.mask
    return AnsweredRegion(phrase, region.box, region.score, None if mask is None else mask.rle)
