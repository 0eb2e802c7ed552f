"""Names the colours of an object by the basic colour terms (Berlin and Kay, 1969)."""

import numpy as np

from segue.values.image import Image
from segue.values.mask import Mask

MIN_SHARE = 0.2
"""Share of an object's pixels that a colour needs, to be one of its colours."""
MAX_PIXELS = 20_000
"""So many pixels of an object are looked at, evenly spread."""

_HUES = (
    (12, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (318, "purple"),
    (342, "pink"), (360, "red"),
)  # fmt: skip
"""Upper ends of the hues, in degrees."""


def basic_colours(image: Image, mask: Mask) -> frozenset[str]:
    """Return the basic colour terms of an object; none where its mask is empty.

    >>> import numpy as np
    >>> red = Image(np.full((4, 4, 3), (220, 20, 30), np.uint8))
    >>> basic_colours(red, Mask(np.ones((4, 4), bool)))
    frozenset({'red'})
    """
    import cv2

    pixels = image.array[mask.array]
    if not len(pixels):
        return frozenset()
    pixels = pixels[:: max(1, len(pixels) // MAX_PIXELS)].astype(np.float32) / 255
    hue, saturation, value = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0].T
    names = _name_hues(hue, saturation, value)
    colours, counts = np.unique(names, return_counts=True)
    return frozenset(str(colour) for colour in colours[counts >= MIN_SHARE * len(names)])


def _name_hues(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Name pixels by hue in degrees, and by saturation and value in [0, 1]."""
    names = np.full(hue.shape, "grey", dtype="<U6")
    for low, (high, name) in zip([0, *(high for high, _ in _HUES)], _HUES):
        names[(hue >= low) & (hue <= high)] = name
    names[((names == "orange") | (names == "red")) & (value < 0.7) & (hue > 8) & (hue < 60)] = (
        "brown"
    )
    names[(names == "yellow") & (value < 0.55)] = "brown"
    names[(names == "purple") & (hue > 290) & (value > 0.85)] = "pink"
    names[(names == "red") & (saturation < 0.5) & (value > 0.75)] = "pink"
    is_grey = saturation < np.where(value > 0.85, 0.12, 0.18)
    names[is_grey] = "grey"
    names[is_grey & (value > 0.82)] = "white"
    names[(is_grey & (value < 0.3)) | (value < 0.16)] = "black"
    return names
