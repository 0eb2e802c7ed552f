"""Which parameters go to which optimiser, and at which rate."""

import torch
from torch import nn

from lab.training.optimisers import matched_optimisers, separate_optimisers


def test_parameters_go_to_the_optimiser_they_belong_to():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    optimisers = matched_optimisers(
        model, 0.1, lambda name, _: name.startswith("0"), is_slow=lambda name: name == "1.bias"
    )
    muon, _ = optimisers.members["muon"]
    assert [tuple(p.shape) for p in muon.param_groups[0]["params"]] == [(6, 4)]
    initial_values = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(3, 4)).sum().backward()
    assert optimisers.step(1.0) > 0
    assert all(
        not torch.equal(a, b) for a, b in zip(initial_values, model.parameters(), strict=True)
    )
    bias_change = (model[1].bias - initial_values[3]).abs().max()
    assert bias_change < 0.011 < (model[1].weight - initial_values[2]).abs().max()


def test_each_optimiser_may_have_its_own_rate_and_biases_do_not_decay():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    rates = {"muon_rate": 0.02, "adam_rate": 0.001, "decay": 0.05, "max_norm": 5.0}
    optimisers = separate_optimisers(model, lambda name: name.startswith("0"), **rates)
    model(torch.ones(3, 4)).sum().backward()
    optimisers.step(0.5)
    muon, adam = (optimisers.members[name][0] for name in ("muon", "adam"))
    assert muon.param_groups[0]["lr"] == 0.01
    assert [group["lr"] for group in adam.param_groups] == [0.0005, 0.0005]
    assert [group["weight_decay"] for group in adam.param_groups] == [0.05, 0.0]
    assert [len(group["params"]) for group in adam.param_groups] == [1, 2]


def test_without_a_rate_for_muon_adam_trains_everything():
    model = nn.Linear(4, 6)
    optimisers = separate_optimisers(
        model, lambda _: True, muon_rate=0.0, adam_rate=0.001, decay=0.05, max_norm=1.0
    )
    assert set(optimisers.members) == {"adam"}
