"""Choosing a device and a number format."""

import psutil
import pytest
import torch

from segue.errors import InputError, ModelError
from segue.runtime.device import (
    LARGE_ENCODER,
    Devices,
    auto_device,
    auto_dtype,
    auto_dtype_of_chat,
    capability,
    free_bytes_on,
    is_out_of_memory,
    multiplies_bfloat16,
    pick,
    pick_for_chat,
    pick_for_encoder,
    processor_memory,
)


def test_auto_takes_what_the_machine_has():
    place = pick()
    there = "cuda" if torch.cuda.is_available() else "mps"
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        there = "cpu"
    assert place.device.type == there


def test_the_processor_computes_in_float32_unless_told_otherwise():
    assert pick("cpu") == (torch.device("cpu"), torch.float32)
    assert pick("cpu", "auto").dtype == torch.float32


@pytest.mark.parametrize("given", ["bfloat16", "bf16", "torch.bfloat16", torch.bfloat16])
def test_a_dtype_may_be_named_in_any_usual_way(given):
    assert pick("cpu", given).dtype == torch.bfloat16


@pytest.mark.parametrize("given", ["gpu", "cuda:x", "vulkan", "meta"])
def test_an_unknown_device_is_refused_with_the_known_ones(given):
    with pytest.raises(InputError, match="'auto', 'cpu', 'cuda'"):
        pick(given)


def test_a_device_that_is_not_there_is_refused_with_a_way_out():
    with pytest.raises(ModelError, match="not on this machine.*device='auto'"):
        pick("cuda:99")


@pytest.mark.parametrize("given", ["int8", "float", "double"])
def test_an_unknown_dtype_is_refused_with_the_known_ones(given):
    with pytest.raises(InputError, match="float32, bfloat16, float16"):
        pick("cpu", given)


def test_a_large_encoder_takes_the_format_that_the_processor_is_quick_in():
    quick = torch.bfloat16 if multiplies_bfloat16("cpu") else torch.float32
    assert pick_for_encoder("cpu", None, LARGE_ENCODER).dtype == quick
    assert pick_for_encoder("cpu", "auto", LARGE_ENCODER).dtype == quick
    assert pick_for_encoder("cpu", None, LARGE_ENCODER - 1).dtype == torch.float32
    assert pick_for_encoder("cpu", "float32", LARGE_ENCODER).dtype == torch.float32


def test_bfloat16_pays_on_the_processor_only_with_instructions_for_it():
    there = any(on for name, on in torch.cpu.get_capabilities().items() if "bf16" in name)
    assert multiplies_bfloat16("cpu") == there
    assert not multiplies_bfloat16("mps")


OLD_GPU, GPUS = Devices(cuda=1), Devices(cuda=4, cuda_bfloat16=True)
MAC, OLD_MAC = Devices(mps=True, mps_bfloat16=True), Devices(mps=True)


@pytest.mark.parametrize(
    ("machine", "device", "dtype"),
    [
        (Devices(), "cpu", "float32"),
        (OLD_GPU, "cuda", "float16"),
        (GPUS, "cuda", "bfloat16"),
        (MAC, "mps", "float32"),  # encoders; chat models below
        (OLD_MAC, "mps", "float32"),
    ],
)
def test_every_machine_has_its_device_and_format(machine, device, dtype):
    assert auto_device(machine) == device
    assert auto_dtype(device, machine) == dtype


def test_a_chat_model_is_in_half_precision_on_a_mac_that_has_bfloat16():
    assert auto_dtype_of_chat(MAC) == "bfloat16"
    assert auto_dtype_of_chat(OLD_MAC) == "float32"
    assert pick_for_chat("cpu") == pick("cpu")
    assert pick_for_chat("cpu", "float16").dtype == torch.float16


@pytest.mark.parametrize(
    ("error", "is_short"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_short_memory_is_recognised_on_every_device(error, is_short):
    assert is_out_of_memory(error) == is_short


def test_the_memory_of_the_machine_is_what_psutil_says():
    total, free = processor_memory()
    memory = psutil.virtual_memory()
    assert total == memory.total
    assert free == pytest.approx(memory.available, rel=0.2)


def test_the_processor_has_no_capability_and_some_memory():
    processor = torch.device("cpu")
    assert capability(processor) == (0, 0)
    assert free_bytes_on(processor) > 0
