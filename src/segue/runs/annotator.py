"""What is found on one picture, by the rules of a run."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from segue.assistant import Assistant
from segue.detect import BatchDetector, Detection
from segue.pipeline.answer import Done
from segue.pipeline.cross_check import agreement
from segue.pipeline.grounder import region_of
from segue.pipeline.photographs import photograph_notice
from segue.prompting.synonyms import names_object
from segue.runs.settings import EVERYTHING_CLASS, RunSettings
from segue.runs.tiling import find_in_tiles
from segue.runtime.prepared_inputs import PreparedInputs
from segue.segment import BatchSegmenter
from segue.segment.everything import EverythingOptions, OnClicks, segment_everything
from segue.values.box import Box
from segue.values.image import Image
from segue.values.nms import nms
from segue.values.region import Region

Query = tuple[tuple[str, ...], float | None]
"""Phrases, and the threshold above which they count; None: the detector's own."""

LEFT_OUT_NOTICE = "left out by the rules"
"""How the notice about regions begins that the rules of a run leave out."""
TOO_SMALL, BEYOND_NUMBER = "too small", "beyond the number of its class"
"""Rules that leave out what is there."""

SAME_OBJECT = 0.5
"""Boxes of both routes that overlap more are one object."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found on a picture."""

    regions: tuple[Region, ...]
    not_found: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """A picture to annotate, and what its source says about it."""

    image: Image
    boxes: tuple[tuple[str, Box], ...] = ()
    """Class and box of what is there, for `from_boxes`."""
    question: str | None = None
    """For `ask_column`."""


@dataclass(slots=True)
class _Draft:
    """What is known of a picture before its masks are made."""

    image: Image
    regions: list[Region]
    left_out: dict[str, int]
    """Regions by the rule that left them out."""
    notices: list[str]
    seconds: float

    @property
    def lacks_masks(self) -> bool:
        """Whether a segmenter has something to do here."""
        return any(region.mask is None for region in self.regions)


