"""Where a network runs and in which number format. The only place that asks the machine."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from segue.errors import InputError, MissingExtra, ModelError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


class Placement(NamedTuple):
    """A device and the number format to compute in on it."""

    device: "torch.device"
    dtype: "torch.dtype"


def pick(
    device: "str | torch.device | None" = "auto",
    dtype: "str | torch.dtype | None" = None,
) -> Placement:
    """Choose a device and a number format.

    Args:
        device: "auto" (the first of cuda, mps, cpu that is there), or a device by name: "cuda",
            "cuda:1", "mps", "cpu".
        dtype: "auto" or None (bfloat16 on CUDA where the chip has it, else float16 there; float32
            on mps and cpu; see `pick_for_chat`), or one of `DTYPES` (short forms "fp32", "bf16",
            "fp16" too), or a torch dtype.

    Raises:
        InputError: no device or number format has that name.
        ModelError: the device is not on this machine.
        MissingExtra: PyTorch is not installed.

    Example:
        >>> pick("cpu").dtype
        torch.float32
    """
    place = _device(device)
    return Placement(place, _dtype(dtype, place))


def pick_for_chat(
    device: "str | torch.device | None" = "auto", dtype: "str | torch.dtype | None" = None
) -> Placement:
    """Choose as `pick`, for a chat model: on the GPU of a Mac "auto" is bfloat16, if it has it.

    Weights of chat models are published in bfloat16; float32 would double what a Mac must hold.

    Args:
        device: as for `pick`.
        dtype: as for `pick`.

    Raises:
        InputError: as `pick`.
        ModelError: as `pick`.
        MissingExtra: as `pick`.
    """
    place = pick(device, dtype)
    if place.device.type == "mps" and (dtype is None or str(dtype) == "auto"):
        return Placement(place.device, getattr(_torch(), auto_dtype_of_chat(here())))
    return place


LARGE_ENCODER = 30_000_000
"""Parameters of an encoder for which half precision pays on a processor. A small one gains little,
and gives the same numbers on every machine."""


def pick_for_encoder(
    device: "str | torch.device | None", dtype: "str | torch.dtype | None", parameters: int
) -> Placement:
    """Choose as `pick`, for an encoder of pictures that bears half precision.

    On a processor that multiplies bfloat16 fast, "auto" is bfloat16 for a large encoder: its
    weights stay in float32, and autocast uses bfloat16 where the network bears it.

    Args:
        device: as for `pick`.
        dtype: as for `pick`.
        parameters: how many the encoder has; see `LARGE_ENCODER`.

    Raises:
        InputError: as `pick`.
        ModelError: as `pick`.
        MissingExtra: as `pick`.
    """
    place = pick(device, dtype)
    is_auto = dtype is None or str(dtype) == "auto"
    is_large_on_cpu = place.device.type == "cpu" and parameters >= LARGE_ENCODER
    if is_auto and is_large_on_cpu and multiplies_bfloat16(place.device):
        return Placement(place.device, _torch().bfloat16)
    return place


def multiplies_bfloat16(device: "str | torch.device" = "cpu") -> bool:
    """Whether the device has instructions for bfloat16, so that training in it pays.

    Everywhere it computes the same; a processor without such instructions is some fifty times
    slower in bfloat16 than in float32, one with AMX seven times faster.
    """
    torch = _torch()
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    features = torch.cpu.get_capabilities()
    return any(is_present for name, is_present in features.items() if "bf16" in name)


def autocast(device: "torch.device", dtype: "torch.dtype") -> "torch.autocast":
    """Return a context in which a float32 network uses `dtype` where it bears half precision."""
    torch = _torch()
    half = dtype != torch.float32
    return torch.autocast(device.type, dtype=dtype if half else None, enabled=half)


def processor_memory() -> tuple[int, int]:
    """Return the memory of this machine and what of it programs may still take, in bytes."""
    try:  # what psutil reads too, without its import: listings ask, which start at once
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {name: value for name, _, value in (line.partition(":") for line in lines)}
        total, free = (int(sizes[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError, IndexError):
        import psutil

        memory = psutil.virtual_memory()
        return int(memory.total), int(memory.available)
    return total * 1024, free * 1024


def free_memory_bytes() -> int:
    """Memory that a program may still take on this machine, or in this container."""
    _, free = processor_memory()
    try:  # a container's own limit
        limit, used, stat = (
            (_CONTAINER / name).read_text(encoding="ascii")
            for name in ("memory.max", "memory.current", "memory.stat")
        )
        of_container = free_of_container(limit, used, stat)
    except (OSError, ValueError):
        return free
    return free if of_container is None else min(free, of_container)


_CONTAINER = Path("/sys/fs/cgroup")
_RECLAIMABLE = ("active_file", "inactive_file")
"""Of a container's memory: copies of files, such as weights just fetched, that make way."""


