"""Tells photographs from drawn scenes by simple statistics of their pixels.

Drawn scenes have flat areas, few colours and hard edges; photographs have texture and noise almost
everywhere. A logistic regression over six such numbers, fitted by `python -m lab photographs`;
docs/embedded.md states how often it is wrong.
"""

import numpy as np
import PIL.Image

from segue.values.box import Size
from segue.values.image import Image

SIDE = 256
"""The longer side, in pixels, of the reduced picture that is measured."""
THRESHOLD = 0.6
"""From this probability on a picture counts as a photograph."""
MEANS = (0.517, 0.265, 1.307, 1.937, 4.462, 1.596)
DEVIATIONS = (0.273, 0.180, 0.957, 1.163, 1.669, 0.625)
WEIGHTS = (-5.488, -3.226, -1.873, 2.035, -0.085, 0.619)
BIAS = -1.366


def is_photograph(image: Image) -> bool:
    """Whether a picture looks like a photograph rather than a drawn scene."""
    reduced = image.resized(_reduced_size(image.size), PIL.Image.Resampling.BOX)
    return _probability(reduced) >= THRESHOLD


def photograph_probability(pixels: np.ndarray) -> float:
    """Return how much a picture looks like a photograph, in [0, 1].

    Args:
        pixels: (H, W, 3) uint8 RGB.

    >>> photograph_probability(np.full((90, 90, 3), 200, np.uint8)) < 0.1
    True
    """
    return _probability(_reduced(pixels))


def _probability(reduced: np.ndarray) -> float:
    standardized = (_measure_reduced(reduced) - np.array(MEANS)) / np.array(DEVIATIONS)
    return float(1 / (1 + np.exp(-(standardized @ np.array(WEIGHTS) + BIAS))))


def measure(pixels: np.ndarray) -> np.ndarray:
    """Return the six numbers that the classifier looks at: (6,) float64.

    They are the shares of flat and of weak gradients, the median and the upper quartile of the
    Laplacian (as logarithms), the entropy of the colours in bits, and how far strong gradients
    stand out from usual ones (as a logarithm).
    """
    return _measure_reduced(_reduced(pixels))


def _reduced_size(size: Size) -> Size:
    scale = SIDE / max(size)
    return Size(max(int(size.height * scale), 8), max(int(size.width * scale), 8))


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels (h, w, 3) uint8 with `SIDE` on the longer side."""
    size = _reduced_size(Size(*pixels.shape[:2]))
    picture = PIL.Image.fromarray(pixels)
    return np.array(picture.resize((size.width, size.height), PIL.Image.Resampling.BOX))


def _measure_reduced(pixels: np.ndarray) -> np.ndarray:
    reduced = pixels.astype(np.float32)
    grey = reduced.mean(axis=2)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    gradients = np.concatenate([across.ravel(), down.ravel()])
    neighbours = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    laplacian = np.abs(4 * grey[1:-1, 1:-1] - neighbours)
    median, high = np.percentile(gradients, (50, 90))
    laplacian_median, laplacian_high = np.percentile(laplacian, (50, 75))
    contrast = high / (median + 0.5)
    return np.array(
        [
            (gradients < 1).mean(),
            ((gradients >= 2) & (gradients < 12)).mean(),
            np.log1p(laplacian_median),
            np.log1p(laplacian_high),
            _colour_entropy(reduced),
            np.log1p(contrast),
        ]
    )


def _colour_entropy(pixels: np.ndarray) -> float:
    """Return the entropy of the colours, reduced to 4 bits a channel, in bits."""
    reduced = (pixels // 16).astype(np.int64)
    keys = reduced[..., 0] * 256 + reduced[..., 1] * 16 + reduced[..., 2]
    counts = np.bincount(keys.ravel())
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
