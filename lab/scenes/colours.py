"""The colour of a thing, where most of it has one: the eleven basic colour terms.

The terms are those of Berlin and Kay (1969), named and ordered as `backgrounds.COLOURS`. A pixel
gets its term from hue, saturation and value; a thing has a colour where at least `MOST` of its
visible pixels share a term.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.scenes import backgrounds

NAMES = tuple(backgrounds.COLOURS)
CHINESE = tuple(backgrounds.CHINESE[name] for name in NAMES)
MIN_SHARE = 0.6
"""The share of a thing's visible pixels that must agree."""

_TERM = {name: number for number, name in enumerate(NAMES)}
_HUES = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (165, "green"),
    (255, "blue"),
    (292, "purple"),
    (345, "pink"),
    (361, "red"),
)
"""Up to which hue, in degrees, a lit and saturated pixel has which term."""


def terms(image: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the term of every pixel: (H, W, 3) uint8 RGB to (H, W) int8, indices in `NAMES`.

    >>> import numpy as np
    >>> NAMES[terms(np.full((1, 1, 3), (120, 70, 30), np.uint8))[0, 0]]
    'brown'
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(np.float32)
    hue, saturation, value = hsv[..., 0] * (360 / 256), hsv[..., 1] / 255, hsv[..., 2] / 255
    indices = np.zeros(hue.shape, np.int8)
    for limit, name in reversed(_HUES):
        indices[hue < limit] = _TERM[name]
    warm, red = (hue < 50) | (hue >= 345), (hue < 15) | (hue >= 325)
    indices[red & (saturation < 0.55) & (value > 0.7)] = _TERM["pink"]
    earthy = (value < 0.68) | (saturation < 0.6) & (value < 0.88)
    indices[warm & earthy & ((hue >= 12) & (hue < 50) | (saturation < 0.6))] = _TERM["brown"]
    pale = saturation < np.where(value > 0.5, 0.14, 0.22)
    indices[pale] = _TERM["gray"]
    indices[pale & (value > 0.8)] = _TERM["white"]
    indices[value < 0.22] = _TERM["black"]
    return indices


def colours_of(image: NDArray[np.uint8], labels: NDArray[np.int8], count: int) -> NDArray[np.int8]:
    """Return the colour of each of `count` objects: index in `NAMES`, -1 where none prevails.

    `image` is (H, W, 3) uint8 RGB, `labels` (H, W) the object at each pixel or -1.
    """
    term_map = terms(image)
    colours = np.full(count, -1, np.int8)
    for number in range(count):
        votes = np.bincount(term_map[labels == number], minlength=len(NAMES))
        if votes.sum() and votes.max() >= MIN_SHARE * votes.sum():
            colours[number] = votes.argmax()
    return colours
