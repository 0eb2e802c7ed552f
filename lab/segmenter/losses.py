"""What the segmenter is trained on: masks against soft coverages, and its own opinion of them.

All in float32, outside autocast. Coverages are averages over areas, so a border cell asks for the
share of it that is covered; thresholding the bilinearly enlarged logits at 0 then puts edges
between cells, not on them.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.segmenter.network import SegmenterOutput


class SegmenterLoss(NamedTuple):
    """What is minimised, and two readings without gradient.

    The readings are the mean IoU of the single mask for boxes and for points.
    """

    total: Tensor
    box_iou: Tensor
    point_iou: Tensor


def mask_losses(logits: Tensor, targets: Tensor, balance: float) -> Tensor:
    """Return the loss of every mask, (B, P, N).

    `logits` (B, P, N, M, M) are compared with `targets` (B, P, M, M) in [0, 1].

    `balance` in [0, 1] mixes two companions of dice. At 1 it is cross entropy with both classes
    weighing the same: a young network under focal loss learns to answer "nothing" everywhere and
    stays there for hundreds of steps. At 0 it is focal loss (gamma 2, times 20, as in SAM), which
    works on the border once the rest is right.
    """
    target = targets[:, :, None]
    probability = logits.sigmoid()
    entropy = F.softplus(logits) - logits * target
    overlap = (probability * target).sum((-1, -2))
    dice = 1 - (2 * overlap + 1) / (probability.sum((-1, -2)) + target.sum((-1, -2)) + 1)
    loss = dice
    if balance < 1:
        right = probability * target + (1 - probability) * (1 - target)
        loss = loss + (1 - balance) * 20 * (entropy * (1 - right) ** 2).mean((-1, -2))
    if balance > 0:
        inside = target.mean((-1, -2), keepdim=True).clamp(1e-4, 1 - 1e-4)
        weight = 0.5 * (target / inside + (1 - target) / (1 - inside))
        loss = loss + balance * (entropy * weight).mean((-1, -2))
    return loss


@torch.no_grad()
def thresholded_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the IoU (B, P, N) of thresholded masks with coverages thresholded at one half."""
    predicted, truth = logits > 0, targets[:, :, None] > 0.5
    union = (predicted | truth).sum((-1, -2)).float()
    return (predicted & truth).sum((-1, -2)).float() / union.clamp(min=1)


def segmenter_loss(
    output: SegmenterOutput, targets: Tensor, boxes: int, clicks: int, balance: float
) -> SegmenterLoss:
    """Return the whole loss of one batch.

    Its first `boxes` prompts are boxes, the rest points with `clicks` clicks.

    The single mask answers every prompt (one click counts half: it is ambiguous). Of the three
    others the best one learns, the rest a little, so that they come to stand for different readings
    of a click.
    """
    losses = mask_losses(output.logits, targets, balance)
    iou = thresholded_iou(output.logits, targets)
    weight = torch.ones(losses.shape[1], device=losses.device)
    if clicks == 1:
        weight[boxes:] = 0.5
    single = (losses[:, :, 0] * weight).mean()
    several = losses[:, :, 1:].min(-1).values.mean() + 0.1 * losses[:, :, 1:].mean()
    opinion = F.mse_loss(output.quality, iou)
    box_iou = iou[:, :boxes, 0].mean() if boxes else iou.new_zeros(())
    clicked = boxes < losses.shape[1]
    point_iou = iou[:, boxes:, 0].mean() if clicked else iou.new_zeros(())
    return SegmenterLoss(single + several + opinion, box_iou, point_iou)
