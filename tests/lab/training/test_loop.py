"""The loop of a training."""

import json

import torch
from torch import nn

from lab.training.loop import TrainingLoop
from lab.training.optimisers import matched_optimisers
from lab.training.schedules import Budget, Schedule


class Numbers:
    """A pool of nothing but a count."""

    def __init__(self) -> None:
        self.drawn = 0

    def state_dict(self) -> int:
        return self.drawn

    def load_state_dict(self, state: int) -> None:
        self.drawn = state


class Line(TrainingLoop):
    """Learns y = 2x; every third step has no figures."""

    def __init__(self, out, steps, check=None, averaged=True) -> None:
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        optimisers = matched_optimisers(model, 0.1, lambda name, _: name == "weight")
        schedule = Schedule(warm_up=1, hold=0.999)
        super().__init__(
            out, Budget(1, steps), model, optimisers, schedule, check=check, averaged=averaged
        )
        self.pool = self.parts["drawn"] = Numbers()
        self.exports = 0

    def compute_loss(self, progress):
        self.pool.drawn += 1
        x = torch.full((1, 1), float(self.pool.drawn % 5))
        loss = (self.model(x) - 2 * x).square().mean()
        return loss, {"loss": float(loss.detach())} if self.step % 3 else {}

    def export(self, model, folder):
        self.exports += 1


def log_of(run):
    return [json.loads(line) for line in (run.folder.path / "log.jsonl").read_text().splitlines()]


def test_a_run_reports_checks_and_saves_at_its_end(tmp_path):
    run = Line(tmp_path, 6, check=lambda model: {"weight": float(model.weight.detach())})
    run.report_every = 3
    run.run()
    reports, (check,) = log_of(run)[:-1], log_of(run)[-1:]
    assert [report["step"] for report in reports] == [3, 6]
    assert set(reports[0]) == {"step", "minutes", "cpu", "loss", "norm"}
    assert set(check["check"]) == {"weight"}
    assert run.exports == 1
    assert run.folder.checkpoint.is_file()


def test_a_report_on_steps_without_figures_is_a_line_without_figures(tmp_path):
    run = Line(tmp_path, 1)
    run.report_every = 1
    run.run()
    assert set(log_of(run)[0]) == {"step", "minutes", "cpu"}


def test_a_run_in_two_parts_ends_as_one_in_one_piece(tmp_path):
    uninterrupted, first = Line(tmp_path / "whole", 9), Line(tmp_path / "parts", 4)
    uninterrupted.run()
    first.run()
    second = Line(tmp_path / "parts", 9)
    assert second.resume()
    second.run()
    assert (second.step, second.pool.drawn) == (9, 9)
    assert torch.equal(uninterrupted.model.weight, second.model.weight)
    assert torch.equal(uninterrupted.average.state["weight"], second.average.state["weight"])


def test_a_folder_without_a_checkpoint_begins_afresh(tmp_path):
    assert not Line(tmp_path, 1).resume()


def test_a_run_without_an_average_is_checked_as_it_is(tmp_path):
    run = Line(tmp_path, 3, check=lambda m: {"weight": float(m.weight.detach())}, averaged=False)
    run.run()
    assert run.average is None
    assert log_of(run)[-1]["check"]["weight"] == round(run.model.weight.item(), 16)
