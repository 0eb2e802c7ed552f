"""What the detector is trained on.

The library's own loss gives the proposal stage no gradient and shifts the labels of later pictures
of a batch, so both stages are scored here. Every object claims the few cheapest of the predictions,
at both stages, as in DETA (Ouyang-Zhang et al., 2022): non-maximum suppression, part of the shipped
settings, removes the doubles. A claimed prediction should score its own overlap with the object,
which makes the best of the doubles win.

Boxes are centre x, centre y, width, height as shares of the picture, unless a name says corners.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.detector.network import DetectorOutput


class Targets(NamedTuple):
    """The truth about the images of a batch and their captions, padded to M objects an image.

    `boxes` are (B, M, 4); `words` (B, M, T) are 1 on the text tokens of each box; `is_object`
    (B, M) says which rows are objects, not padding.
    """

    boxes: Tensor
    words: Tensor
    is_object: Tensor


def naming_loss(names: Tensor, boxes: Tensor, nouns: Tensor, centres: Tensor) -> Tensor:
    """Return the cross entropy of a plain classifier on the image tokens.

    It helps in training and is not shipped. Words reach the network through a contrast with a few
    of them at a time, which teaches slowly what things look like; this says it outright. A token
    belongs to the smallest object in whose inner part it lies; tokens of nothing weigh a tenth.

    Args:
        names: (B, N, C + 1) class logits, the last for "nothing here".
        boxes: (B, M, 4), all objects of each picture.
        nouns: (B, M) int64, theirs; -1 is padding.
        centres: (N, 2), of the image tokens.
    """
    nothing = names.shape[-1] - 1
    offsets = (centres - boxes[:, :, None, :2]).abs() / boxes[:, :, None, 2:].clamp(min=1e-6)
    inside = (offsets < 0.38).all(-1) & (nouns >= 0)[..., None]
    areas = torch.where(inside, boxes[..., 2:].prod(-1)[..., None], torch.inf)
    smallest = areas.min(1)
    targets = torch.where(smallest.values.isfinite(), nouns.gather(1, smallest.indices), nothing)
    weight = torch.where(targets == nothing, 0.1, 1.0)
    token_losses = F.cross_entropy(names.flatten(0, 1), targets.flatten(), reduction="none")
    return (token_losses * weight.flatten()).sum() / weight.sum()


class DetectorLoss(NamedTuple):
    """What is minimised, and readings without gradient.

    The readings are the word losses and the mean overlap of matched boxes.
    """

    total: Tensor
    proposal_words: Tensor
    answer_words: Tensor
    proposal_iou: Tensor
    answer_iou: Tensor


def corners(boxes: Tensor) -> Tensor:
    """Turn boxes in centre form into corner form, (..., 4)."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalised IoU of corner boxes, broadcast over all but the last axis."""
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    inside = (
        (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2]))
        .clamp(min=0)
        .prod(-1)
    )
    union = area_a + area_b - inside
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    iou = inside / (union + 1e-7)
    return iou, iou - (hull - union) / (hull + 1e-7)


@torch.no_grad()
def match_targets(
    logits: Tensor, boxes: Tensor, targets: Targets, max_claims: int, centres: Tensor | None
) -> Tensor:
    """Match predictions to objects.

    Each object takes its `max_claims` cheapest predictions; the first always, the others only
    where they overlap it by 0.4 or, with `centres` (the proposal stage), where they sit inside it.
    A prediction wanted twice goes to the cheaper claim.

    Args:
        logits: (B, N, T), of predictions against tokens; padding is far below zero.
        boxes: (B, N, 4), predicted.
        targets: the truth.
        max_claims: predictions that an object may take.
        centres: (N, 2), of the image tokens.

    Returns:
        The object of each prediction, (B, N) int64; -1 where none claims it.
    """
    iou, generalised = overlaps(corners(boxes)[:, :, None], corners(targets.boxes)[:, None])
    words = targets.words.sum(-1).clamp(min=1)[:, None]
    score = (logits.sigmoid() @ targets.words.transpose(1, 2)) / words
    cost = (
        -2 * (score.clamp(min=1e-6)).log() * 0.5
        + 5 * torch.cdist(boxes, targets.boxes, p=1)
        - 2 * generalised
    )
    fit = iou > 0.4
    if centres is not None:
        offsets = centres[None, :, None] - targets.boxes[:, None, :, :2]
        offsets = offsets.abs() / targets.boxes[:, None, :, 2:].clamp(min=1e-6)
        fit = (offsets < 0.5).all(-1)
        cost = cost + 2 * (offsets**2).sum(-1) + 100 * ~fit
    candidates = cost.topk(min(max_claims, cost.shape[1]), dim=1, largest=False).indices
    allowed = fit.gather(1, candidates)
    allowed[:, 0] = True
    claimed = torch.zeros_like(fit).scatter_(1, candidates, allowed)
    claims = torch.where(claimed & targets.is_object[:, None], cost, torch.inf)
    cheapest = claims.min(-1)
    return torch.where(cheapest.values.isfinite(), cheapest.indices, -1)


class _StageLoss(NamedTuple):
    words: Tensor
    boxes: Tensor
    iou: Tensor


def stage_loss(
    logits: Tensor,
    boxes: Tensor,
    attention: Tensor,
    targets: Targets,
    max_claims: int,
    centres: Tensor | None = None,
) -> _StageLoss:
    """Return the loss of one stage: `logits` (B, N, T), `boxes` (B, N, 4), `attention` (B, T)."""
    is_token = attention[:, None].bool().expand_as(logits)
    logits = torch.where(is_token, logits, torch.zeros_like(logits))
    hidden = logits.detach().masked_fill(~is_token, -30)
    owners = match_targets(hidden, boxes.detach(), targets, max_claims, centres)
    is_match = owners >= 0
    count = is_match.sum().clamp(min=1)
    rows = owners.clamp(min=0)[..., None]
    target_boxes = targets.boxes.gather(1, rows.expand(-1, -1, 4))
    iou, generalised = overlaps(corners(boxes), corners(target_boxes))
    reached = (iou.detach().clamp(min=0.3) * is_match)[..., None]
    words = targets.words.gather(1, rows.expand(-1, -1, logits.shape[-1]))
    word_targets = words * reached
    probability = logits.sigmoid()
    entropy = F.softplus(logits) - logits * word_targets
    weight = torch.where(
        word_targets > 0, (word_targets - probability).abs() ** 1.5, 0.75 * probability**2
    )
    word_loss = 4 * (entropy * weight * is_token).sum() / count
    distance = (boxes - target_boxes).abs().sum(-1)
    box_loss = ((5 * distance + 2 * (1 - generalised)) * is_match).sum() / count
    return _StageLoss(word_loss, box_loss, (iou.detach() * is_match).sum() / count)


def detector_loss(
    output: DetectorOutput, attention: Tensor, targets: Targets, centres: Tensor
) -> DetectorLoss:
    """Add up the losses of the proposals and of every decoder layer."""
    proposal = stage_loss(
        output.proposal_logits, output.proposal_boxes, attention, targets, 5, centres
    )
    total = proposal.words + proposal.boxes
    for logits, boxes in zip(output.logits, output.boxes, strict=True):
        answer = stage_loss(logits, boxes, attention, targets, 4)
        total = total + answer.words + answer.boxes
    return DetectorLoss(
        total, proposal.words.detach(), answer.words.detach(), proposal.iou, answer.iou
    )
