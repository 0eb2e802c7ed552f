"""How a thing moved between two frames: points of its texture, else its picture as a template.

Source: Kalal, Mikolajczyk & Matas 2010, "Forward-Backward Error: Automatic Detection of Tracking
Failures" (MedianFlow): points are followed there and back, and the median of those that return says
how the box moved and grew.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.values.box import Box, Size

_MAX_POINTS = 120
_MIN_POINTS = 6
_MAX_RETURN_ERROR = 1.5  # pixels between a point and where it comes back to
_SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)
_TEMPLATE_SIDE = 64  # pixels of the longer side, at most


@dataclass(frozen=True, slots=True)
class Motion:
    """How a box moves: by pixels, and by a factor about its centre."""

    dx: float
    dy: float
    scale: float

    def apply(self, box: Box) -> Box:
        """Return the box after the motion."""
        x, y = box.centre[0] + self.dx, box.centre[1] + self.dy
        half_width, half_height = box.width * self.scale / 2, box.height * self.scale / 2
        return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def point_motion(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> Motion | None:
    """Estimate a motion from points of texture.

    Args:
        before: (H, W) uint8, the grey frame before.
        after: (H, W) uint8, the grey frame after.
        mask: (H, W) bool, the pixels of the thing on the frame before.

    Returns:
        The motion; None: too few points come back to where they were.
    """
    import cv2

    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    points = cv2.goodFeaturesToTrack(before, _MAX_POINTS, 0.01, 3, mask=inside * 255)
    if points is None or len(points) < _MIN_POINTS:
        return None
    settings: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **settings)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **settings)
    starts, ends = points.reshape(-1, 2), there.reshape(-1, 2)
    errors = np.linalg.norm(back.reshape(-1, 2) - starts, axis=1)
    is_kept = (found.ravel() == 1) & (returned.ravel() == 1) & (errors <= _MAX_RETURN_ERROR)
    if is_kept.sum() < _MIN_POINTS:
        return None
    starts, ends = starts[is_kept], ends[is_kept]
    dx, dy = np.median(ends - starts, axis=0)
    rows, columns = np.triu_indices(len(starts), 1)
    old = np.linalg.norm(starts[rows] - starts[columns], axis=1)
    new = np.linalg.norm(ends[rows] - ends[columns], axis=1)
    is_far = old > 4
    scale = float(np.median(new[is_far] / old[is_far])) if is_far.any() else 1.0
    return Motion(float(dx), float(dy), float(np.clip(scale, 0.8, 1.25)))


def find_template(
    frame: np.ndarray,
    template: np.ndarray,
    box: Box,
    reach: float,
    shape: np.ndarray | None = None,
) -> tuple[Box, float] | None:
    """Find where a picture of a thing fits best, near a box and at several sizes.

    Args:
        frame: (H, W, 3) uint8, where to look.
        template: (h, w, 3) uint8, the thing as it looked in its box.
        box: where it is expected, and how large.
        reach: how far its centre may lie from there, in pixels.
        shape: (h, w) bool, the pixels of the template that count; None: all.

    Returns:
        The box of the best fit and its normalised correlation, in [-1, 1]; None: there is no room.
    """
    import cv2

    size = Size(*frame.shape[:2])
    grown = Box(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach).clipped(size)
    x0, y0, x1, y1 = (round(value) for value in grown.corners)
    # A large thing is looked for in a smaller picture.
    shrink = min(1.0, _TEMPLATE_SIDE / max(box.width, box.height, 1))
    width, height = round((x1 - x0) * shrink), round((y1 - y0) * shrink)
    if width < 8 or height < 8:
        return None
    window = cv2.resize(frame[y0:y1, x0:x1], (width, height), interpolation=cv2.INTER_AREA)
    window = window.astype(np.float32)
    best: tuple[Box, float] | None = None
    for scale in _SCALES:
        w, h = round(box.width * scale * shrink), round(box.height * scale * shrink)
        if not (4 <= w <= width and 4 <= h <= height):
            continue
        pattern = cv2.resize(template, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
        weights = None
        if shape is not None:
            weights = cv2.resize(shape.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
            weights = np.repeat((weights[..., None] > 0.5).astype(np.float32), 3, axis=2)
            if weights.sum() < 30:
                continue
        fit = cv2.matchTemplate(
            window.astype(np.float32),
            pattern.astype(np.float32),
            cv2.TM_CCOEFF_NORMED,
            None,
            weights,
        )
        fit = np.where(np.isfinite(fit) & (abs(fit) <= 1.001), fit, -1).astype(np.float32)
        _, value, _, (column, row) = cv2.minMaxLoc(fit)
        if np.isfinite(value) and (best is None or value > best[1]):
            left, top = x0 + column / shrink, y0 + row / shrink
            found = Box(left, top, left + box.width * scale, top + box.height * scale)
            best = found, float(value)
    return best
