"""A run is resumed from files that somebody else may have changed: none of them runs code."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from segue.errors import ModelError
from segue.finetune.checkpoints import mark_complete
from segue.finetune.train import finetune


class Touches:
    """Unpickled carelessly, makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


@pytest.fixture(scope="module")
def stopped(base, data, tmp_path_factory) -> Path:
    """The folder of a run that was stopped after its second step."""
    from finetune.conftest import small_recipe

    output = tmp_path_factory.mktemp("stopped") / "run"
    finetune(small_recipe(base, data, output))
    shutil.rmtree(output / "adapter")
    shutil.rmtree(output / "checkpoints" / "checkpoint-4")
    record = json.loads((output / "run.json").read_text())
    del record["finished"]
    (output / "run.json").write_text(json.dumps(record))
    return output


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_poisoned_state_of_a_resumed_run_is_refused(a_recipe, stopped, tmp_path, name):
    marker = tmp_path / "RAN"
    recipe = a_recipe()
    shutil.copytree(stopped, recipe.output)
    checkpoint = Path(recipe.output) / "checkpoints" / "checkpoint-2"
    assert (checkpoint / name).is_file()
    torch.save({"state": Touches(marker), "param_groups": []}, checkpoint / name)
    mark_complete(checkpoint)
    with pytest.raises(ModelError, match="checkpoint-2 holds more than numbers"):
        finetune(recipe)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Touches(marker)))  # the pickle is one that works
    assert marker.exists()


def test_poisoned_arguments_of_a_resumed_run_are_not_read(a_recipe, stopped, tmp_path):
    marker = tmp_path / "RAN"
    recipe = a_recipe()
    shutil.copytree(stopped, recipe.output)
    checkpoint = Path(recipe.output) / "checkpoints" / "checkpoint-2"
    torch.save(Touches(marker), checkpoint / "training_args.bin")
    mark_complete(checkpoint)
    assert (finetune(recipe) / "adapter_model.safetensors").is_file()
    assert not marker.exists()
