"""A detector and a segmenter that work together: phrases, boxes and clicks in, regions out.

Reply processing, corrections by hand and the library call `Assistant.segment` share one `Grounder`,
and with it one cache of encoded pictures and one of detections. Both are keyed by the stage that
computed them, so a stage that is exchanged is never answered for by its predecessor.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from segue.detect import ConceptDetector, Detection, Detector, Exemplar
from segue.errors import InputError
from segue.runtime.byte_cache import ByteCache
from segue.segment import BatchSegmenter, Boxes, Labels, Points, Segmenter, View
from segue.values.box import Box, read_box
from segue.values.image import Image
from segue.values.region import Region

VIEWS_BUDGET_BYTES = 512 * 2**20
"""How much the encoded pictures may hold, unless a memory budget says otherwise."""
MIN_THRESHOLD = 0.02
"""Threshold under which no score is asked for."""
MAX_CACHED_DETECTIONS = 256
"""How many calls of the detector are remembered …"""
CACHED_MASKS_BUDGET_BYTES = 128 * 2**20
"""… and how much the masks may hold that came with them."""


def region_ids(first: int = 1) -> Iterator[str]:
    """Count names for regions: "r1", "r2", …"""
    return (f"r{number}" for number in count(first))


class Grounder:
    """Finds and segments things in pictures. Either stage may be missing, and may be exchanged."""

    def __init__(
        self,
        detector: Detector | None = None,
        segmenter: Segmenter | None = None,
        *,
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> None:
        """
        Args:
            detector: finds phrases; None: there is none.
            segmenter: makes masks; None: there is none.
            box_threshold: passed to the detector; None: the detector's own.
            text_threshold: passed to the detector; None: its own, and never above a
                `box_threshold` that is set.
        """
        self.detector = detector
        self.segmenter = segmenter
        self.box_threshold = box_threshold
        self.text_threshold = text_threshold
        self.views: ByteCache[tuple[int, str], tuple[Segmenter, View]] = ByteCache(
            VIEWS_BUDGET_BYTES, size_of=lambda entry: entry[1].size_bytes
        )
        """Encoded pictures by segmenter and content."""
        self._detections: ByteCache[tuple[Any, ...], tuple[Detector, list[Detection]]] = ByteCache(
            CACHED_MASKS_BUDGET_BYTES,
            size_of=lambda entry: _mask_bytes(entry[1]),
            max_entries=MAX_CACHED_DETECTIONS,
        )

    @property
    def presence_threshold(self) -> float | None:
        """The presence score from which on the detector says "present"; None: it states none."""
        detector = self.detector
        return detector.presence_threshold if isinstance(detector, ConceptDetector) else None

    @property
    def detects_masks(self) -> bool:
        """Whether masks come from the detector, with what it finds."""
        return isinstance(self.detector, ConceptDetector)

    def view(self, image: Image) -> View:
        """Return the encoded picture, from the cache where it is there.

        Raises:
            InputError: there is no segmenter.
        """
        segmenter = self.segmenter
        if segmenter is None:
            raise InputError("This assistant has no segmenter. Load one: segue.load(segment=…).")
        # The entry holds the segmenter, so its id() cannot be given to another one meanwhile.
        key = (id(segmenter), image.digest)
        return self.views.get_or_compute(key, lambda: (segmenter, segmenter.look(image)))[1]

    def encode_views(self, images: Sequence[Image]) -> None:
        """Encode pictures together, for `view`, where the segmenter gains by it.

        Raises:
            RuntimeError, MemoryError: the segmenter failed, perhaps over their number.
        """
        segmenter = self.segmenter
        if not isinstance(segmenter, BatchSegmenter):
            return
        keys = {(id(segmenter), image.digest): image for image in images}
        missing = {key: image for key, image in keys.items() if self.views.get(key) is None}
        for key, view in zip(missing, segmenter.look_many(list(missing.values()))):
            self.views.put(key, (segmenter, view))

    def detect(
        self,
        image: Image,
        phrases: Sequence[str],
        *,
        index: int = 0,
        ids: Iterator[str] | None = None,
    ) -> list[Region]:
        """Find every instance of every phrase.

        Args:
            image: the picture.
            phrases: what to look for.
            index: of the picture in the conversation, for `Region.image`.
            ids: names for the regions; "r1", "r2", … when left out.

        Returns:
            Regions, with masks where the detector gives them.

        Raises:
            InputError: there is no detector.
        """
        detector = self.detector
        if detector is None:
            raise InputError(
                "This assistant has no detector, so it cannot look for a phrase. "
                "Load one: segue.load(detect=…)."
            )
        thresholds = (self.box_threshold, self.text_threshold)
        key = (id(detector), image.digest, tuple(phrases), *thresholds)
        _, detections = self._detections.get_or_compute(
            key, lambda: (detector, detector.find(image, phrases, *thresholds))
        )
        ids = ids or region_ids()
        return [region_of(detection, next(ids), index) for detection in detections]

    def detect_like(
        self, image: Image, exemplars: Sequence[Exemplar], phrase: str = ""
    ) -> list[Region]:
        """Find every instance of what boxes show.

        Args:
            image: the picture.
            exemplars: boxes on what is meant, and on what is not.
            phrase: what it is called; empty: the boxes alone say it.

        Returns:
            Regions with masks, named "r1", "r2", …

        Raises:
            InputError: the detector takes no boxes, or one does not lie in the picture.
        """
        detector = self.detector
        if not isinstance(detector, ConceptDetector):
            name = getattr(detector, "name", None)
            raise InputError(
                f"Examples need a detector that takes boxes, got {name!r}. Load one: "
                "segue.load(detect='sam3'), --detect sam3."
            )
        detections = detector.find_like(image, exemplars, phrase, self.box_threshold)
        return [region_of(one, f"r{number}") for number, one in enumerate(detections, 1)]

    def best_score(self, image: Image, phrase: str) -> float:
        """Return the detector's score for a phrase being in a picture, in [0, 1].

        That is its presence score where it states one, else its best score for the phrase, below
        its threshold too.

        Raises:
            InputError: there is no detector.
        """
        detector = self.detector
        if detector is None:
            raise InputError("There is no detector to score a phrase. Load one: detect=….")
        if isinstance(detector, ConceptDetector):
            return detector.presence_score(image, phrase)
        key = (id(detector), image.digest, (phrase,), MIN_THRESHOLD, MIN_THRESHOLD)
        _, detections = self._detections.get_or_compute(
            key, lambda: (detector, detector.find(image, [phrase], MIN_THRESHOLD, MIN_THRESHOLD))
        )
        return max((detection.score for detection in detections), default=0.0)

    def add_masks(self, regions: list[Region], image: Image) -> list[Region]:
        """Return the regions of one picture with masks, made in one call of the segmenter.

        Those that have a mask keep it, and without a segmenter all are returned as they are.
        """
        unmasked_regions = [region for region in regions if region.mask is None]
        if self.segmenter is None or not unmasked_regions:
            return regions
        masks = self.view(image).mask(boxes=[region.box for region in unmasked_regions])
        new_masks = iter(masks)
        return [
            region.with_mask(next(new_masks)) if region.mask is None else region
            for region in regions
        ]

    def segment(
        self,
        image: Image,
        phrases: Sequence[str] = (),
        boxes: Boxes | None = None,
        points: Points | None = None,
        labels: Labels | None = None,
        exemplars: Sequence[Exemplar] = (),
    ) -> tuple[Region, ...]:
        """Make masks by phrase, by box, by points, or by example. See `Assistant.segment`."""
        regions: list[Region] = []
        if exemplars:
            phrase = phrases[0] if phrases else ""
            regions += self.add_masks(self.detect_like(image, exemplars, phrase), image)
        elif phrases:
            regions += self.add_masks(self.detect(image, phrases), image)
        has_boxes = boxes is not None and len(boxes) > 0
        has_points = points is not None and len(points) > 0
        if has_boxes or has_points:
            boxes_read = (
                [read_box(box) for box in boxes] if boxes is not None and has_boxes else None
            )
            clicks: dict[str, Any] = {"points": points, "labels": labels}  # read by the view
            masks = self.view(image).mask(boxes=boxes_read, **clicks)
            for number, mask in enumerate(masks):
                if boxes_read:
                    box = boxes_read[number]
                else:
                    group: Any = points if len(masks) == 1 or points is None else points[number]
                    box = mask.box or Box.around(_flat(group))
                region_id = f"r{len(regions) + 1}"
                regions.append(Region(region_id, "", box, "user", mask=mask))
        return tuple(regions)


def region_of(detection: Detection, id: str = "", index: int = 0) -> Region:
    """Return what a detector found as a region of the picture with that index."""
    return Region(
        id,
        detection.phrase,
        detection.box,
        "detector",
        image=index,
        mask=detection.mask,
        score=detection.score,
        presence_score=detection.presence_score,
    )


def _mask_bytes(detections: Sequence[Detection]) -> int:
    return sum(one.mask.size_bytes for one in detections if one.mask is not None)


def _flat(points: Any) -> list[tuple[float, float]]:
    """Points however they are nested, as a list of pairs."""
    if len(points) == 2 and not hasattr(points[0], "__len__"):
        return [(float(points[0]), float(points[1]))]
    return [pair for point in points for pair in _flat(point)]
