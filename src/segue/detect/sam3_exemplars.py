"""Boxes as examples for SAM 3: this is one, this is none.

transformers pools the picture's features in a box with torchvision. Its pooling (RoIAlign: He et
al. 2017, arXiv:1703.06870, section 3) is bilinear and an average, so it falls apart into one small
matrix for the rows and one for the columns; nothing but a matrix product is left of it here.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from segue.detect import Exemplar
from segue.errors import InputError
from segue.values.box import Size


def exemplar_boxes(exemplars: Sequence[Exemplar], size: Size) -> tuple[Tensor, Tensor]:
    """Return examples as the network takes them.

    Args:
        exemplars: N boxes in pixels of the upright picture.
        size: of the picture.

    Returns:
        Centre and size in fractions of the picture, (1, N, 4) float32, and 1 or 0 for each, (1, N).

    Raises:
        InputError: a box does not lie in the picture.
    """
    rows = []
    for exemplar in exemplars:
        box = exemplar.box.clipped(size)
        if box.is_empty:
            raise InputError(
                f"The box of an example must have area in the picture ({size.width} x "
                f"{size.height} pixels), got {exemplar.box.corners}."
            )
        (x, y), (width, height) = box.centre, (box.width, box.height)
        rows.append((x / size.width, y / size.height, width / size.width, height / size.height))
    labels = [int(exemplar.is_positive) for exemplar in exemplars]
    return torch.tensor([rows], dtype=torch.float32), torch.tensor([labels])


def use_own_pooling(encoder: Any) -> None:
    """Let the geometry encoder of a `Sam3Model` pool without torchvision, in place."""
    encoder._encode_boxes = partial(_encode_boxes, encoder)


def roi_align(features: Tensor, boxes: Tensor, bins: int) -> Tensor:
    """Pool features in boxes as torchvision's `roi_align` does by default.

    Args:
        features: (C, h, w).
        boxes: (N, 4), x0 y0 x1 y1 in places of the map, the first at 0.
        bins: how many pieces each side of a box is cut into.

    Returns:
        (N, C, bins, bins): averages of as many samples as a piece spans places.
    """
    height, width = features.shape[-2:]
    pooled = [
        torch.einsum(
            "ph,chw,qw->cpq",
            _bin_weights(y0, y1, height, bins).to(features),
            features,
            _bin_weights(x0, x1, width, bins).to(features),
        )
        for x0, y0, x1, y1 in boxes.tolist()
    ]
    return torch.stack(pooled)


def _bin_weights(start: float, end: float, length: int, bins: int) -> Tensor:
    """Return what each place of a side weighs in each bin, (bins, length)."""
    step = max(end - start, 1.0) / bins
    n_samples = max(1, -int(-step // 1))
    offsets = (torch.arange(n_samples) + 0.5) / n_samples
    places = start + (torch.arange(bins)[:, None] + offsets) * step  # (bins, n)
    is_near = (places >= -1) & (places <= length)
    places = places.clamp(0, length - 1)
    distances = (places[..., None] - torch.arange(length)).abs()  # (bins, n, length)
    weights = (1 - distances).clamp(min=0) * is_near[..., None]
    return weights.mean(1)


def _encode_boxes(
    encoder: Any, boxes: Tensor, mask: Tensor, labels: Tensor, features: Tensor
) -> tuple[Tensor, Tensor]:
    """Embed boxes by place, size, content and label; see `Sam3GeometryEncoder._encode_boxes`.

    Args:
        encoder: a `Sam3GeometryEncoder`.
        boxes: (B, N, 4), centre and size in fractions of the picture.
        mask: (B, N), which of them count.
        labels: (B, N), 1 or 0.
        features: (B, C, h, w).
    """
    height, width = features.shape[-2:]
    centres, sides = boxes[..., :2], boxes[..., 2:]
    corners = torch.cat([centres - sides / 2, centres + sides / 2], -1)
    corners = corners * corners.new_tensor([width, height, width, height])
    pooled = torch.cat([roi_align(*pair, encoder.roi_size) for pair in zip(features, corners)])
    content = encoder.boxes_pool_project(pooled).view(*boxes.shape[:2], -1)
    place = encoder._encode_box_coordinates(*boxes.flatten(0, 1).unbind(-1))
    place = encoder.boxes_pos_enc_project(place.view(*boxes.shape[:2], -1))
    embedded = encoder.boxes_direct_project(boxes) + content + place
    return encoder.label_embed(labels.long()) + embedded, mask
