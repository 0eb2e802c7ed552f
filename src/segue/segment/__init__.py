"""Segmenters: a picture and boxes or points in, masks out.

`look` encodes a picture once and returns a view; the view is asked as often as one likes. A
picture "that was not set" cannot be expressed.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from segue.runtime.catalog import Catalog, Entry
from segue.values.box import Box, BoxLike
from segue.values.image import Image
from segue.values.mask import Mask

Point = tuple[float, float]
"""(x, y) in pixels of the upright picture."""
Boxes = Sequence[BoxLike] | np.ndarray
"""Boxes as users give them: `Box`es, (x0, y0, x1, y1), or an (N, 4) array."""
Points = Sequence[Sequence[float]] | Sequence[Sequence[Sequence[float]]] | np.ndarray
"""Clicks as users give them: those of one object, or of several."""
Labels = Sequence[int] | Sequence[Sequence[int]] | np.ndarray
"""1 (on the object) or 0 (not on it) for each click."""


class View(Protocol):
    """One picture, already encoded."""

    @property
    def size_bytes(self) -> int:
        """Memory it holds, for caches with a byte budget."""

    def mask(
        self,
        boxes: Sequence[Box] | None = None,
        points: Sequence[Point] | Sequence[Sequence[Point]] | None = None,
        labels: Sequence[int] | Sequence[Sequence[int]] | None = None,
        prior: np.ndarray | None = None,
    ) -> list[Mask]:
        """One mask per object asked for, at the full size of the picture.

        Args:
            boxes: N boxes, one object each.
            points: the clicks of one object, [(x, y), …], or of N objects, [[(x, y), …], …].
            labels: 1 (on the object) or 0 (not on it) for each point; all 1 when left out.
            prior: low-resolution logits of an earlier mask of the object (`Mask.logits`), (h, w)
                float32; only with a single object.

        Returns:
            N masks, each with `score`, the predicted IoU in [0, 1], and `logits`. Boxes and points
            given together describe the same N objects.

        Raises:
            InputError: nothing was asked for, counts differ, or a prompt lies outside the picture.
        """


@runtime_checkable
class Segmenter(Protocol):
    """What every segmenter promises; tests/contracts holds them to it."""

    @property
    def name(self) -> str:
        """Nickname, hub id or folder it was loaded from."""

    def look(self, image: Image) -> View:
        """Encode `image` once."""


@runtime_checkable
class BatchSegmenter(Segmenter, Protocol):
    """A segmenter that is faster on several pictures together."""

    def prepare(self, image: Image) -> None:
        """Compute ahead, in any thread, what the network needs of a picture."""

    def look_many(self, images: Sequence[Image]) -> list[View]:
        """Encode several pictures; each view is as from `look`."""


SEGMENTERS = Catalog(
    "segmenter",
    {
        "sam": Entry(
            "segue.segment.sam:load",
            "Segment Anything (ViT-B, -L, -H)",
            extra="models",
            options=("engine",),
        ),
        "sam_hq": Entry(
            "segue.segment.sam_hq:load",
            "SAM-HQ, Segment Anything with sharper borders",
            extra="models",
            options=("engine", "hq_token_only"),
        ),
        "sam2": Entry(
            "segue.segment.sam2:load",
            "Segment Anything 2 and 2.1",
            extra="models",
            options=("engine",),
        ),
        "edgetam": Entry(
            "segue.segment.edgetam:load",
            "EdgeTAM, SAM 2 with a small image encoder",
            extra="models",
            options=("engine",),
        ),
        "sam3": Entry(
            "segue.segment.sam3:load", "SAM 3's tracker, for boxes and clicks", extra="models"
        ),
        "box_fill": Entry(
            "segue.segment.box_fill:BoxFill", "the mask is the box, for tests", stand_in=True
        ),
    },
)
