"""A Qwen-VL of random weights in a folder, and recipes for it."""

from functools import partial
from pathlib import Path

import pytest

from segue.finetune.recipe import Recipe, make_recipe
from segue.models.qwen_vl import save
from small_lessons import write_conversations
from tiny_qwen_vl import a_model, a_processor


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    save(a_model(), a_processor(chat_format="chatml", max_new_tokens=8), folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_conversations(tmp_path_factory.mktemp("data"), 12)


def small_recipe(base: Path, data: Path, output: Path, /, **changes: object) -> Recipe:
    """A recipe of a few steps for the tiny model."""
    values = {
        "base": str(base), "data": str(data), "output": str(output), "device": "cpu",
        "lora_r": 4, "max_steps": 4, "batch_size": 2, "gradient_accumulation_steps": 1,
        "learning_rate": 1e-2, "save_steps": 2, "warmup": 0.0,
    }  # fmt: skip
    return make_recipe(values | changes)


@pytest.fixture
def a_recipe(base: Path, data: Path, tmp_path: Path):
    """Makes recipes for the tiny model."""
    return partial(small_recipe, base, data, tmp_path / "run")
