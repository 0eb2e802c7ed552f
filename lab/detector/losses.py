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


class Target(NamedTuple):
    """The truth about one image and its caption.

    `boxes` are (n, 4); `words` (n, T) are 1 on the text tokens of each box.
    """

    boxes: Tensor
    words: Tensor


def naming_loss(names: Tensor, boxes: list[Tensor], nouns: list[Tensor], centres: Tensor) -> Tensor:
    """Return the cross entropy of a plain classifier on the image tokens.

    It helps in training and is not shipped.

    Words reach the network through a contrast with a few of them at a time, which teaches slowly
    what things look like; this says it outright. `names` (B, N, C + 1) are class logits, the last
    for "nothing here"; `boxes` (n, 4) and
    `nouns` (n,) are all objects of each picture. A token belongs to the smallest object in whose
    inner part it lies; tokens of nothing weigh a tenth.
    """
    nothing = names.shape[-1] - 1
    targets = torch.full(names.shape[:2], nothing, dtype=torch.long)
    for row, (box, noun) in enumerate(zip(boxes, nouns, strict=True)):
        for index in box[:, 2:].prod(-1).argsort(descending=True).tolist():
            offsets = (centres - box[index, :2]).abs() / box[index, 2:]
            targets[row, (offsets < 0.38).all(-1)] = noun[index]
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
    logits: Tensor, boxes: Tensor, target: Target, max_claims: int, centres: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Match predictions to objects: indices of predictions and of objects, both (m,).

    Each object takes its `most` cheapest predictions; the first always, the others only where
    they overlap it by 0.4 or, with `centres` (the proposal stage), where they sit inside it. A
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
        offsets = (centres[:, None] - target.boxes[None, :, :2]).abs() / target.boxes[None, :, 2:]
        fit = (offsets < 0.5).all(-1)
        cost = cost + 2 * (offsets**2).sum(-1) + 100 * ~fit
    values, candidates = cost.topk(min(max_claims, len(cost)), dim=0, largest=False)
    allowed = torch.gather(fit, 0, candidates)
    allowed[0] = True
    best: dict[int, tuple[float, int]] = {}
    rows, columns = allowed.nonzero(as_tuple=True)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        prediction, value = int(candidates[row, column]), float(values[row, column])
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
    max_claims: int,
    centres: Tensor | None = None,
) -> _StageLoss:
    """Return the loss of one stage: `logits` (B, N, T), `boxes` (B, N, 4), `attention` (B, T)."""
    is_token = attention[:, None].bool().expand_as(logits)
    logits = torch.where(is_token, logits, torch.zeros_like(logits))
    word_targets = torch.zeros_like(logits)
    distances, shapes, quality = [], [], []
    for row, target in enumerate(targets):
        if not len(target.boxes):
            continue
        hidden = logits[row].masked_fill(attention[row] == 0, -30)
        predictions, objects = match_targets(
            hidden, boxes[row].detach(), target, max_claims, centres
        )
        predicted_boxes, target_boxes = boxes[row, predictions], target.boxes[objects]
        iou, generalised = overlaps(corners(predicted_boxes), corners(target_boxes))
        reached = iou.detach().clamp(min=0.3)[:, None]
        word_targets[row, predictions] = target.words[objects] * reached
        distances.append((predicted_boxes - target_boxes).abs().sum(-1))
        shapes.append(1 - generalised)
        quality.append(iou.detach())
    count = max(1, sum(len(q) for q in quality))
    probability = logits.sigmoid()
    entropy = F.softplus(logits) - logits * word_targets
    weight = torch.where(
        word_targets > 0, (word_targets - probability).abs() ** 1.5, 0.75 * probability**2
    )
    words = 4 * (entropy * weight * is_token).sum() / count
    if not quality:
        zero = boxes.sum() * 0
        return _StageLoss(words, zero, zero.detach())
    box_loss = 5 * torch.cat(distances).mean() + 2 * torch.cat(shapes).mean()
    return _StageLoss(words, box_loss, torch.cat(quality).mean())


def detector_loss(
    output: DetectorOutput, attention: Tensor, targets: list[Target], centres: Tensor
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
