"""Averages of weights."""

import torch
from torch import nn

from lab.training.averaging import AveragedWeights


def test_averaged_weights_are_swapped_in_and_the_original_ones_come_back():
    model = nn.Linear(2, 2)
    average = AveragedWeights(model)
    original_weight = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    average.update(model, step=100)
    with average.swapped_in(model):
        assert not model.training
        assert (model.weight < original_weight + 1).all()
        assert (model.weight > original_weight).all()
    assert model.training
    assert torch.equal(model.weight, original_weight + 1)
