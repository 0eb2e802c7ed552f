"""A detector that segments by itself, from a table; and a segmenter that must not be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from segue.detect import Detection, Exemplar
from segue.detect.fixed import Fixed
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask


class FixedConcepts(Fixed):
    """Finds what its table says, and gives the upper left triangle of each box as its mask."""

    name = "concepts"
    presence_threshold = 0.5

    def __init__(self, table: Mapping[str, Any], presence: Mapping[str, float] | None = None):
        super().__init__(table)
        self.presence = dict(presence or {})
        self.asked: list[str] = []

    def presence_score(self, image: Image, phrase: str) -> float:
        self.asked.append(phrase)
        return self.presence.get(phrase, 0.25)

    def find(self, image: Image, phrases: Sequence[str], *thresholds: Any, **named: Any):
        found = super().find(image, phrases, *thresholds, **named)
        return [self._complete(one, image) for one in found]

    def find_like(
        self,
        image: Image,
        exemplars: Sequence[Exemplar],
        phrase: str = "",
        box_threshold: float | None = None,
    ) -> list[Detection]:
        shown = [exemplar for exemplar in exemplars if exemplar.is_positive]
        return [self._complete(Detection(phrase, one.box, 0.75), image) for one in shown]

    def _complete(self, detection: Detection, image: Image) -> Detection:
        mask = triangle(detection.box, image)
        score = self.presence.get(detection.phrase, 0.25)
        return replace(detection, mask=mask, presence_score=score)


class UnaskedSegmenter:
    """Is there, and must not be asked."""

    name = "unasked"

    def look(self, image: Image) -> Any:
        raise AssertionError("a mask was there already")


def triangle(box: Box, image: Image) -> Mask:
    """The pixels of a box above its rising diagonal."""
    rows, columns = np.mgrid[: image.size.height, : image.size.width]
    across = (columns - box.x0) / box.width
    down = (rows - box.y0) / box.height
    return Mask((across >= 0) & (down >= 0) & (across + down < 1))
