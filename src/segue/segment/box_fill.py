"""The stand-in segmenter: the mask is the box. For tests and for machines without weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segue.segment import Point
from segue.segment.prompts import SegmentPrompt, check_prior, read_prompts
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

_SIDE = 4  # of its logits, which say nothing


class BoxFill:
    """Fills boxes; a click fills the square of 9 x 9 pixels around it."""

    def __init__(self, name: str = "") -> None:
        self.name = name or "box_fill"

    def look(self, image: Image) -> "BoxFillView":
        """Remember the size of `image`; there is nothing to encode."""
        return BoxFillView(image.size)


@dataclass(frozen=True)
class BoxFillView:
    """One picture of `size`."""

    size: Size
    size_bytes: int = 64

    def mask(
        self,
        boxes: Sequence[Box] | None = None,
        points: Sequence[Point] | Sequence[Sequence[Point]] | None = None,
        labels: Sequence[int] | Sequence[Sequence[int]] | None = None,
        prior: np.ndarray | None = None,
    ) -> list[Mask]:
        """Fill the boxes, or squares around the clicks. See `segue.segment.View.mask`."""
        prompts = read_prompts(self.size, boxes, points, labels)
        if prior is not None:
            check_prior(prior, prompts, _SIDE)
        return [self._fill(prompt) for prompt in prompts]

    def _fill(self, prompt: SegmentPrompt) -> Mask:
        mask = Mask.empty(self.size)
        if prompt.box is not None:
            mask = Mask.from_box(prompt.box, self.size)
        else:
            for (x, y), label in zip(prompt.points, prompt.labels):
                square = Mask.from_box(Box(x - 4.5, y - 4.5, x + 4.5, y + 4.5), self.size)
                mask = mask | square if label else mask - square
        score = 0.0 if mask.is_empty else 1.0
        return replace(mask, score=score, logits=np.zeros((_SIDE, _SIDE), np.float32))
