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
            on mps and cpu), or one of `DTYPES` (short forms "fp32", "bf16", "fp16" too), or a
            torch dtype.

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


def free_memory_bytes() -> int:
    """Memory that a program may still take on this machine, or in this container."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:  # a container's own limit
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free
    return free if not limit.isdecimal() else max(0, min(free, int(limit) - used))


def _device(device: "str | torch.device | None") -> "torch.device":
    torch = _torch()
    if device is None or str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"A device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}."
        ) from error
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
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
        if place.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
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
