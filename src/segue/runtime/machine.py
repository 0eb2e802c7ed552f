"""What memory this machine has, found without PyTorch: listings ask, which start at once.

Of NVIDIA's GPUs its driver's own library is asked (NVML), which counts devices as they sit on the
bus; the devices of AMD and Intel are not found here. On Apple silicon the GPU uses the memory of
the processor, of which Metal gives it a share.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segue.runtime.device import free_memory_bytes, processor_memory

GIB = 2**30
METAL_SHARE = 2 / 3
"""Of the memory of a Mac, what Metal recommends to use at most; of large memories more."""
CUDA_CONTEXT_BYTES = 512 * 2**20
"""What a process takes on an NVIDIA GPU before it holds a single tensor."""


@dataclass(frozen=True, slots=True)
class MemoryPool:
    """The memory of one device."""

    device: str
    """As PyTorch names it: "cuda:0", "mps", "cpu"."""
    title: str
    """For people: "NVIDIA H200", "the processor"."""
    total_bytes: int
    free_bytes: int
    """That a process may take now."""

    @property
    def kind(self) -> str:
        """The device without its number: "cuda", "mps" or "cpu"."""
        return self.device.partition(":")[0]

    @property
    def sentence(self) -> str:
        """For people.

        >>> MemoryPool("cpu", "the processor", 16 * 10**9, 9 * 10**9).sentence
        'cpu (the processor) 9.0 of 16.0 GB'
        """
        free, total = self.free_bytes / 1e9, self.total_bytes / 1e9
        return f"{self.device} ({self.title}) {free:.1f} of {total:.1f} GB"


def memory_pools() -> tuple[MemoryPool, ...]:
    """Return the memory of this machine: that of its GPUs first, the processor's last."""
    (total, _), free = processor_memory(), free_memory_bytes()
    processor = MemoryPool("cpu", "the processor", total, free)
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return metal_pool(total, free), processor
    library = _nvml()
    if library is None or not _uses_cuda(_torch_version()):
        return (processor,)
    return (*nvidia_pools(library, os.environ.get("CUDA_VISIBLE_DEVICES")), processor)


def metal_pool(total_bytes: int, free_bytes: int) -> MemoryPool:
    """Return what the GPU of a Mac may take of the machine's memory.

    >>> metal_pool(24 * GIB, 20 * GIB).free_bytes // GIB
    16
    """
    most = int(total_bytes * METAL_SHARE)
    return MemoryPool("mps", "the GPU of this Mac", most, min(most, free_bytes))


def nvidia_pools(nvml: Any, visible: str | None) -> tuple[MemoryPool, ...]:
    """Return the memory of NVIDIA's GPUs.

    Args:
        nvml: the driver's library, as `ctypes.CDLL` opens it.
        visible: the value of CUDA_VISIBLE_DEVICES; None: all are.

    Returns:
        Numbered as CUDA numbers what is visible; none where the driver does not answer.
    """
    if nvml.nvmlInit_v2() != 0:
        return ()
    try:
        count = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return ()
        pools: list[MemoryPool] = []
        for place in _visible_places(visible, count.value):
            pool = _nvidia_pool(nvml, place, f"cuda:{len(pools)}")
            if pool is None:
                break  # as CUDA does: what comes after a device that is not there is not seen
            pools.append(pool)
        return tuple(pools)
    finally:
        nvml.nvmlShutdown()


class _NvmlMemory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def _nvidia_pool(nvml: Any, place: int | str, device: str) -> MemoryPool | None:
    handle, memory = ctypes.c_void_p(), _NvmlMemory()
    name = ctypes.create_string_buffer(96)
    if isinstance(place, str):
        found = nvml.nvmlDeviceGetHandleByUUID(place.encode(), ctypes.byref(handle))
    else:
        found = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(place), ctypes.byref(handle))
    if found != 0 or nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0:
        return None
    nvml.nvmlDeviceGetName(handle, name, ctypes.c_uint(len(name)))
    free = max(0, int(memory.free) - CUDA_CONTEXT_BYTES)
    return MemoryPool(device, name.value.decode(errors="replace"), int(memory.total), free)


def _visible_places(visible: str | None, count: int) -> Sequence[int | str]:
    """Return indexes, or UUIDs, of the devices that CUDA_VISIBLE_DEVICES leaves."""
    if visible is None:
        return range(count)
    places: list[int | str] = []
    for entry in (part.strip() for part in visible.split(",")):
        if entry.isdecimal() and int(entry) < count:
            places.append(int(entry))
        elif entry.startswith(("GPU-", "MIG-")):
            places.append(entry)
        else:  # "-1", "", "none": nothing from here on
            break
    return places


def _nvml() -> Any:
    try:
        return ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:  # no driver
        return None


def _torch_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _uses_cuda(torch_version: str) -> bool:
    """Whether a version of PyTorch may use NVIDIA's GPUs; one not yet installed may.

    >>> _uses_cuda("2.13.0+cpu"), _uses_cuda("2.13.0+cu130"), _uses_cuda("2.13.0")
    (False, True, True)
    """
    _, _, build = torch_version.partition("+")
    return not build.startswith(("cpu", "rocm", "xpu"))
