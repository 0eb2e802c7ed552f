"""What the detector is trained on.

The library's own loss gives the proposal stage no gradient and shifts the labels of later pictures
of a batch, so both stages are scored here. Every object claims the few cheapest of the predictions,
at both stages, as in DETA (Ouyang-Zhang et al., 2022): non-maximum suppression, part of the shipped
settings, removes the doubles. A claimed prediction should score its own overlap with the object,
which makes the best of the doubles win.

Boxes are centre x, centre y, width, height as shares of the picture, unless a name says corners.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from segue.embedded.detector_network import DetectorOutput


class Target(NamedTuple):
    """The truth about one picture and its caption: ``boxes`` (n, 4) and ``words`` (n, T), 1 on the
    text tokens of each."""

    boxes: Tensor
    words: Tensor


def naming_loss(names: Tensor, boxes: list[Tensor], nouns: list[Tensor], centres: Tensor) -> Tensor:
    """Cross entropy of a plain classifier on the picture tokens: a help in training that is not
    shipped.

    Words reach the network through a contrast with a few of them at a time, which teaches slowly
    what things look like; this says it outright. ``names`` (B, N, C + 1) are class logits, the last
    for "nothing here"; ``boxes`` (n, 4) and
    ``nouns`` (n,) are all objects of each picture. A token belongs to the smallest object in whose
    inner part it lies; tokens of nothing weigh a tenth.
    """
    nothing = names.shape[-1] - 1
    wanted = torch.full(names.shape[:2], nothing, dtype=torch.long)
    for row, (box, noun) in enumerate(zip(boxes, nouns, strict=True)):
        for index in box[:, 2:].prod(-1).argsort(descending=True).tolist():
            away = (centres - box[index, :2]).abs() / box[index, 2:]
            wanted[row, (away < 0.38).all(-1)] = noun[index]
    weight = torch.where(wanted == nothing, 0.1, 1.0)
    each = F.cross_entropy(names.flatten(0, 1), wanted.flatten(), reduction="none")
    return (each * weight.flatten()).sum() / weight.sum()


class DetectorLoss(NamedTuple):
    """``total`` to be minimised, and readings without gradient: mean overlap of claimed boxes and
    the word losses."""

    total: Tensor
    proposal_words: Tensor
    answer_words: Tensor
    proposal_iou: Tensor
    answer_iou: Tensor


def corners(boxes: Tensor) -> Tensor:
    """Centre form to corner form, (..., 4)."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of corner boxes, broadcast over all but the last axis."""
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
def claim(
    logits: Tensor, boxes: Tensor, target: Target, most: int, centres: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Which predictions each object claims: indices of predictions and of objects, both (m,).

    Each object takes its ``most`` cheapest predictions; the first always, the others only where
    they overlap it by 0.4 or, with ``centres`` (the proposal stage), where they sit inside it. A
    prediction wanted twice goes to the cheaper claim.
    """
    exact = corners(target.boxes)
    iou, generalised = overlaps(corners(boxes)[:, None], exact[None])
    score = (logits.sigmoid() @ target.words.T) / target.words.sum(1)
    cost = (
        -2 * (score.clamp(min=1e-6)).log() * 0.5
        + 5 * torch.cdist(boxes, target.boxes, p=1)
        - 2 * generalised
    )
    fit = iou > 0.4
    if centres is not None:
        away = (centres[:, None] - target.boxes[None, :, :2]).abs() / target.boxes[None, :, 2:]
        fit = (away < 0.5).all(-1)
        cost = cost + 2 * (away**2).sum(-1) + 100 * ~fit
    values, chosen = cost.topk(min(most, len(cost)), dim=0, largest=False)
    allowed = torch.gather(fit, 0, chosen)
    allowed[0] = True
    best: dict[int, tuple[float, int]] = {}
    rows, columns = allowed.nonzero(as_tuple=True)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        prediction, value = int(chosen[row, column]), float(values[row, column])
        if prediction not in best or value < best[prediction][0]:
            best[prediction] = (value, column)
    return torch.tensor(list(best), dtype=torch.long), torch.tensor(
        [column for _, column in best.values()], dtype=torch.long
    )


class _StageLoss(NamedTuple):
    words: Tensor
    boxes: Tensor
    iou: Tensor


def stage_loss(
    logits: Tensor,
    boxes: Tensor,
    attention: Tensor,
    targets: list[Target],
    most: int,
    centres: Tensor | None = None,
) -> _StageLoss:
    """The loss of one stage: ``logits`` (B, N, T), ``boxes`` (B, N, 4), ``attention`` (B, T)."""
    shown = attention[:, None].bool().expand_as(logits)
    logits = torch.where(shown, logits, torch.zeros_like(logits))
    wanted = torch.zeros_like(logits)
    distances, shapes, quality = [], [], []
    for row, target in enumerate(targets):
        if not len(target.boxes):
            continue
        hidden = logits[row].masked_fill(attention[row] == 0, -30)
        predictions, objects = claim(hidden, boxes[row].detach(), target, most, centres)
        mine, theirs = boxes[row, predictions], target.boxes[objects]
        iou, generalised = overlaps(corners(mine), corners(theirs))
        reached = iou.detach().clamp(min=0.3)[:, None]
        wanted[row, predictions] = target.words[objects] * reached
        distances.append((mine - theirs).abs().sum(-1))
        shapes.append(1 - generalised)
        quality.append(iou.detach())
    count = max(1, sum(len(q) for q in quality))
    probability = logits.sigmoid()
    entropy = F.softplus(logits) - logits * wanted
    weight = torch.where(wanted > 0, (wanted - probability).abs() ** 1.5, 0.75 * probability**2)
    words = 4 * (entropy * weight * shown).sum() / count
    if not quality:
        zero = boxes.sum() * 0
        return _StageLoss(words, zero, zero.detach())
    box_loss = 5 * torch.cat(distances).mean() + 2 * torch.cat(shapes).mean()
    return _StageLoss(words, box_loss, torch.cat(quality).mean())


def detector_loss(
    output: DetectorOutput, attention: Tensor, targets: list[Target], centres: Tensor
) -> DetectorLoss:
    """Proposals and every decoder layer, added up."""
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
