"""Whether presets fit a machine."""

import pytest

from segue.pipeline.preset_memory import (
    CHAT_SIZES,
    fit_of_preset,
    largest_fitting,
    need_of_chat_card,
    need_of_preset,
    parameter_count,
)
from segue.pipeline.presets import CARDS, PRESETS, nicknames
from segue.runtime.machine import GIB, MemoryPool
from segue.runtime.memory_need import NetworkShape
from segue.runtime.weights import locate, read_json
from segue.runtime.weights.need import need_of_chat


def a_pool(device: str, gib: float) -> MemoryPool:
    return MemoryPool(device, "a device", int(gib * GIB), int(gib * GIB))


def test_every_chat_model_with_a_nickname_has_a_size():
    assert sorted(CHAT_SIZES) == sorted(nicknames("chat"))
    for name, size in CHAT_SIZES.items():
        assert size.whole < parameter_count(CARDS[name])


def test_the_table_agrees_with_the_weights_where_they_are_here():
    folder = locate("embedded/chat")
    shape = NetworkShape.of(read_json(folder, "config.json"))
    stated, measured = need_of_chat_card("embedded-chat", 4), need_of_chat(folder, float_bytes=4)
    assert stated.cache == measured.cache
    assert stated.weights == pytest.approx(measured.weights, rel=0.1)
    assert CHAT_SIZES["embedded-chat"].shape.width == shape.width


@pytest.mark.parametrize(
    ("preset", "device", "gib", "verdict", "quantize"),
    [
        ("embedded", "cpu", 1, "fits", None),
        ("qwen3-vl-2b", "cpu", 16, "fits", None),
        ("qwen3-vl-2b", "mps", 16, "fits", None),
        ("qwen3-vl-4b", "cuda:0", 12, "tight", None),
        ("qwen3-vl-8b", "cuda:0", 16, "fits", "4bit"),
        ("qwen3-vl-8b", "cuda:0", 24, "fits", None),
        ("qwen3-vl-8b", "mps", 16, "does not fit", None),  # nothing quantises there
        ("qwen-vl-chat", "cuda:0", 16, "does not fit", None),
        ("qwen-vl-chat", "cuda:0", 80, "fits", None),
    ],
)
def test_presets_fit_the_machines_they_are_made_for(preset, device, gib, verdict, quantize):
    fit = fit_of_preset(PRESETS[preset], [a_pool(device, gib), a_pool("cpu", 8)])
    assert (fit.verdict, fit.quantize) == (verdict, quantize)
    assert fit.sentence.startswith(verdict)
    assert f"of {gib * GIB / 1e9:.1f} GB free" in fit.sentence


def test_a_longer_talk_and_a_wider_format_need_more():
    preset = PRESETS["qwen3-vl-2b"]
    usual = need_of_preset(preset, "cuda")
    assert need_of_preset(preset, "cuda", context=32_768).cache == 4 * usual.cache
    assert need_of_preset(preset, "cuda", float_bytes=4).cache == 2 * usual.cache
    assert need_of_preset(preset, "cuda", quantize="4bit").weights < usual.weights


def test_the_largest_preset_that_fits_is_offered():
    assert largest_fitting("cuda", 24 * GIB)[0] == "qwen3-vl-8b"
    assert largest_fitting("cpu", 16 * GIB)[0] == "qwen3-vl-2b"
    assert largest_fitting("cpu", 16 * GIB, below=10**9)[0] == "embedded"
    assert largest_fitting("cpu", 10**6) is None
