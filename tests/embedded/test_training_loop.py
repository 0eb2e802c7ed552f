import json

import torch
from torch import nn

from segue.embedded.training_loop import TrainingLoop
from segue.embedded.training_run import Budget, Optimisers


class Numbers:
    """A pool of nothing but a count."""

    def __init__(self) -> None:
        self.drawn = 0

    def go_to(self, drawn: int) -> None:
        self.drawn = drawn


class Line(TrainingLoop):
    """Learns y = 2x; every third step has no figures."""

    def __init__(self, out, steps, check=None) -> None:
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        optimisers = Optimisers(model, lambda name, _: name == "weight")
        super().__init__(out, Budget(1, steps), model, optimisers, Numbers(), check)
        self.shipped = 0

    def learn(self, progress):
        self.pool.drawn += 1
        x = torch.full((1, 1), float(self.pool.drawn % 5))
        loss = (self.model(x) - 2 * x).square().mean()
        loss.backward()
        norm = self.optimisers.step(0.1)
        if self.step % 3:
            self.recent.append({"loss": float(loss.detach()), "norm": norm})
        return float(loss.detach())

    def ship(self, model, folder):
        self.shipped += 1


def log_of(run):
    return [json.loads(line) for line in (run.folder.path / "log.jsonl").read_text().splitlines()]


def test_a_run_reports_checks_and_saves_at_its_end(tmp_path):
    run = Line(tmp_path, 6, check=lambda model: {"weight": float(model.weight.detach())})
    run.run(report_every=3)
    reports, (check,) = log_of(run)[:-1], log_of(run)[-1:]
    assert [report["step"] for report in reports] == [3, 6]
    assert set(reports[0]) == {"step", "minutes", "cpu", "loss", "norm"}
    assert set(check["check"]) == {"weight"}
    assert run.shipped == 1
    assert run.folder.checkpoint.is_file()


def test_a_report_on_steps_without_figures_is_a_line_without_figures(tmp_path):
    run = Line(tmp_path, 1)
    run.run(report_every=1)
    assert set(log_of(run)[0]) == {"step", "minutes", "cpu"}


def test_a_run_in_two_parts_ends_as_one_in_one_piece(tmp_path):
    whole, first = Line(tmp_path / "whole", 9), Line(tmp_path / "parts", 4)
    whole.run()
    first.run()
    second = Line(tmp_path / "parts", 9)
    assert second.resume()
    second.run()
    assert (second.step, second.pool.drawn) == (9, 9)
    assert torch.equal(whole.model.weight, second.model.weight)
    assert torch.equal(whole.average.state["weight"], second.average.state["weight"])


def test_a_folder_without_a_checkpoint_begins_afresh(tmp_path):
    assert not Line(tmp_path, 1).resume()
