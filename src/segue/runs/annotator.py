"""What is found on one picture, by the rules of a run."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segue.assistant import Assistant
from segue.detect import Detection
from segue.pipeline.cross_check import agreement
from segue.pipeline.photographs import photograph_notice
from segue.prompting.synonyms import names_object
from segue.runs.settings import EVERYTHING_CLASS, ClassRule, RunSettings
from segue.runs.tiling import find_in_tiles
from segue.segment.everything import EverythingOptions, segment_everything
from segue.values.box import Box
from segue.values.image import Image
from segue.values.nms import nms
from segue.values.region import Region

SAME_OBJECT = 0.5
"""Boxes of both routes that overlap more are one object."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found on a picture."""

    regions: tuple[Region, ...]
    not_found: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    seconds: float = 0.0


class Annotator:
    """Applies the settings of a run to one picture after the other."""

    def __init__(self, assistant: Assistant, settings: RunSettings) -> None:
        """
        Args:
            assistant: whose models are asked.
            settings: what for.
        """
        self._assistant, self._settings = assistant, settings

    def annotate(
        self,
        image: Image,
        boxes: Sequence[tuple[str, Box]] = (),
        question: str | None = None,
    ) -> Findings:
        """Find everything on a picture.

        Args:
            image: the picture.
            boxes: class and box of what its source says is there, for `from_boxes`.
            question: what its source asks about it, for `ask_column`.

        Returns:
            Regions whose phrase is their class, with masks where there is a segmenter, numbered
            from "r1".

        Raises:
            SegueError: a model failed.
        """
        started = time.perf_counter()
        settings, left_out = self._settings, dict[str, int]()
        detector = (
            self._assistant.detector if settings.classes and not settings.from_boxes else None
        )
        question = settings.question if settings.ask_column is None else question
        chat = self._assistant.chat if question is not None else None
        about_photograph = photograph_notice((detector, chat, self._assistant.segmenter), image)
        notices = [] if about_photograph is None else [about_photograph]
        regions: list[Region] = []
        if settings.from_boxes:
            size = image.size
            given = [Region("", name, box.clipped(size), "user") for name, box in boxes]
            regions = [region for region in given if region.box.area > 0]
            left_out["outside the picture"] = len(given) - len(regions)
        if settings.everything is not None:
            regions = self._segment_everything(image, settings.everything)
        if settings.classes and not settings.from_boxes:
            regions = self._detect(image, left_out)
        if question is not None:
            chat_regions, chat_notices = self._ask(image, question)
            notices = list(dict.fromkeys((*notices, *chat_notices)))
            regions = _join_routes(regions, chat_regions) if settings.classes else chat_regions
        regions = self._with_masks(self._keep(regions, left_out), image)
        large_regions = [region for region in regions if _area(region) >= settings.min_area]
        left_out["too small"] = len(regions) - len(large_regions)
        regions = large_regions
        if counts := ", ".join(f"{n} {reason}" for reason, n in left_out.items() if n):
            notices.append(f"left out by the rules: {counts}")
        presence = self._assistant.presence_assessment()
        if presence is not None:
            regions = [presence.with_verdict(region) for region in regions]
        found_names = {region.phrase for region in regions}
        return Findings(
            tuple(replace(region, id=f"r{n}") for n, region in enumerate(regions, 1)),
            tuple(name for name in settings.names if name not in found_names),
            tuple(notices),
            time.perf_counter() - started,
        )

    def _segment_everything(self, image: Image, options: EverythingOptions) -> list[Region]:
        """Segment what there is, as objects of one class."""
        return [
            Region("", EVERYTHING_CLASS, mask.box, "segmenter", mask=mask, score=mask.score)
            for mask in segment_everything(
                self._assistant.grounder.view(image), image.size, options
            )
            if mask.box is not None
        ]

    def _detect(self, image: Image, left_out: dict[str, int]) -> list[Region]:
        """Look for the classes, leave out and count what looks more like a negative phrase."""
        negatives = self._find(image, self._settings.negatives, None)
        regions = []
        by_threshold: dict[float | None, list[ClassRule]] = {}
        for rule in self._settings.classes:
            threshold = self._settings.threshold if rule.threshold is None else rule.threshold
            by_threshold.setdefault(threshold, []).append(rule)
        for threshold, rules in by_threshold.items():
            class_of = {phrase: rule.name for rule in rules for phrase in rule.phrases}
            for region in self._find(image, list(class_of), threshold):
                regions.append(replace(region, phrase=class_of[region.phrase]))
        positives = [
            region
            for region in regions
            if not any(
                (negative.score or 0) > (region.score or 0)
                and region.box.iou(negative.box) > SAME_OBJECT
                for negative in negatives
            )
        ]
        left_out["more like a negative phrase"] = len(regions) - len(positives)
        regions = positives
        several = {rule.name for rule in self._settings.classes if len(rule.phrases) > 1}
        alone = [region for region in regions if region.phrase not in several]
        joined = [region for region in regions if region.phrase in several]
        return [*alone, *_without_overlaps(joined, SAME_OBJECT, across_classes=False)]

    def _find(self, image: Image, phrases: Sequence[str], threshold: float | None) -> list[Region]:
        detector = self._assistant.detector
        if not phrases or detector is None:
            return []

        def find(picture: Image, find_phrases: Sequence[str]) -> list[Detection]:
            assert detector is not None
            return detector.find(picture, find_phrases, threshold, None)

        tile = self._settings.tile
        detections = (
            find(image, phrases) if tile is None else find_in_tiles(find, image, phrases, tile)
        )
        return [
            Region("", detection.phrase, detection.box, "detector", score=detection.score)
            for detection in detections
        ]

    def _ask(self, image: Image, question: str) -> tuple[list[Region], list[str]]:
        """Ask the chat model; of its regions those count that are of a class."""
        answer = self._assistant.open(image).ask(question)
        notices = list(answer.notices)
        if answer.finish != "stop":
            notices.append(f"the reply ended with {answer.finish!r}")
        regions, other_phrases = [], list[str]()
        for region in answer.regions:
            name = self._class_of(region.phrase)
            if name is None:
                other_phrases.append(region.phrase)
            else:
                regions.append(replace(region, phrase=name, span=None, names=(), turns=()))
        if other_phrases:
            notices.append(f"left out, as no class: {', '.join(dict.fromkeys(other_phrases))}")
        return regions, notices

    def _class_of(self, phrase: str) -> str | None:
        """Return the class that a phrase of the chat model names; every one where none is given."""
        if not self._settings.classes:
            return phrase or "object"
        for rule in self._settings.classes:
            if any(
                names_object(class_phrase, phrase) for class_phrase in (rule.name, *rule.phrases)
            ):
                return rule.name
        return None

    def _keep(self, regions: list[Region], left_out: dict[str, int]) -> list[Region]:
        """Apply the rules on overlaps and numbers, and count what they leave out."""
        settings = self._settings
        if settings.max_overlap is not None:
            n_before = len(regions)
            regions = _without_overlaps(regions, settings.max_overlap, across_classes=True)
            left_out["overlapping a better one"] = n_before - len(regions)
        if settings.max_per_class is not None:
            counts: dict[str, int] = {}
            best_regions = []
            for region in sorted(regions, key=_score, reverse=True):
                counts[region.phrase] = counts.get(region.phrase, 0) + 1
                if counts[region.phrase] <= settings.max_per_class:
                    best_regions.append(region)
            left_out["beyond the number of its class"] = len(regions) - len(best_regions)
            regions = [region for region in regions if any(region is best for best in best_regions)]
        return regions

    def _with_masks(self, regions: list[Region], image: Image) -> list[Region]:
        unmasked_regions = [region for region in regions if region.mask is None]
        masked = iter(self._assistant.grounder.add_masks(unmasked_regions, image))
        return [next(masked) if region.mask is None else region for region in regions]


