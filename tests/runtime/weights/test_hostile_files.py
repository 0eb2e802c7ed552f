"""Folders of models are by strangers: nothing in them runs, and nobody is asked whether it may."""

import ast
import contextlib
import io
import json
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

import tiny_chats
import tiny_models
from segue.assistant.loading import load_stage
from segue.chat.adapter import attach, base_of
from segue.errors import ModelError, SegueError

SOURCE = Path(__file__).parents[3] / "src"


def calls_of_from_pretrained():
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "from_pretrained" in ast.unparse(node.func)[-15:]:
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", node


def test_every_from_pretrained_refuses_remote_code():
    found = dict(calls_of_from_pretrained())
    assert len(found) >= 10
    for place, call in found.items():
        stated = [one.value for one in call.keywords if one.arg == "trust_remote_code"]
        assert [getattr(value, "value", None) for value in stated] == [False], place


def test_every_checkpoint_is_read_as_weights_only():
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                options = {one.arg: ast.unparse(one.value) for one in node.keywords}
                assert options.get("weights_only") == "True", f"{file}:{node.lineno}"


class Touches:
    """Unpickled carelessly, makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


@pytest.fixture
def marker(tmp_path) -> Path:
    """Would exist if something ran."""
    return tmp_path / "RAN"


@pytest.fixture
def says_yes(monkeypatch):
    """A person at the keyboard who agrees to everything, and notes that somebody asked."""
    typed = io.StringIO("y\n" * 50)
    monkeypatch.setattr(sys, "stdin", typed)
    return typed


def code_beside(folder: Path, marker: Path) -> None:
    """A module that makes a file when it is imported, and settings that point at it."""
    (folder / "evil.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import PretrainedConfig\n"
        "class C(PretrainedConfig):\n    model_type = 'evil'\n"
    )
    for name, classes in {
        "config.json": {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.C",
                        "AutoModel": "evil.C"},
        "preprocessor_config.json": {"AutoImageProcessor": "evil.C", "AutoProcessor": "evil.C"},
        "processor_config.json": {"AutoProcessor": "evil.C"},
        "tokenizer_config.json": {"AutoTokenizer": ["evil.C", "evil.C"]},
    }.items():  # fmt: skip
        file = folder / name
        value = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps({**value, "auto_map": classes}))


KINDS = {
    "chat": ("chat", tiny_chats.tiny_qwen2_5_vl),
    "chat with a processor": ("chat", tiny_chats.tiny_llava),
    "detector": ("detect", tiny_models.tiny_grounding_dino),
    "another detector": ("detect", tiny_models.tiny_owlv2),
    "segmenter": ("segment", tiny_models.tiny_sam),
    "another segmenter": ("segment", tiny_models.tiny_sam2),
}


@pytest.mark.parametrize("unknown", [False, True], ids=["known type", "type of its own"])
@pytest.mark.parametrize("kind", KINDS)
def test_code_in_a_models_folder_is_never_run_nor_asked_about(
    tmp_path, marker, says_yes, kind, unknown
):
    stage, make = KINDS[kind]
    folder = tmp_path / "model"
    folder.mkdir()
    folder = make(folder) or folder
    code_beside(folder, marker)
    if unknown:
        for name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
            value = json.loads((folder / name).read_text())
            changed = {"model_type": "evil", "tokenizer_class": "Evil", "processor_class": "Evil",
                       "image_processor_type": "Evil"}  # fmt: skip
            (folder / name).write_text(json.dumps({**value, **changed}))
    with contextlib.suppress(SegueError):
        load_stage(stage, folder, device="cpu")
    assert not marker.exists()
    assert says_yes.tell() == 0  # nobody read an answer


@pytest.mark.parametrize("kind", ["chat", "detector", "segmenter"])
def test_a_pickled_checkpoint_is_refused_where_it_would_run(tmp_path, marker, kind):
    stage, make = KINDS[kind]
    folder = tmp_path / "model"
    folder.mkdir()
    folder = make(folder) or folder
    for file in folder.glob("*.safetensors"):
        file.unlink()
    torch.save({"a": Touches(marker)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError):
        load_stage(stage, folder, device="cpu")
    assert not marker.exists()
    pickle.loads(pickle.dumps(Touches(marker)))  # the pickle is one that works
    assert marker.exists()


@pytest.mark.parametrize("stage", ["detect", "segment"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt"])
def test_a_single_file_that_holds_code_is_refused(tmp_path, marker, stage, suffix):
    file = tmp_path / f"weights{suffix}"
    torch.save({"model": Touches(marker)}, file)
    with pytest.raises(ModelError):
        load_stage(stage, file, device="cpu")
    assert not marker.exists()


def adapter(folder: Path, **config) -> Path:
    folder.mkdir(exist_ok=True)
    values = {"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"],
              "base_model_name_or_path": "x/y", **config}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    "base",
    ["openai:spy@http://127.0.0.1:9/v1", "http://127.0.0.1:9/model.pth", "https://a/b.pth",
     "scripted:x.json", "qwen_vl:x", "x/y?quantize=4bit", "", None, 3, ["x"]],
)  # fmt: skip
def test_an_adapter_names_a_base_and_no_address(tmp_path, base):
    """An endpoint would be sent the pictures of whoever loads the adapter."""
    with pytest.raises(ModelError, match="base"):
        base_of(adapter(tmp_path, base_model_name_or_path=base))
    assert base_of(adapter(tmp_path)) == "x/y"


def test_an_adapter_whose_base_is_itself_is_refused(tmp_path):
    folder = adapter(tmp_path / "a", base_model_name_or_path=str(tmp_path / "a"))
    with pytest.raises(ModelError, match="adapter"):
        load_stage("chat", folder)


@pytest.mark.parametrize(
    "config",
    [
        {"megatron_config": {"tensor_model_parallel_size": 1}, "megatron_core": "evil_module"},
        {"loftq_config": {"loftq_bits": 4}},
        {"eva_config": {}, "peft_type": "LOHA"},
        {"peft_type": "PROMPT_TUNING", "tokenizer_name_or_path": "x/y"},
        {"peft_type": None},
    ],
)
def test_settings_of_an_adapter_that_import_or_fetch_are_refused(
    tmp_path, marker, monkeypatch, config
):
    (tmp_path / "evil_module.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = adapter(tmp_path / "adapter", **config)
    (folder / "adapter_model.safetensors").write_bytes(b"")
    network = torch.nn.Sequential()
    network.add_module("q_proj", torch.nn.Linear(2, 2))
    with pytest.raises(ModelError):
        attach(network, folder)
    assert not marker.exists()


def test_a_pickled_adapter_is_refused(tmp_path, marker):
    pytest.importorskip("peft")
    folder = adapter(tmp_path / "adapter")
    torch.save({"base_model.model.q_proj.lora_A.weight": Touches(marker)},
               folder / "adapter_model.bin")  # fmt: skip
    network = torch.nn.Sequential()
    network.add_module("q_proj", torch.nn.Linear(2, 2))
    with pytest.raises(ModelError):
        attach(network, folder)
    assert not marker.exists()


def test_a_tokenizer_that_pads_without_end_does_not(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    tiny_chats.tiny_qwen2_5_vl(folder)
    file = folder / "tokenizer.json"
    value = json.loads(file.read_text())
    value["padding"] = {"strategy": {"Fixed": 2_000_000_000}, "direction": "Right", "pad_id": 0,
                        "pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": "x"}  # fmt: skip
    value["truncation"] = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst",
                           "stride": 0}  # fmt: skip
    file.write_text(json.dumps(value))
    chat = load_stage("chat", folder, device="cpu")
    assert len(chat.processor.tokenizer("some words")["input_ids"]) == len("some words")
