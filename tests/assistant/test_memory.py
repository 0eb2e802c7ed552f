"""Whether models fit, told before they are loaded."""

import json
import struct

import pytest

import segue
import tiny_chats
from segue.assistant.loading import find_stage, load_stage
from segue.assistant.memory import FoundStage, check_memory, does_not_fit, tight_notice
from segue.errors import InputError, ModelError
from segue.runtime.memory_need import MemoryNeed

TERABYTES = 10 * 10**12


@pytest.fixture(scope="module")
def giant(tmp_path_factory):
    """A folder whose header tells of more weights than any machine holds; none are there."""
    folder = tiny_chats.tiny_qwen2_5_vl(tmp_path_factory.mktemp("giant"))
    entry = {"dtype": "BF16", "shape": [TERABYTES // 2], "data_offsets": [0, TERABYTES]}
    header = json.dumps({"model.language_model.layers.0.up.weight": entry}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return folder


def test_what_does_not_fit_is_refused_before_it_is_loaded(giant):
    with pytest.raises(ModelError, match="need about 20000.0 GB on cpu .* so nothing was loaded"):
        load_stage("chat", str(giant), device="cpu")
    with pytest.raises(ModelError, match="need about 10000.0 GB on cpu"):
        load_stage("chat", str(giant), device="cpu", dtype="bfloat16")
    with pytest.raises(ModelError, match=r"What fits: the preset .*check_memory=no") as error:
        segue.load(chat=f"{giant}?dtype=bfloat16", detect=None, segment=None, device="cpu")
    assert "dtype" not in str(error.value)  # which it has already


def test_the_check_can_be_left_out(giant):
    with pytest.raises(ModelError, match="could not be loaded as a model"):
        load_stage("chat", f"{giant}?check_memory=no", device="cpu")
    with pytest.raises(InputError, match="check_memory must be yes or no, got 'perhaps'"):
        load_stage("chat", f"{giant}?check_memory=perhaps", device="cpu")


def test_who_says_what_each_device_holds_is_believed(giant):
    stage = find_stage("chat", f"{giant}?device_map=auto&max_memory=cpu:1GB", device="cpu")
    check_memory([stage])


def test_options_that_stand_behind_a_model_change_what_it_needs(tmp_path):
    folder = tiny_chats.tiny_qwen2_5_vl(tmp_path)

    def need(options: str) -> MemoryNeed:
        stage = find_stage("chat", f"{folder}{options}", device="cpu")
        assert isinstance(stage, FoundStage)
        return stage.need(4, "cpu", (0, 0))

    assert need("?context=1024").cache * 2 == need("?context=2048").cache
    assert need("?quantize=4bit").weights < need("").weights
    with pytest.raises(InputError, match="context must be a number of tokens"):
        load_stage("chat", f"{folder}?context=long", device="cpu")


def test_the_sentences_name_need_and_room():
    need = MemoryNeed(weights=8_000_000_000, cache=1_000_000_000, work=500_000_000)
    assert "9.5 GB on cuda:1, where 10.0 GB are free" in tight_notice(need, "cuda:1", 10**10)
    alone = does_not_fit(need, "cpu", 10**9, [], has_chat=False)
    assert alone.endswith("Free some, or use another device.")
