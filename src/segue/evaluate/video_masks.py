"""Scores of masks along a video: region similarity J and boundary accuracy F, as DAVIS has them.

Source: Perazzi et al. 2016, "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation" (J, F); Pont-Tuset et al. 2017, arXiv:1704.00675 (J&F, first and last frame left out),
and its program, github.com/davisvideochallenge/davis2017-evaluation, whose conventions for empty
masks are kept.
"""

from collections.abc import Sequence
from math import ceil, hypot

import numpy as np

from segue.errors import InputError

BOUNDARY_TOLERANCE = 0.008
"""How far boundaries may lie apart, as a share of the diagonal of the frame."""


def region_similarity(predicted: np.ndarray, target: np.ndarray) -> float:
    """Return J, the intersection over union of two masks (H, W) bool; 1 when both are empty.

    >>> region_similarity(np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool))
    0.3333333333333333
    """
    _check_shapes(predicted, target)
    union = int(np.count_nonzero(predicted | target))
    return int(np.count_nonzero(predicted & target)) / union if union else 1.0


def boundary_accuracy(
    predicted: np.ndarray, target: np.ndarray, tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """Return F, the harmonic mean of how much of each boundary lies near the other one.

    Args:
        predicted: (H, W) bool.
        target: (H, W) bool.
        tolerance: see `BOUNDARY_TOLERANCE`.

    Returns:
        In [0, 1]; 1 when both masks are empty, 0 when one is.
    """
    import cv2

    _check_shapes(predicted, target)
    reach = ceil(tolerance * hypot(*target.shape))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= reach**2).astype(np.uint8)
    edges, true_edges = _boundary(predicted), _boundary(target)
    n_edges, n_true = int(edges.sum()), int(true_edges.sum())
    if n_edges == 0 or n_true == 0:
        return float(n_edges == n_true)
    near_true, near = cv2.dilate(true_edges, disk), cv2.dilate(edges, disk)
    precision = int((edges & near_true).sum()) / n_edges
    recall = int((true_edges & near).sum()) / n_true
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def score_track(
    predicted: Sequence[np.ndarray], target: Sequence[np.ndarray]
) -> tuple[float, float]:
    """Score the masks of one object along a video.

    Args:
        predicted: one mask a frame, (H, W) bool; without a pixel where the object was lost.
        target: the true masks, of as many frames; without a pixel where it is hidden.

    Returns:
        (mean J, mean F) over all frames but the first, which was given, and the last, as in DAVIS.

    Raises:
        InputError: there are fewer than three frames, or the counts or shapes differ.
    """
    if len(predicted) != len(target) or len(target) < 3:
        raise InputError(
            f"A track must have a mask for each of at least 3 frames, got {len(predicted)} masks "
            f"for {len(target)} frames."
        )
    pairs = list(zip(predicted, target))[1:-1]
    j = sum(region_similarity(*pair) for pair in pairs) / len(pairs)
    f = sum(boundary_accuracy(*pair) for pair in pairs) / len(pairs)
    return j, f


def _boundary(mask: np.ndarray) -> np.ndarray:
    """Return the pixels whose right, lower or diagonal neighbour differs, (H, W) uint8."""
    padded = np.pad(mask, ((0, 1), (0, 1)), "edge")
    here = padded[:-1, :-1]
    edges = (here ^ padded[:-1, 1:]) | (here ^ padded[1:, :-1]) | (here ^ padded[1:, 1:])
    return np.asarray(edges.astype(np.uint8))


def _check_shapes(predicted: np.ndarray, target: np.ndarray) -> None:
    if predicted.shape != target.shape:
        raise InputError(f"Masks must have one shape, got {predicted.shape} and {target.shape}.")
