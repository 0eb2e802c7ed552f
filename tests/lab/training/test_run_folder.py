"""The files of a training run."""

import json

import pytest

from lab.training.run_folder import TrainingFolder
from segue.errors import ModelError


def test_checkpoints_replace_one_another_and_leave_nothing_behind(tmp_path):
    folder = TrainingFolder(tmp_path / "run")
    assert folder.load() is None
    folder.save({"step": 1})
    folder.save({"step": 2})
    assert folder.load() == {"step": 2}
    assert [p.name for p in folder.path.iterdir()] == ["checkpoint.pt"]


def test_a_broken_checkpoint_is_named_and_explained(tmp_path):
    folder = TrainingFolder(tmp_path)
    folder.checkpoint.write_bytes(b"half a file")
    with pytest.raises(ModelError, match=r"checkpoint\.pt.*Delete it"):
        folder.load()


def test_the_log_is_one_object_a_line(tmp_path):
    folder = TrainingFolder(tmp_path)
    folder.log(step=1, loss=0.1234567)
    folder.log(step=2)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 0.12346}, {"step": 2}]
