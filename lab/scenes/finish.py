"""What happens to a whole picture: shapes before the objects, JPEG, scaling down and up.

Pictures are (H, W, 3) float32, 0..255.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.scenes.canvas import Canvas
from lab.scenes.surfaces import draw_shape


def put_in_front(
    rng: np.random.Generator, picture: NDArray[np.float32], labels: NDArray[np.int8], count: int
) -> None:
    """Draw `count` filled anonymous shapes over the objects, in place; they are background.

    `labels` is (H, W), -1 for the background.
    """
    height, width = labels.shape
    for _ in range(count):
        cover = np.zeros((height, width, 3), np.uint8)
        at = (int(rng.integers(width)), int(rng.integers(height)))
        draw_shape(rng, cover, at, 0.22 * min(height, width), (255, 255, 255))
        share = cover[..., :1].astype(np.float32) / 255
        colour = rng.integers(0, 256, 3).astype(np.float32)
        picture += (colour - picture) * share
        labels[share[..., 0] > 0.5] = -1


def finished(
    rng: np.random.Generator, picture: NDArray[np.float32], names: Sequence[str]
) -> NDArray[np.float32]:
    """Return the picture after the named finishes, in order. The size stays."""
    if not names:
        return picture
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    for name in names:
        canvas = FINISHES[name](rng, canvas)
    return canvas.astype(np.float32)


def _saved_as_jpeg(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 80))]
    _, data = cv2.imencode(".jpg", canvas, quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _rescaled(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Scale down and up again, each by a filter of its own."""
    height, width = canvas.shape[:2]
    share = float(rng.uniform(0.4, 0.85))
    filters = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC)
    size = (max(8, int(width * share)), max(8, int(height * share)))
    small = cv2.resize(canvas, size, interpolation=filters[int(rng.integers(4))])
    large = cv2.resize(small, (width, height), interpolation=filters[int(rng.integers(4))])
    return np.asarray(large, np.uint8)


def _sharpened(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Sharpen too much, as cheap cameras do."""
    soft = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.7, 2)))
    gain = float(rng.uniform(0.4, 1.5))
    return np.asarray(cv2.addWeighted(canvas, 1 + gain, soft, -gain, 0), np.uint8)


def _grey(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Take the colours away, in part or wholly."""
    grey = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = float(rng.uniform(0.5, 1))
    return np.asarray(cv2.addWeighted(canvas, 1 - share, grey, share, 0), np.uint8)


FINISHES: dict[str, Callable[[np.random.Generator, Canvas], Canvas]] = {
    "jpeg": _saved_as_jpeg,
    "rescaled": _rescaled,
    "sharpened": _sharpened,
    "grey": _grey,
}
"""What can be done to a picture, by name."""
