"""From low-resolution logits to full masks."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from segue.segment.enlarge import cut_to_boxes, full_masks, memory_budget
from segue.values.box import Box, Size


@pytest.mark.parametrize("budget", [1, 10_000, 10**9])
def test_the_budget_changes_memory_not_masks(budget):
    logits = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(0))
    size, inner = Size(30, 50), Size(38, 64)
    masks = list(full_masks(logits, size, budget, square=64, inner=inner))
    whole = F.interpolate(logits[:, None], (64, 64), mode="bilinear")[..., :38, :64]
    expected = F.interpolate(whole, (30, 50), mode="bilinear")[:, 0] > 0
    assert np.array_equal(masks, expected.numpy())
    assert masks[0].dtype == bool


def test_without_a_square_the_logits_cover_the_picture():
    logits = torch.tensor([[[1.0, -1.0]]])
    (mask,) = full_masks(logits, Size(3, 4), 10**6)
    assert mask.tolist() == [[True, True, False, False]] * 3


def test_no_logits_make_no_masks():
    assert list(full_masks(torch.zeros(0, 4, 4), Size(3, 4), 10**6)) == []


def test_pixels_outside_the_box_are_cut():
    masks = [np.ones((5, 6), bool), np.ones((5, 6), bool)]
    cut_to_boxes(masks, [Box(1.5, 1, 3.2, 4), None])
    assert np.argwhere(masks[0]).min(0).tolist() == [1, 1]
    assert np.argwhere(masks[0]).max(0).tolist() == [3, 3]
    assert masks[1].all()


def test_there_is_always_a_budget():
    assert memory_budget(torch.device("cpu")) > 0
