"""What seeing is taught with: nouns and boxes of tokens, and the words for what is seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segue.embedded.vocabulary import nouns

BINS = 40
"""Parts of the side that a coordinate is told in."""


def box_bins(logits: Tensor) -> Tensor:
    """The expected coordinate of each bin distribution, 0..1."""
    return (logits.float().softmax(-1) * torch.linspace(0, 1, BINS)).sum(-1)


def bin_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy against the two bins around `target` (0..1), shared by nearness."""
    place = (target * (BINS - 1)).clamp(0, BINS - 1 - 1e-4)
    low = place.floor().long()
    share = place - low
    chances = F.log_softmax(logits.float(), -1)
    lower = chances.gather(-1, low[..., None])[..., 0]
    upper = chances.gather(-1, low[..., None] + 1)[..., 0]
    return -(lower * (1 - share) + upper * share).mean()


def dense_loss(
    reading: tuple[Tensor, Tensor],
    owner: Tensor,
    objects: Tensor,
    background_weight: float,
    box_weight: float,
) -> tuple[Tensor, dict[str, float]]:
    """Noun and box loss of all tokens, with the accuracy on object tokens.

    `owner` is (N, T), the object of each token or -1; `objects` is (N, 5, 5).
    """
    noun_logits, box_logits = reading
    seen = owner >= 0
    row = owner.clamp(min=0)
    noun = torch.where(seen, objects[..., 0].gather(1, row), len(nouns()))
    weight = torch.where(seen, 1.0, background_weight).flatten()
    each = F.cross_entropy(noun_logits.float().flatten(0, 1), noun.flatten(), reduction="none")
    noun_loss = (each * weight).sum() / weight.sum()
    target = objects[..., 1:].gather(1, row[..., None].expand(-1, -1, 4))[seen].float() / 1000
    box_loss = bin_loss(box_logits[seen], target)
    with torch.no_grad():
        overlap = iou(box_bins(box_logits[seen]), target)
        named = (noun_logits.argmax(-1) == noun)[seen].float().mean()
    figures = {"named": float(named), "boxed": float((overlap > 0.5).float().mean())}
    return noun_loss + box_weight * box_loss, figures


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of paired boxes, both (..., 4) as x0, y0, x1, y1."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return shared / (areas - shared + 1e-6)


def words_loss(
    seen: Tensor,
    owner: Tensor,
    objects: Tensor,
    tables: Sequence[Tensor],
    scale: Tensor,
    none: Tensor,
) -> tuple[Tensor, float]:
    """Each object's cells should lie near the words for it, background cells near none.

    Args:
        seen: what the language model sees, (N, T, 256).
        owner: the object of each cell or -1, (N, T).
        objects: (N, 5, 5).
        tables: for each language the embedding of each noun, (96, 256).
        scale: logarithm of what cosines are multiplied with.
        none: logit of "no object here".

    Returns:
        The loss, and the share of object cells whose nearest word is right.
    """
    owned = owner >= 0
    noun = objects[..., 0].gather(1, owner.clamp(min=0))
    truth = torch.where(owned, noun, len(nouns()))
    keep = owned | (torch.rand(owned.shape) < 0.3)
    looking = F.normalize(seen[keep].float(), dim=-1)
    loss, named = torch.zeros(()), 0.0
    for table in tables:
        logits = looking @ F.normalize(table.float(), dim=-1).T * scale.exp()
        logits = torch.cat([logits, none.expand(len(logits), 1)], 1)
        loss = loss + F.cross_entropy(logits, truth[keep]) / len(tables)
        right = (logits.argmax(1) == truth[keep])[owned[keep]]
        named += float(right.float().mean()) / len(tables)
    return loss, named
