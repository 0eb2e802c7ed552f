"""The parts that both trainings share."""

import json

import pytest
import torch
from torch import nn

from segue.embedded.training_run import (
    AveragedWeights,
    Budget,
    Optimisers,
    RunFolder,
    learning_rate,
)
from segue.errors import SegueError


def test_the_rate_rises_holds_and_has_come_down_at_the_end():
    assert learning_rate(1.0, 0, 0.0, 10, 0.4) == pytest.approx(0.1)
    assert learning_rate(1.0, 50, 0.4, 10, 0.4) == 1.0
    assert learning_rate(1.0, 50, 0.7, 10, 0.4) == pytest.approx(0.5)
    assert learning_rate(1.0, 50, 1.0, 10, 0.4) == pytest.approx(0.01)


def test_a_budget_of_steps_ignores_the_clock():
    budget = Budget(minutes=0.0, steps=8)
    assert budget.progress(2) == 0.25


def test_a_budget_of_minutes_counts_earlier_parts():
    assert Budget(minutes=1.0, spent=30.0).progress(0) == pytest.approx(0.5, abs=0.05)


def test_averaged_weights_are_lent_and_the_own_ones_come_back():
    model = nn.Linear(2, 2)
    average = AveragedWeights(model)
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    average.update(model, step=100)
    with average.lent_to(model):
        assert not model.training
        assert (model.weight < before + 1).all()
        assert (model.weight > before).all()
    assert model.training
    assert torch.equal(model.weight, before + 1)


def test_parameters_go_to_the_optimiser_they_belong_to():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    optimisers = Optimisers(
        model, lambda name, _: name.startswith("0"), slow=lambda n: n == "1.bias"
    )
    assert [tuple(p.shape) for p in optimisers.muon.param_groups[0]["params"]] == [(6, 4)]
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(3, 4)).sum().backward()
    assert optimisers.step(0.1) > 0
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    moved = (model[1].bias - before[3]).abs().max()
    assert moved < 0.011 < (model[1].weight - before[2]).abs().max()


def test_checkpoints_replace_one_another_and_leave_nothing_behind(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.load() is None
    folder.save({"step": 1})
    folder.save({"step": 2})
    assert folder.load() == {"step": 2}
    assert [p.name for p in folder.path.iterdir()] == ["checkpoint.pt"]


def test_a_broken_checkpoint_is_named_and_explained(tmp_path):
    folder = RunFolder(tmp_path)
    folder.checkpoint.write_bytes(b"half a file")
    with pytest.raises(SegueError, match=r"checkpoint\.pt.*delete it"):
        folder.load()


def test_the_log_is_one_object_a_line(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log(step=1, loss=0.1234567)
    folder.log(step=2)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 0.12346}, {"step": 2}]
