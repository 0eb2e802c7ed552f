"""What memory a machine has, found without PyTorch."""

import ctypes

import pytest

from segue.runtime.machine import (
    CUDA_CONTEXT_BYTES,
    GIB,
    memory_pools,
    metal_pool,
    nvidia_pools,
)


class Driver:
    """NVIDIA's library as a program sees it, with GPUs of 24, 48 and 80 GiB."""

    sizes = (24 * GIB, 48 * GIB, 80 * GIB)
    uuids = ("GPU-a", "GPU-b", "GPU-c")

    def __init__(self, answers: bool = True) -> None:
        self.answers, self.is_open = answers, False

    def nvmlInit_v2(self) -> int:
        self.is_open = self.answers
        return 0 if self.answers else 9

    def nvmlShutdown(self) -> int:
        self.is_open = False
        return 0

    def nvmlDeviceGetCount_v2(self, count) -> int:
        count._obj.value = len(self.sizes)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle) -> int:
        handle._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid, handle) -> int:
        if uuid.decode() not in self.uuids:
            return 6
        handle._obj.value = self.uuids.index(uuid.decode()) + 1
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle, memory) -> int:
        memory._obj.total = self.sizes[handle.value - 1]
        memory._obj.free = memory._obj.total - GIB
        return 0

    def nvmlDeviceGetName(self, handle, name, length: ctypes.c_uint) -> int:
        name.value = b"NVIDIA H%d" % handle.value
        return 0


def test_the_driver_is_asked_for_every_gpu_and_let_go():
    driver = Driver()
    pools = nvidia_pools(driver, None)
    assert [(pool.device, pool.title, pool.total_bytes // GIB) for pool in pools] == [
        ("cuda:0", "NVIDIA H1", 24),
        ("cuda:1", "NVIDIA H2", 48),
        ("cuda:2", "NVIDIA H3", 80),
    ]
    assert pools[0].free_bytes == 23 * GIB - CUDA_CONTEXT_BYTES
    assert pools[0].kind == "cuda"
    assert not driver.is_open


@pytest.mark.parametrize(
    ("visible", "sizes"),
    [
        ("", []),
        ("-1", []),
        ("2,0", [80, 24]),
        ("1,-1,0", [48]),  # CUDA stops at the first that is not there
        ("GPU-c", [80]),
        ("GPU-x,0", []),
    ],
)
def test_only_visible_gpus_count_and_in_their_order(visible, sizes):
    pools = nvidia_pools(Driver(), visible)
    assert [pool.total_bytes // GIB for pool in pools] == sizes
    assert [pool.device for pool in pools] == [f"cuda:{n}" for n in range(len(sizes))]


def test_a_driver_that_does_not_answer_means_no_gpu():
    assert nvidia_pools(Driver(answers=False), None) == ()


def test_the_gpu_of_a_mac_gets_a_share_and_never_more_than_is_free():
    assert metal_pool(96 * GIB, 90 * GIB).free_bytes == 64 * GIB
    assert metal_pool(96 * GIB, 10 * GIB).free_bytes == 10 * GIB


def test_the_processor_comes_last():
    *_, processor = memory_pools()
    assert processor.device == "cpu"
    assert 0 < processor.free_bytes <= processor.total_bytes