def _join_routes(detected: Iterable[Region], chat_regions: Sequence[Region]) -> list[Region]:
    """Join what both routes found, with how far they agree; 0 for what one of them alone found."""
    joined = []
    matched: set[int] = set()
    for region in detected:
        rivals = [rival for rival in chat_regions if rival.phrase == region.phrase]
        overlap = agreement(region.box, [rival.box for rival in rivals])
        matched |= {id(rival) for rival in rivals if region.box.iou(rival.box) > SAME_OBJECT}
        joined.append(replace(region, agreement=overlap))
    return [
        *joined,
        *(replace(rival, agreement=0.0) for rival in chat_regions if id(rival) not in matched),
    ]


def _without_overlaps(
    regions: Sequence[Region], max_overlap: float, *, across_classes: bool
) -> list[Region]:
    """Of regions that overlap too much, keep the best; the order stays."""
    groups: dict[str, list[int]] = {}
    for number, region in enumerate(regions):
        groups.setdefault("" if across_classes else region.phrase, []).append(number)
    kept_numbers: set[int] = set()
    for numbers in groups.values():
        boxes = np.array([regions[number].box.corners for number in numbers])
        scores = np.array([_score(regions[number]) for number in numbers])
        kept_numbers |= {numbers[place] for place in nms(boxes, scores, max_overlap)}
    return [region for number, region in enumerate(regions) if number in kept_numbers]


def _score(region: Region) -> float:
    """Return the score of a region; a chat model gives none, and comes last."""
    return -1.0 if region.score is None else region.score


def _area(region: Region) -> float:
    return region.box.area if region.mask is None else float(region.mask.area)