def free_of_container(limit: str, used: str, stat: str) -> int | None:
    """Return what a container may still take, from three files of its control group.

    Args:
        limit: of memory.max; "max" where there is none.
        used: of memory.current.
        stat: of memory.stat, "name bytes" by line.

    Returns:
        None where there is no limit.

    Raises:
        ValueError: the files say something else.

    >>> free_of_container("1000", "900", "anon 300\\nactive_file 200\\ninactive_file 400")
    700
    """
    if not limit.strip().isdecimal():
        return None
    sizes = dict(line.split(maxsplit=1) for line in stat.splitlines())
    files = sum(int(sizes.get(name, 0)) for name in _RECLAIMABLE)
    return max(0, int(limit) - max(0, int(used) - files))


def free_bytes_on(device: "torch.device") -> int:
    """Memory that this process may still take on a device.

    What PyTorch holds of a GPU without using it counts as free. A Mac's GPU shares the memory of
    the processor and may take what Metal recommends of it.
    """
    torch = _torch()
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + idle)
    if device.type == "mps":
        most = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, min(int(most), free_memory_bytes()))
    return free_memory_bytes()


def free_bytes_on_all() -> int:
    """Memory that this process may still take on all NVIDIA GPUs; on a Mac nothing of its own."""
    torch = _torch()
    return sum(free_bytes_on(torch.device("cuda", index)) for index in range(here().cuda))


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch means that memory is short, on any device.

    CUDA has a class for it; a processor's and a Mac's come as a `RuntimeError` that says so.

    >>> is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    True
    """
    is_of_class = type(error).__name__ == "OutOfMemoryError"
    text = str(error).lower()
    is_said = isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
    return is_of_class or is_said


def capability(device: "torch.device") -> tuple[int, int]:
    """Return the compute capability of an NVIDIA GPU, (8, 9) for Ada; (0, 0) of other devices."""
    torch = _torch()
    if device.type != "cuda" or torch.version.hip is not None:
        return 0, 0
    major, minor = torch.cuda.get_device_capability(device)
    return int(major), int(minor)


class Devices(NamedTuple):
    """What a machine has, as far as choices depend on it."""

    cuda: int = 0
    """How many GPUs of NVIDIA (or AMD, which PyTorch calls the same)."""
    cuda_bfloat16: bool = False
    mps: bool = False
    """The GPU of a Mac."""
    mps_bfloat16: bool = False


def here() -> Devices:
    """Return what this machine has."""
    torch = _torch()
    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = bool(torch.backends.mps.is_available())
    return Devices(
        cuda=n_cuda,
        cuda_bfloat16=n_cuda > 0 and bool(torch.cuda.is_bf16_supported()),
        mps=has_mps,
        mps_bfloat16=has_mps and bool(torch.backends.mps.is_macos_or_newer(14, 0)),
    )


def auto_device(devices: Devices) -> str:
    """Choose a device: the first of cuda, mps, cpu that a machine has.

    >>> auto_device(Devices(cuda=2)), auto_device(Devices(mps=True)), auto_device(Devices())
    ('cuda', 'mps', 'cpu')
    """
    if devices.cuda:
        return "cuda"
    return "mps" if devices.mps else "cpu"


def auto_dtype(kind: str, devices: Devices) -> str:
    """Choose a number format for a kind of device.

    >>> auto_dtype("cuda", Devices(cuda=1)), auto_dtype("mps", Devices(mps=True))
    ('float16', 'float32')
    """
    if kind != "cuda":
        return "float32"
    return "bfloat16" if devices.cuda_bfloat16 else "float16"


def auto_dtype_of_chat(devices: Devices) -> str:
    """Choose the number format of a chat model on the GPU of a Mac.

    >>> auto_dtype_of_chat(Devices(mps=True, mps_bfloat16=True))
    'bfloat16'
    """
    return "bfloat16" if devices.mps_bfloat16 else "float32"


def _device(device: "str | torch.device | None") -> "torch.device":
    torch = _torch()
    if device is None or str(device) == "auto":
        return torch.device(auto_device(here()))
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"A device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}."
        ) from error
    machine = here()
    present = {"cpu": 1, "cuda": machine.cuda, "mps": int(machine.mps)}
    if place.type not in present:
        raise InputError(
            f"A device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}."
        )
    if (place.index or 0) >= present[place.type]:
        raise ModelError(
            f"The device {str(device)!r} is not on this machine ({present[place.type]} of that "
            "kind found). Use device='auto', or install a PyTorch built for it."
        )
    return place


def _dtype(dtype: "str | torch.dtype | None", place: "torch.device") -> "torch.dtype":
    torch = _torch()
    if dtype is None or dtype == "auto":
        return getattr(torch, auto_dtype(place.type, here()))
    dtypes = {name: getattr(torch, name) for name in DTYPES}
    dtypes |= {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if dtype in dtypes.values():
        return dtype  # type: ignore[return-value]
    name = str(dtype).removeprefix("torch.")
    if name not in dtypes:
        raise InputError(f"A dtype must be 'auto' or one of {', '.join(DTYPES)}, got {name!r}.")
    return dtypes[name]


def _torch():  # type: ignore[no-untyped-def]
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Running a network needs PyTorch, which is not installed. "
            "Run: pip install 'segue[models]'"
        ) from error
    return torch
