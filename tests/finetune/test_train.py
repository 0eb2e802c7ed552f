"""Fine-tuning in miniature: what learns, what is kept, and that a killed run resumes exactly."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from segue.errors import InputError, MissingExtra
from segue.finetune.train import finetune, prepare_network
from segue.finetune.trainable_models import load_trainable_model
from segue.models.qwen_vl import save
from small_lessons import write_conversations
from tiny_qwen_vl import a_model, a_processor

ROOT = Path(__file__).parents[2]


def adapter_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def logged(folder: str, key: str = "loss") -> list[float]:
    lines = (Path(folder) / "log.jsonl").read_text().splitlines()
    return [row[key] for row in map(json.loads, lines) if key in row]


def test_an_adapter_learns_and_the_base_stays(a_recipe, base) -> None:
    before = (base / "model.safetensors").read_bytes()
    recipe = a_recipe(max_steps=12)
    learned = adapter_of(finetune(recipe, command=["segue", "finetune"]))
    assert (base / "model.safetensors").read_bytes() == before
    assert any(value.abs().sum() > 0 for name, value in learned.items() if "lora_B" in name)
    assert all("visual" not in name for name in learned)
    losses = logged(recipe.output)
    assert losses[-1] < 0.8 * losses[0]
    record = json.loads((Path(recipe.output) / "run.json").read_text())
    assert record["steps"] == 12
    assert record["command"] == ["segue", "finetune"]
    assert record["data"]["train"]["kept"] == 12
    assert {"segue", "torch", "transformers", "peft"} <= set(record["versions"])
    assert record["recipe"]["lora_r"] == 4


def test_small_batches_accumulate_to_the_same_gradients(a_recipe, tmp_path) -> None:
    whole = a_recipe(batch_size=4, max_steps=2, output=str(tmp_path / "whole"), lora_dropout=0.0)
    parts = a_recipe(
        batch_size=1, gradient_accumulation_steps=4, max_steps=2, output=str(tmp_path / "parts"),
        lora_dropout=0.0,
    )  # fmt: skip
    first, second = adapter_of(finetune(whole)), adapter_of(finetune(parts))
    for key in ("loss", "grad_norm"):
        pairs = zip(logged(whole.output, key), logged(parts.output, key), strict=True)
        assert all(one == pytest.approx(other, rel=1e-4) for one, other in pairs)
    for name, value in first.items():
        assert torch.allclose(value, second[name], atol=2e-4), name


def test_checkpointing_of_activations_changes_nothing(a_recipe, tmp_path) -> None:
    results = [
        adapter_of(finetune(a_recipe(gradient_checkpointing=on, output=str(tmp_path / str(on)))))
        for on in (True, False)
    ]
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-6), name


KILLED = """
import json, os, signal, sys
from segue.finetune.recipe import make_recipe
from segue.finetune.train import finetune, prepare_network

def stop_at_step_5(line):
    if line["step"] == 5 and "loss" in line:
        os.kill(os.getpid(), signal.SIGKILL)

