"""What seeing is taught with: nouns and boxes of tokens, and the words for what is seen."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.scenes.vocabulary import nouns

BINS = 40
"""Parts of the side, one of which a coordinate is in."""


def box_bins(logits: Tensor) -> Tensor:
    """Return the expected coordinate of each bin distribution, 0..1."""
    bins = torch.linspace(0, 1, BINS, device=logits.device)
    return (logits.float().softmax(-1) * bins).sum(-1)


def bin_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross entropy against the two bins around `target` (0..1), by nearness."""
    place = (target * (BINS - 1)).clamp(0, BINS - 1 - 1e-4)
    low = place.floor().long()
    share = place - low
    chances = F.log_softmax(logits.float(), -1)
    lower = chances.gather(-1, low[..., None])[..., 0]
    upper = chances.gather(-1, low[..., None] + 1)[..., 0]
    return -(lower * (1 - share) + upper * share).mean()


def dense_loss(
    readings: tuple[Tensor, Tensor],
    owner: Tensor,
    objects: Tensor,
    background_weight: float,
    box_weight: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the noun and box loss of all tokens, and the accuracy on object tokens.

    `owner` is (N, T), the object of each token or -1; `objects` is (N, 5, 5).
    """
    noun_logits, box_logits = readings
    is_object = owner >= 0
    row = owner.clamp(min=0)
    noun = torch.where(is_object, objects[..., 0].gather(1, row), len(nouns()))
    weight = torch.where(is_object, 1.0, background_weight).flatten()
    token_losses = F.cross_entropy(
        noun_logits.float().flatten(0, 1), noun.flatten(), reduction="none"
    )
    noun_loss = (token_losses * weight).sum() / weight.sum()
    target = objects[..., 1:].gather(1, row[..., None].expand(-1, -1, 4))[is_object].float() / 1000
    box_loss = bin_loss(box_logits[is_object], target)
    with torch.no_grad():
        overlap = iou(box_bins(box_logits[is_object]), target)
        noun_accuracy = (noun_logits.argmax(-1) == noun)[is_object].float().mean()
    figures = {"named": noun_accuracy, "boxed": (overlap > 0.5).float().mean()}
    return noun_loss + box_weight * box_loss, figures


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoU of paired boxes, both (..., 4) as x0, y0, x1, y1."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return shared / (areas - shared + 1e-6)


def words_loss(
    features: Tensor,
    owner: Tensor,
    objects: Tensor,
    tables: Sequence[Tensor],
    scale: Tensor,
    none_logit: Tensor,
) -> tuple[Tensor, Tensor]:
    """Pull each object's cells towards the words for it, background cells towards none.

    Args:
        features: what the language model sees, (N, T, 256).
        owner: the object of each cell or -1, (N, T).
        objects: (N, 5, 5).
        tables: for each language the embedding of each noun, (96, 256).
        scale: logarithm of what cosines are multiplied with.
        none_logit: of "no object here".

    Returns:
        The loss, and the share of object cells whose nearest word is right.
    """
    owned = owner >= 0
    noun = objects[..., 0].gather(1, owner.clamp(min=0))
    truth = torch.where(owned, noun, len(nouns()))
    keep = owned | (torch.rand(owned.shape, device=owned.device) < 0.3)
    looking = F.normalize(features[keep].float(), dim=-1)
    loss, accuracy = features.new_zeros(()), features.new_zeros(())
    for table in tables:
        logits = looking @ F.normalize(table.float(), dim=-1).T * scale.exp()
        logits = torch.cat([logits, none_logit.expand(len(logits), 1)], 1)
        loss = loss + F.cross_entropy(logits, truth[keep]) / len(tables)
        is_correct = (logits.argmax(1) == truth[keep])[owned[keep]]
        accuracy = accuracy + is_correct.float().mean() / len(tables)
    return loss, accuracy
