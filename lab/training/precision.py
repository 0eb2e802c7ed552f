"""Where a training runs, and in which number format."""

import torch

from segue.runtime.device import multiplies_bfloat16, pick

CPU = torch.device("cpu")


def set_up(device: str | torch.device = "cpu", threads: int | None = None) -> torch.device:
    """Prepare the machine for a training.

    Denormal numbers, which make some products 25 times slower, are flushed.

    Args:
        device: where the network is trained: "auto", "cpu", "cuda" …
        threads: of PyTorch's operations on the processor; None: as it is.

    Returns:
        The device.

    Raises:
        ModelError: the device is not on this machine.
    """
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)
    place = pick(device).device
    if place.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return place


def uses_bfloat16(wish: bool | None, device: torch.device) -> bool:
    """Return what a recipe wishes; None: whether the device multiplies bfloat16 fast."""
    return multiplies_bfloat16(device) if wish is None else wish


def training_precision(device: torch.device = CPU) -> torch.autocast:
    """Return a context of autocast to bfloat16 where the device multiplies it fast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))
