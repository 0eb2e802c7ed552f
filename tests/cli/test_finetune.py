"""`segue finetune` and `segue merge` from the outside."""

import json

import pytest

from segue.models.qwen_vl import save
from small_lessons import write_conversations
from tiny_qwen_vl import a_model, a_processor


@pytest.fixture
def recipe(tmp_path):
    save(a_model(), a_processor(chat_format="chatml"), tmp_path / "base")
    data = write_conversations(tmp_path, 4)
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'base = "{tmp_path}/base"\ndata = "{data}"\nvalidation = "{data}"\n'
        f'output = "{tmp_path}/run"\ndevice = "cpu"\nlora_r = 2\nmax_steps = 2\n'
        "gradient_accumulation_steps = 1\neval_max_new_tokens = 4\neval_questions = 2\n"
    )
    return path


def test_it_trains_merges_and_says_what_next(run, recipe, tmp_path) -> None:
    done = run("finetune", recipe, "--set", "seed=3")
    assert f"{tmp_path}/run/adapter" in done.out.replace("\n", "")
    assert "train: 4 of 4 dialogues" in done.out
    assert "step 0: " in done.out
    assert "tag-valid rate 0.000" in done.out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["seed"] == 3
    again = run("finetune", recipe, "--set", "seed=3", "--json", "-")
    assert json.loads(again.out) == {"weights": f"{tmp_path}/run/adapter", "method": "lora"}
    merged = run("merge", tmp_path / "run", "--out", tmp_path / "merged", "--json", "-")
    assert json.loads(merged.out) == {"model": f"{tmp_path}/merged"}
    assert (tmp_path / "merged" / "model.safetensors").exists()


def test_it_looks_before_it_trains(run, recipe, tmp_path) -> None:
    found = json.loads(run("finetune", recipe, "--preflight", "--json", "-").out)
    assert found["train"]["kept"] == 4
    assert found["optimiser steps"] == 2
    shown = run("finetune", recipe, "--preflight").out
    assert "4 of 4 dialogues" in shown
    assert "estimated memory in GB: weights" in shown
    assert not (tmp_path / "run" / "run.json").exists()
    (tmp_path / "file").touch()
    failed = run("finetune", recipe, "--preflight", "--set", f"output={tmp_path}/file")
    assert (failed.code, "Cannot write" in failed.err) == (2, True)


def test_a_typo_in_a_setting_is_an_error_with_a_hint(run, recipe) -> None:
    failed = run("finetune", recipe, "--set", "epoch=3")
    assert failed.code == 2
    assert "Did you mean 'epochs'?" in failed.err
