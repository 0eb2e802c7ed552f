"""Weights that come quantised, by machine."""

import json

import pytest

from segue.errors import InputError, MissingExtra, ModelError
from segue.runtime.weights.headers import StoredTensor
from segue.runtime.weights.need import weight_bytes
from segue.runtime.weights.quantization import (
    METHODS,
    dense_values,
    is_made_dense,
    obstacle,
    require_runnable,
    stored_quantization,
)

ADA, AMPERE, NONE = (8, 9), (8, 0), (0, 0)


def a_folder(tmp_path, method, **settings):
    config = {"model_type": "x", "quantization_config": {"quant_method": method, **settings}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def everything(module: str) -> bool:
    return True


def nothing(module: str) -> bool:
    return False


def test_plain_weights_need_nothing(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    assert stored_quantization(tmp_path) is None
    assert require_runnable(tmp_path, "cpu", is_installed=nothing, quantize="4bit") is None


@pytest.mark.parametrize(
    ("method", "kind", "capability", "packages"),
    [
        ("gptq", "cuda", ADA, "gptqmodel optimum"),
        ("awq", "cpu", NONE, "gptqmodel accelerate"),
        ("auto-round", "cuda", AMPERE, "auto-round"),
        ("compressed-tensors", "mps", NONE, "compressed-tensors"),
        ("bitsandbytes", "cpu", NONE, "bitsandbytes accelerate"),
        ("fp8", "cuda", ADA, "accelerate kernels"),
        ("fp8", "cuda", AMPERE, "accelerate"),  # made dense: no kernels of FP8
        ("fp8", "cpu", NONE, "accelerate"),
        ("fp8", "mps", NONE, "accelerate"),
    ],
)
def test_missing_packages_are_all_named_with_the_command(
    tmp_path, method, kind, capability, packages
):
    folder = a_folder(tmp_path, method)
    with pytest.raises(MissingExtra, match=f"Run: pip install {packages}$"):
        require_runnable(folder, kind, capability, is_installed=nothing)
    assert require_runnable(folder, kind, capability, is_installed=everything) == method


@pytest.mark.parametrize(
    ("method", "kind", "capability", "needed"),
    [
        ("gptq", "mps", NONE, "an NVIDIA GPU or a processor, got mps"),
        ("bitsandbytes", "mps", NONE, "an NVIDIA GPU or a processor, got mps"),
        ("fbgemm_fp8", "cuda", ADA, r"capability 9.0 or more, got cuda of capability 8.9"),
        ("fbgemm_fp8", "cpu", NONE, r"an NVIDIA GPU of compute capability 9.0 or more, got cpu"),
    ],
)
def test_a_device_that_cannot_run_them_is_told_what_could(
    tmp_path, method, kind, capability, needed
):
    folder = a_folder(tmp_path, method)
    with pytest.raises(ModelError, match=needed):
        require_runnable(folder, kind, capability, is_installed=everything)


@pytest.mark.parametrize("method", [*METHODS, "mxfp4"])
def test_what_is_quantised_is_not_quantised_again(tmp_path, method):
    folder = a_folder(tmp_path, method)
    with pytest.raises(InputError, match=r"quantised already .*Leave \?quantize= out"):
        require_runnable(folder, "cuda", ADA, quantize="4bit", is_installed=everything)


def test_methods_that_are_not_listed_are_left_to_transformers(tmp_path):
    assert require_runnable(a_folder(tmp_path, "mxfp4"), "cpu", is_installed=nothing) == "mxfp4"


@pytest.mark.parametrize("stated", [{"bits": 4}, {"quant_method": 3}, "fp8", [1], []])
def test_a_configuration_that_does_not_say_how_is_refused(tmp_path, stated):
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": stated}))
    with pytest.raises(ModelError, match="must name a quant_method"):
        stored_quantization(tmp_path)


def test_older_folders_of_bitsandbytes_are_known(tmp_path):
    (tmp_path / "config.json").write_text('{"quantization_config": {"load_in_4bit": true}}')
    assert stored_quantization(tmp_path)["quant_method"] == "bitsandbytes"


def test_a_quantisation_of_the_text_part_counts(tmp_path):
    inner = {"text_config": {"quantization_config": {"quant_method": "awq"}}}
    (tmp_path / "config.json").write_text(json.dumps(inner))
    assert stored_quantization(tmp_path)["quant_method"] == "awq"


def test_what_is_made_dense_takes_the_memory_of_plain_numbers():
    fp8 = StoredTensor("up.weight", "F8_E4M3", (64, 64), 4096)
    packed = StoredTensor("up.weight_packed", "I32", (64, 8), 2048)
    groups = {"config_groups": {"group_0": {"weights": {"num_bits": 4}}}}
    assert weight_bytes([fp8], 2) == 4096
    assert weight_bytes([fp8], 2, made_dense={}) == 8192
    assert dense_values(packed, groups) == 64 * 64
    assert weight_bytes([packed], 2, made_dense=groups) == 8192
    assert not is_made_dense("fp8", "cuda", ADA)
    assert is_made_dense("fp8", "cuda", AMPERE)
    assert is_made_dense("compressed-tensors", "cuda", ADA)
    assert not is_made_dense("gptq", "cuda", ADA)


def test_the_obstacles_of_a_machine_can_be_listed():
    assert obstacle("fbgemm_fp8", "cpu") == "an NVIDIA GPU of compute capability 9.0 or more"
    assert all(text is None or text for text in (obstacle(name, "cpu") for name in METHODS))


def test_a_way_that_transformers_does_not_know_is_refused(tmp_path):
    config = {"quantization_config": {"quant_method": "nonsense"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="does not know: 'nonsense'"):
        require_runnable(tmp_path, "cpu")
