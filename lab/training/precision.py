"""Number formats of a training on this machine."""

import torch

from segue.runtime.device import multiplies_bfloat16


def set_up_cpu(threads: int | None = None) -> None:
    """Flush denormal numbers, which make some products 25 times slower, and set the threads.

    Args:
        threads: of PyTorch's operations; None: as it is.
    """
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)


def training_precision(device: str | torch.device = "cpu") -> torch.autocast:
    """Return a context of autocast to bfloat16 where the device multiplies it fast."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=multiplies_bfloat16(device))