finetune(make_recipe(json.loads(sys.argv[1])), listener=stop_at_step_5)
"""


def test_a_killed_run_resumes_exactly(a_recipe, tmp_path) -> None:
    straight = a_recipe(max_steps=6, output=str(tmp_path / "straight"))
    broken = a_recipe(max_steps=6, output=str(tmp_path / "broken"))
    unbroken = adapter_of(finetune(straight))
    values = {k: v for k, v in broken.to_json().items() if v is not None}
    died = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(values)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    half_written = tmp_path / "broken" / "checkpoints" / "checkpoint-6"
    half_written.mkdir()
    (half_written / "adapter_model.safetensors").write_bytes(b"cut off")
    resumed = adapter_of(finetune(broken))
    assert logged(broken.output) == logged(straight.output)
    for name, value in unbroken.items():
        assert torch.equal(value, resumed[name]), name


def test_a_run_is_not_resumed_with_other_data_or_another_lora(a_recipe, tmp_path) -> None:
    finetune(a_recipe())
    with pytest.raises(InputError, match=r"lora_r: 4 -> 8.*--fresh"):
        finetune(a_recipe(lora_r=8))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="data: "):
        finetune(a_recipe(data=str(write_conversations(other, 5))))
    assert finetune(a_recipe(lora_r=8), fresh=True).name == "adapter"


def test_it_is_measured_by_answering_while_it_learns(a_recipe, data) -> None:
    recipe = a_recipe(validation=str(data), eval_steps=2, eval_questions=3, eval_max_new_tokens=4)
    log_lines = []
    finetune(recipe, listener=log_lines.append)
    tried = [line for line in log_lines if "tag-valid rate" in line]
    assert [line["step"] for line in tried] == [0, 2, 4]
    assert tried[0]["tag-valid rate"] == 0.0
    assert tried[0]["over-trigger rate"] == 0.0
    assert len(logged(recipe.output, "eval_loss")) == 3


@pytest.mark.parametrize("vision", ["merger", "lora", "full"])
def test_the_vision_side_learns_when_asked(a_recipe, vision) -> None:
    learned = adapter_of(finetune(a_recipe(train_vision=vision, max_steps=1)))
    seeing = [name for name in learned if "visual" in name]
    assert seeing
    assert all(("lora_" in name) == (vision == "lora") for name in seeing)


def test_all_weights_learn_with_full(a_recipe, base) -> None:
    target = finetune(a_recipe(method="full", max_steps=1, learning_rate=1e-3))
    before, after = load_file(base / "model.safetensors"), load_file(target / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if ".visual." not in name}
    assert (target / "qwen.tiktoken").read_bytes() == (base / "qwen.tiktoken").read_bytes()


def test_the_language_model_can_be_frozen_in_four_bits(a_recipe) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="needs the 'quantize' extra")
    recipe = a_recipe(method="qlora", max_steps=2)
    network = prepare_network(recipe, load_trainable_model(recipe))
    small = [n for n, m in network.named_modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(small) == 2 * 5
    assert not any("visual" in name or "lm_head" in name for name in small)
    learned = adapter_of(finetune(recipe))
    assert any(value.abs().sum() > 0 for name, value in learned.items() if "lora_B" in name)


def test_what_is_not_installed_is_named(a_recipe, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match=r"pip install 'segue\[quantize\]'"):
        finetune(a_recipe(method="qlora"))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"pip install 'segue\[finetune\]'"):
        finetune(a_recipe(), fresh=True)


def test_layers_that_the_model_does_not_have_are_refused(a_recipe) -> None:
    with pytest.raises(InputError, match=r"got q_proj\. Layers it has include: .*c_attn"):
        finetune(a_recipe(lora_targets=["q_proj"]))
    with pytest.raises(InputError, match="min_pixels and max_pixels have no meaning"):
        finetune(a_recipe(max_pixels=1000))


def test_tied_embeddings_are_not_trained_beside_lora(a_recipe, tmp_path) -> None:
    save(a_model(tie_word_embeddings=True), a_processor(), tmp_path / "tied")
    with pytest.raises(InputError, match="ties its embeddings to the vocabulary head"):
        finetune(a_recipe(base=str(tmp_path / "tied"), train_embeddings=True))
    learned = adapter_of(finetune(a_recipe(train_embeddings=True, max_steps=1), fresh=True))
    assert {name.split(".")[-2] for name in learned if "lora_" not in name} == {"wte", "lm_head"}


def test_a_finished_run_is_left_as_it_is(a_recipe) -> None:
    recipe = a_recipe(max_steps=2)
    target = finetune(recipe)
    files = [target / "adapter_model.safetensors", Path(recipe.output) / "run.json"]
    before = [path.read_bytes() for path in files]
    log_lines: list = []
    assert finetune(recipe, listener=log_lines.append) == target
    assert log_lines == []
    assert [path.read_bytes() for path in files] == before
    # Killed between the last checkpoint and the result: written from the checkpoint, no step more.
    files[0].unlink()
    record = json.loads(files[1].read_text())
    record.pop("finished")
    files[1].write_text(json.dumps(record))
    finetune(recipe, listener=log_lines.append)
    assert files[0].read_bytes() == before[0]
    assert json.loads(files[1].read_text())["steps"] == 2
    assert log_lines == []


def test_checkpoints_without_a_run_record_are_not_resumed(a_recipe) -> None:
    recipe = a_recipe(max_steps=2)
    finetune(recipe)
    record = Path(recipe.output) / "run.json"
    for damage in (lambda: record.write_text('{"fix'), record.unlink):
        damage()
        with pytest.raises(
            InputError, match=r"run\.json does not say which run they belong to.*--fresh"
        ):
            finetune(recipe)
    assert sorted(p.name for p in (Path(recipe.output) / "checkpoints").iterdir()) == [
        "checkpoint-2"
    ]


def test_a_full_disk_is_an_input_error_and_the_run_resumes(a_recipe) -> None:
    recipe = a_recipe(max_steps=2, save_steps=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))  # no file may be longer
    try:
        with pytest.raises(InputError, match=r"can no longer be written: .*the same command"):
            finetune(recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (finetune(recipe) / "adapter_model.safetensors").exists()
    Path(recipe.output).with_name("file").touch()
    with pytest.raises(InputError, match="Cannot write into the folder"):
        finetune(a_recipe(output=str(Path(recipe.output).with_name("file"))))


def test_a_damaged_picture_is_named_also_by_a_process_that_reads_ahead(a_recipe, tmp_path) -> None:
    data = write_conversations(tmp_path, 3)
    picture = tmp_path / "1.png"
    picture.write_bytes(picture.read_bytes()[:60])
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"1\.png is damaged .*dialogue 'r1'") as raised:
            finetune(a_recipe(data=str(data), workers=workers), fresh=True)
        assert "Traceback" not in str(raised.value)


def test_a_base_must_be_a_full_model(a_recipe, tmp_path) -> None:
    adapter = tmp_path / "run" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    for base in (str(adapter), str(adapter.parent), f"qwen-vl-chat+{adapter}"):
        with pytest.raises(InputError, match="must be a full model.*Merge it first: segue merge"):
            load_trainable_model(a_recipe(base=base))
    with pytest.raises(InputError, match=r"no base 'qwen-vl-cat'.*Did you mean 'qwen-vl-chat'"):
        load_trainable_model(a_recipe(base="qwen-vl-cat"))
