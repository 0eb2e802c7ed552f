"""Who answers the items of a benchmark: a chat model, or the detector alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from segue.benchmarks.item import AnsweredRegion, BenchmarkAnswer, BenchmarkItem
from segue.benchmarks.protocol import Respondent
from segue.errors import InputError, ModelError
from segue.pipeline.grounder import region_of
from segue.values.box import Size
from segue.values.image import Image
from segue.values.region import Region

if TYPE_CHECKING:
    from segue.assistant import Assistant

Distortion = Callable[[Image], Image]
"""Changes a picture."""
RegionMapping = Callable[[AnsweredRegion, Size], AnsweredRegion]
"""Brings a region of a changed picture, of that size, back to the original picture."""


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
    _last_picture: tuple[Path, Image, Size] | None = field(default=None, init=False)

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

    def answer(self, item: BenchmarkItem, picture: Path) -> BenchmarkAnswer:
        """Ask about one item. A failure is an answer with an error."""
        started = time.perf_counter()
        size = Size(1, 1)
        try:
            image, size = self._open(picture)
            raw, regions = (
                self._ask_chat(item, image)
                if self.respondent == "chat"
                else ("", self._ask_detector(item, image))
            )
        except (InputError, ModelError) as error:
            seconds = time.perf_counter() - started
            return BenchmarkAnswer(id=item.id, size=size, error=str(error), seconds=seconds)
        if self.restore_region is not None:
            restore = self.restore_region
            regions = tuple(restore(region, image.size) for region in regions)
        seconds = time.perf_counter() - started
        return BenchmarkAnswer(id=item.id, size=size, regions=regions, raw=raw, seconds=seconds)

    def _open(self, picture: Path) -> tuple[Image, Size]:
        """Open a picture, and return it with its own size, before any distortion.

        Consecutive items about one picture open it once.
        """
        if self._last_picture is None or self._last_picture[0] != picture:
            image = Image.open(picture)
            size = image.size
            if self.distort_picture is not None:
                image = self.distort_picture(image)
            self._last_picture = (picture, image, size)
        return self._last_picture[1:]

    def _phrase(self, phrase: str) -> str:
        return phrase if self.distort_words is None else self.distort_words(phrase)

    def _ask_chat(
        self, item: BenchmarkItem, image: Image
    ) -> tuple[str, tuple[AnsweredRegion, ...]]:
        from segue.values.message import Sampling

        raws, regions = [], []
        for index, phrase in enumerate(item.phrases):
            question = self.prompt.replace("{sent}", self._phrase(phrase))
            answer = self.assistant.open(image).ask(question, Sampling(temperature=0))
            raws.append(answer.raw)
            regions += [_to_answer_region(region, index) for region in answer.regions]
        return "\n".join(raws), tuple(regions)

    def _ask_detector(self, item: BenchmarkItem, image: Image) -> tuple[AnsweredRegion, ...]:
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
        return tuple(_to_answer_region(region, index_of[region.phrase]) for region in regions)


def _to_answer_region(region: Region, phrase: int) -> AnsweredRegion:
    mask = region.mask
    return AnsweredRegion(phrase, region.box, region.score, None if mask is None else mask.rle)