class Annotator:
    """Applies the settings of a run to pictures, several at a time where models gain by it."""

    def __init__(
        self, assistant: Assistant, settings: RunSettings, on_clicks: OnClicks | None = None
    ) -> None:
        """
        Args:
            assistant: whose models are asked.
            settings: what for.
            on_clicks: see `segue.segment.everything.segment_everything`.
        """
        self._assistant, self._settings = assistant, settings
        self._on_clicks = on_clicks
        is_detecting = bool(settings.classes) and not settings.from_boxes
        self._detector = assistant.detector if is_detecting else None
        is_segmented = is_detecting and assistant.grounder.detects_masks and not settings.asks_chat
        self._segmenter = None if is_segmented else assistant.segmenter
        self._photograph_notices = PreparedInputs(self._photograph_notice)
        self._detections_ahead: dict[tuple[int, Query], list[Detection]] = {}

    def prepare(self, image: Image) -> None:
        """Compute ahead, in any thread, what `annotate_many` will need of a picture."""
        self._photograph_notices.prepare(image)
        for stage in (self._detector, self._segmenter):
            if isinstance(stage, BatchDetector | BatchSegmenter):
                stage.prepare(image)
        if self._segmenter is not None or self._assistant.grounder.detects_masks:
            _ = image.digest  # by which encoded pictures are known

    def annotate(
        self,
        image: Image,
        boxes: Sequence[tuple[str, Box]] = (),
        question: str | None = None,
    ) -> Findings:
        """Find everything on a picture. See `annotate_many`."""
        (findings,) = self.annotate_many([PictureRequest(image, tuple(boxes), question)])
        return findings

    def annotate_many(self, requests: Sequence[PictureRequest]) -> Iterator[Findings]:
        """Find everything on several pictures; how many go together changes no result.

        Args:
            requests: the pictures.

        Yields:
            For each picture its regions, whose phrase is their class, with masks where there is a
            segmenter, numbered from "r1".

        Raises:
            SegueError: a model failed on a picture; what was found before it has been given.
        """
        started = time.perf_counter()
        images = [request.image for request in requests]
        self._detect_ahead(images)
        if self._settings.everything is not None:
            self._encode_ahead(images)
        drafts: list[_Draft] = []
        failure: Exception | None = None
        shared_seconds = (time.perf_counter() - started) / max(1, len(requests))
        try:
            for request in requests:
                drafts.append(self._draft(request, shared_seconds))
        except Exception as error:  # raised below, behind what was found before it
            failure = error
        self._detections_ahead.clear()
        started = time.perf_counter()
        self._encode_ahead([draft.image for draft in drafts if draft.lacks_masks])
        shared_seconds = (time.perf_counter() - started) / max(1, len(drafts))
        for draft in drafts:
            yield self._finish(draft, shared_seconds)
        if failure is not None:
            raise failure

    def _draft(self, request: PictureRequest, seconds: float) -> _Draft:
        """Find the regions of a picture."""
        started = time.perf_counter()
        image, settings, left_out = request.image, self._settings, dict[str, int]()
        question = settings.question if settings.ask_column is None else request.question
        about_photograph = self._photograph_notices.get(image)
        notices = [] if about_photograph is None else [about_photograph]
        regions: list[Region] = []
        if settings.from_boxes:
            size = image.size
            given = [Region("", name, box.clipped(size), "user") for name, box in request.boxes]
            regions = [region for region in given if region.box.area > 0]
            left_out["outside the picture"] = len(given) - len(regions)
        if settings.everything is not None:
            regions = self._segment_everything(image, settings.everything)
        if settings.classes and not settings.from_boxes:
            regions = self._detect(image, left_out)
        if question is not None:
            chat_regions, chat_notices = self._ask(image, question)
            notices = list(dict.fromkeys((*notices, *chat_notices)))
            # Without a detector there is nothing that the chat model could agree with.
            has_rival = settings.from_boxes or self._detector is not None
            is_joining = bool(settings.classes) and has_rival
            regions = _join_routes(regions, chat_regions) if is_joining else chat_regions
        regions = self._keep(regions, left_out)
        seconds += time.perf_counter() - started
        return _Draft(image, regions, left_out, notices, seconds)

    def _finish(self, draft: _Draft, seconds: float) -> Findings:
        """Make the masks of a picture, and apply the rules that need them."""
        started = time.perf_counter()
        settings, left_out, notices = self._settings, draft.left_out, draft.notices
        regions = self._assistant.grounder.add_masks(draft.regions, draft.image)
        large_regions = [region for region in regions if _area(region) >= settings.min_area]
        left_out[TOO_SMALL] = len(regions) - len(large_regions)
        regions = large_regions
        if counts := ", ".join(f"{n} {reason}" for reason, n in left_out.items() if n):
            notices.append(f"{LEFT_OUT_NOTICE}: {counts}")
        presence = self._assistant.presence_assessment()
        if presence is not None:
            regions = [presence.with_verdict(region) for region in regions]
        found_names = {region.phrase for region in regions}
        return Findings(
            tuple(replace(region, id=f"r{n}") for n, region in enumerate(regions, 1)),
            tuple(name for name in settings.names if name not in found_names),
            tuple(notices),
            draft.seconds + seconds + time.perf_counter() - started,
        )

    def _photograph_notice(self, image: Image) -> str | None:
        chat = self._assistant.chat if self._settings.asks_chat else None
        return photograph_notice((self._detector, chat, self._segmenter), image)

    def _detect_ahead(self, images: Sequence[Image]) -> None:
        """Ask the detector about several pictures in one run, where it gains by it."""
        detector = self._detector
        if isinstance(detector, BatchDetector) and self._settings.tile is None and len(images) > 1:
            for query in self._queries():
                _halving(partial(self._find_many, query), images)

    def _find_many(self, query: Query, images: Sequence[Image]) -> None:
        assert isinstance(self._detector, BatchDetector)
        phrases, threshold = query
        answers = self._detector.find_many(images, phrases, threshold, None)
        self._detections_ahead.update(
            ((id(image), query), answer) for image, answer in zip(images, answers)
        )

    def _encode_ahead(self, images: Sequence[Image]) -> None:
        """Encode several pictures in one run, where the segmenter gains by it."""
        if len(images) > 1:
            _halving(self._assistant.grounder.encode_views, images)

    def _queries(self) -> list[Query]:
        """Return what the detector is asked about every picture."""
        queries: list[Query] = []
        if self._settings.negatives:
            queries.append((self._settings.negatives, None))
        return [*queries, *((tuple(names), bar) for bar, names in self._class_phrases().items())]

    def _class_phrases(self) -> dict[float | None, dict[str, str]]:
        """Return the phrases of the classes, with their class, by their threshold."""
        by_threshold: dict[float | None, dict[str, str]] = {}
        for rule in self._settings.classes:
            threshold = self._settings.threshold if rule.threshold is None else rule.threshold
            class_of = by_threshold.setdefault(threshold, {})
            class_of |= dict.fromkeys(rule.phrases, rule.name)
        return by_threshold

    def _segment_everything(self, image: Image, options: EverythingOptions) -> list[Region]:
        """Segment what there is, as objects of one class."""
        return [
            Region("", EVERYTHING_CLASS, mask.box, "segmenter", mask=mask, score=mask.score)
            for mask in segment_everything(
                self._assistant.grounder.view(image), image.size, options, self._on_clicks
            )
            if mask.box is not None
        ]

    def _detect(self, image: Image, left_out: dict[str, int]) -> list[Region]:
        """Look for the classes, leave out and count what looks more like a negative phrase."""
        negatives = self._find(image, self._settings.negatives, None)
        regions = []
        for threshold, class_of in self._class_phrases().items():
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
        detector = self._detector
        if not phrases or detector is None:
            return []

        def find(picture: Image, find_phrases: Sequence[str]) -> list[Detection]:
            return detector.find(picture, find_phrases, threshold, None)

        detections = self._detections_ahead.get((id(image), (tuple(phrases), threshold)))
        tile = self._settings.tile
        if detections is None:
            detections = (
                find(image, phrases) if tile is None else find_in_tiles(find, image, phrases, tile)
            )
        return [region_of(detection) for detection in detections]

    def _ask(self, image: Image, question: str) -> tuple[list[Region], list[str]]:
        """Ask the chat model; of its regions those count that are of a class."""
        (answer,) = (
            event.answer
            for event in self._assistant.open(image).stream(question)
            if isinstance(event, Done)
        )
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
            left_out[BEYOND_NUMBER] = len(regions) - len(best_regions)
            regions = [region for region in regions if any(region is best for best in best_regions)]
        return regions


def _halving(run: Callable[[Sequence[Image]], None], images: Sequence[Image]) -> None:
    """Run a model on pictures together; where it fails on several, on fewer.

    On a single picture it is not tried again: whoever asks for that picture hears of the failure.
    """
    try:
        run(images)
    except (RuntimeError, MemoryError):
        middle = len(images) // 2
        for part in (images[:middle], images[middle:]) if middle else ():
            if len(part) > 1:
                _halving(run, part)


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
