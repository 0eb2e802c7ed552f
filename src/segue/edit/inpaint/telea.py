"""Fill a hole by continuing its surroundings inwards, with OpenCV.

Good for small things on quiet grounds; a large hole becomes a blur of its border's colours.

Source: Telea 2004, "An Image Inpainting Technique Based on the Fast Marching Method".
"""

import numpy as np

_MAX_DEPTH = 40.0
"""Pixels from the rim to the middle of a hole. Deeper ones are filled at a smaller scale: the
method invents no detail in there anyway, its time grows with the hole, and its rounding errors add
up from pixel to pixel into a tint."""


class Telea:
    """The inpainter that needs no weights."""

    name = "telea"

    def __init__(self, radius: float = 4.0) -> None:
        self._radius = radius

    def fill(
        self, array: np.ndarray, hole: np.ndarray, *, prompt: str = "", seed: int | None = None
    ) -> np.ndarray:
        """See `Inpainter.fill`; prompt and seed are not used."""
        import cv2

        filled = array.copy()
        if not hole.any() or hole.all():
            return filled
        window = bounding_slices(hole, margin=int(8 * self._radius))
        part, gap = array[window], hole[window].astype(np.uint8)
        depth = float(cv2.distanceTransform(gap, cv2.DIST_L2, 3).max())
        scale = min(1.0, _MAX_DEPTH / depth)
        if scale < 1:
            size_wh = (max(1, round(gap.shape[1] * scale)), max(1, round(gap.shape[0] * scale)))
            # Any pixel that holds a bit of the hole is hole: its colour must not leak out.
            gap = cv2.resize(gap.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA) > 0
            gap = gap.astype(np.uint8)
            small = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA)
            inpainted = cv2.inpaint(small, gap, self._radius, cv2.INPAINT_TELEA)
            size_wh = (part.shape[1], part.shape[0])
            inpainted = cv2.resize(inpainted, size_wh, interpolation=cv2.INTER_CUBIC)
        else:
            inpainted = cv2.inpaint(
                np.ascontiguousarray(part), gap, self._radius, cv2.INPAINT_TELEA
            )
        filled[window][hole[window]] = inpainted[hole[window]]
        return filled


def bounding_slices(hole: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of a hole, (H, W) bool with a pixel at least, and a margin around it."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + 1 + margin),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + 1 + margin),
    )
