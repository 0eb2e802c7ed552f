"""Merged weights answer as base and adapter do; the base's files stay as they are."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

import segue
import tiny_chats
from builders import an_image
from finetune.conftest import small_recipe
from segue.assistant.loading import load_stage
from segue.errors import InputError, ModelError
from segue.finetune.merge import _load_base, merge
from segue.finetune.train import finetune
from segue.models.qwen_vl import load
from segue.values.message import Message
from tiny_qwen_vl import a_processor


@pytest.fixture(scope="module")
def adapter(base, data, tmp_path_factory):
    output = tmp_path_factory.mktemp("adapter") / "run"
    return finetune(small_recipe(base, data, output, max_steps=6, train_vision="merger"))


def logits(model):
    processor = a_processor()
    batch = processor.batch([processor.chat([Message("user", "Segment the dog.", (an_image(),))])])
    with torch.no_grad():
        return model(**batch).logits


def test_merged_weights_give_the_logits_of_base_and_adapter(adapter, base, tmp_path) -> None:
    target = merge(adapter, tmp_path / "merged")
    adapted = PeftModel.from_pretrained(load(base)[0], str(adapter)).eval()
    together, merged = logits(adapted), logits(load(target)[0])
    assert (logits(load(base)[0]) - merged).abs().max() > 1e-2
    assert (together - merged).abs().max() < 1e-5
    for file in ("config.json", "generation_config.json", "qwen.tiktoken"):
        assert (target / file).read_bytes() == (base / file).read_bytes()


def test_an_adapter_is_loaded_beside_its_base_and_alone(adapter, base, tmp_path) -> None:
    merged = load_stage("chat", merge(adapter.parent, tmp_path / "merged"), device="cpu")
    for source in (f"{base}+{adapter}", f"{base}+{adapter.parent}", str(adapter)):
        chat = segue.load(chat=source, detect=None, segment=None, device="cpu").chat
        assert chat.name == source
        assert (logits(chat.model) - logits(merged.model)).abs().max() < 1e-5


def test_what_is_there_is_not_overwritten(adapter, tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    with pytest.raises(InputError, match="is not empty"):
        merge(adapter, tmp_path / "full")


def test_an_adapter_of_another_model_is_refused(adapter, base) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        load_stage("chat", f"embedded-chat+{adapter}", device="cpu")
    with pytest.raises(InputError, match=r"adapter_config\.json"):
        load_stage("chat", f"{base}+{base}", device="cpu")


def test_what_stands_in_the_way_of_merging_is_said(adapter, base, tmp_path) -> None:
    adapter = shutil.copytree(adapter, tmp_path / "adapter")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot write .*file/x"):
        merge(adapter, tmp_path / "file" / "x")
    with pytest.raises(InputError, match="dtype must be .*'int8'"):
        merge(adapter, tmp_path / "merged", dtype="int8")
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace(str(base), str(tmp_path / "moved")))
    with pytest.raises(ModelError, match=r"not where it was.*moved.*--base FOLDER"):
        merge(adapter, tmp_path / "merged")
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:99])
    with pytest.raises(ModelError, match="is damaged or cut off"):
        merge(adapter, tmp_path / "merged", base=str(base))
    weights.unlink()
    with pytest.raises(ModelError, match=r"but no adapter_model\.safetensors"):
        merge(adapter, tmp_path / "merged", base=str(base))
    left = [path.name for path in tmp_path.iterdir() if "merged" in path.name]
    assert left == []


def test_the_number_format_can_be_chosen(adapter, base, tmp_path) -> None:
    target = merge(adapter, tmp_path / "half", dtype="float16")
    assert json.loads((target / "config.json").read_text())["torch_dtype"] == "float16"
    small, large = ((f / "model.safetensors").stat().st_size for f in (target, base))
    assert small < 0.6 * large


def test_an_adapter_with_a_gap_is_refused_by_name(adapter, base, tmp_path) -> None:
    broken = shutil.copytree(adapter, tmp_path / "adapter")
    tensors = load_file(broken / "adapter_model.safetensors")
    name = next(iter(tensors))
    rest = {key: value for key, value in tensors.items() if key != name}
    save_file(rest, broken / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"it lacks 1 tensors \('base_model.*lora_A"):
        load_stage("chat", f"{base}+{broken}", device="cpu")
    extra = {**tensors, name.replace(".0.", ".9."): tensors[name].clone()}
    save_file(extra, broken / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"without a place for them, 1 tensors \(.*\.9\."):
        load_stage("chat", f"{base}+{broken}", device="cpu")


def test_a_base_with_a_gap_is_not_merged(tmp_path) -> None:
    base = tiny_chats.tiny_qwen2_5_vl(tmp_path / "base")
    tensors = load_file(base / "model.safetensors")
    rest = {key: value for key, value in tensors.items() if key != "lm_head.weight"}
    save_file(rest, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="'lm_head.weight'"):
        _load_base(base, None)
