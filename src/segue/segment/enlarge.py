"""From low-resolution logits to masks at the full size of the picture, a few at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.values.box import Box, Size


def full_masks(
    logits: Tensor, size: Size, budget_bytes: int, square: int = 0, inner: Size | None = None
) -> Iterator[np.ndarray]:
    """Enlarge logits bilinearly, and say which pixels are positive.

    All masks of a large picture at once would take gigabytes; this holds only as many enlarged
    logits as fit the budget.

    Args:
        logits: (N, h, w) float32.
        size: of the upright picture.
        budget_bytes: memory for enlarged logits; at least one mask is done at a time.
        square: side of the square the network saw, when the picture was padded into it; 0: the
            picture filled the network's input.
        inner: the picture's size within that square, at its top left.

    Yields:
        N arrays, each (H, W) bool.
    """
    per_mask = 4 * (size.height * size.width + square * square)
    for part in logits.split(max(1, budget_bytes // (2 * per_mask))):
        values = part[:, None]
        if square and inner is not None:
            values = F.interpolate(values, (square, square), mode="bilinear", align_corners=False)
            values = values[..., : inner.height, : inner.width]
        values = F.interpolate(values, tuple(size), mode="bilinear", align_corners=False)
        yield from (values[:, 0] > 0).cpu().numpy()


def cut_to_boxes(masks: Sequence[np.ndarray], boxes: Sequence[Box | None]) -> None:
    """Clear, in place, the pixels of each mask that its box does not touch."""
    for mask, box in zip(masks, boxes):
        if box is None:
            continue
        x0, y0 = int(np.floor(box.x0)), int(np.floor(box.y0))
        x1, y1 = int(np.ceil(box.x1)), int(np.ceil(box.y1))
        mask[:y0], mask[y1:] = False, False
        mask[:, :x0], mask[:, x1:] = False, False


def memory_budget(device: torch.device) -> int:
    """Bytes that one step may use for temporary arrays: 512 MiB, more on a roomy GPU."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(512 * 2**20, free // 4)
    return 512 * 2**20
