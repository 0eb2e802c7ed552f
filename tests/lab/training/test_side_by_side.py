"""Several trainings at once."""

import json

import pytest

from lab.training.side_by_side import last_figures, train_side_by_side
from segue.errors import ModelError


def test_what_each_says_is_kept_and_a_failure_stops_all(tmp_path):
    lines: list[str] = []
    train_side_by_side({"help": ["--help"]}, tmp_path, lines.append)
    assert "train" in (tmp_path / "help.txt").read_text()
    with pytest.raises(ModelError, match=r"training of the nose ended with code 2.*nose\.txt"):
        train_side_by_side(
            {"nose": ["train", "nose"], "help": ["train", "--help"]}, tmp_path, lines.append
        )


def test_the_last_figures_are_those_of_the_newest_log(tmp_path):
    assert last_figures(tmp_path) == "no step yet"
    rows = [
        {"event": "started", "step": 0},
        {"step": 25, "loss": 1.23456},
        {"step": 30, "check": 1},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert last_figures(tmp_path) == "step 25, loss 1.235"
