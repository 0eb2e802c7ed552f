"""The optimiser for hidden matrices, against the library's."""

import copy

import pytest
import torch
from torch import nn

from lab.training.muon import Muon, orthogonal

USUAL = (3.4445, -4.775, 2.0315)


@pytest.mark.parametrize("rule", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(24, 16), (16, 24)], ids=["tall", "wide"])
def test_steps_are_the_librarys_but_for_rounding(rule, shape):
    torch.manual_seed(0)
    own_model = nn.Linear(*shape[::-1], bias=False)
    reference_model = copy.deepcopy(own_model)
    start = own_model.weight.detach().clone()
    own_optimiser, library = (
        kind(model.parameters(), lr=0.01, weight_decay=0.1, adjust_lr_fn=rule)
        for kind, model in ((Muon, own_model), (torch.optim.Muon, reference_model))
    )
    for _ in range(3):
        gradient = torch.randn(shape)
        for model, optimiser in ((own_model, own_optimiser), (reference_model, library)):
            model.weight.grad = gradient.clone()
            optimiser.step()
    change, reference_change = own_model.weight - start, reference_model.weight - start
    assert (change - reference_change).norm() < 0.02 * reference_change.norm()
    library.load_state_dict(own_optimiser.state_dict())


def test_singular_values_end_near_one():
    torch.manual_seed(1)
    for shape in [(40, 12), (12, 40)]:
        even = orthogonal(torch.randn(shape), USUAL, 5, 1e-7)
        values = torch.linalg.svdvals(even.float())
        assert values.min() > 0.5
        assert values.max() < 1.5
