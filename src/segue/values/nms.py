"""Of boxes that overlap, the best stays."""

import numpy as np


def nms(boxes: np.ndarray, scores: np.ndarray, max_iou: float) -> np.ndarray:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4) x0 y0 x1 y1.
        scores: (N,).
        max_iou: a box that overlaps a better one by more than this is dropped.

    Returns:
        Indices of the boxes that stay, best score first; equal scores keep their order.

    Example:
        >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 29, 9]])
        >>> nms(boxes, np.array([0.5, 0.9, 0.3]), max_iou=0.5)
        array([1, 2])
    """
    order = np.argsort(-scores, kind="stable")
    x0, y0, x1, y1 = np.asarray(boxes, np.float64).reshape(-1, 4).T
    areas = (x1 - x0) * (y1 - y0)
    retained: list[int] = []
    while order.size:
        best, candidates = order[0], order[1:]
        retained.append(int(best))
        across = np.minimum(x1[best], x1[candidates]) - np.maximum(x0[best], x0[candidates])
        down = np.minimum(y1[best], y1[candidates]) - np.maximum(y0[best], y0[candidates])
        overlap = across.clip(0) * down.clip(0)
        union = areas[best] + areas[candidates] - overlap
        order = candidates[overlap <= max_iou * union]
    return np.array(retained, np.int64)
