"""Where the parts of a network go, and how it attends: options that stand behind a chat model."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segue.errors import InputError, MissingExtra
from segue.runtime.memory import parse_size

QUANTIZATIONS = ("4bit", "8bit")
DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
ATTENTIONS = ("sdpa", "eager", "flash_attention_2")
"""What `attn_implementation` may be; the first is what transformers takes by itself."""
_HALF = ("float16", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How a network is loaded; all of it may be left to transformers."""

    quantize: str | None = None
    """"4bit" or "8bit", with bitsandbytes; the vision tower stays as it is."""
    device_map: str | None = None
    """One of `DEVICE_MAPS`: the layers are spread over all GPUs, then the processor's memory."""
    max_memory: str | None = None
    """How much each device may hold of the weights: "0:10GiB,1:20GiB,cpu:30GiB"."""
    offload_folder: str | None = None
    """Where layers go that fit into no memory; they are read from there at each use."""
    attn_implementation: str | None = None
    """One of `ATTENTIONS`."""

    def __post_init__(self) -> None:
        """Refuse unknown values.

        Raises:
            InputError: it names the value, and what may stand there.
        """
        for name, choices in (
            ("quantize", QUANTIZATIONS),
            ("device_map", DEVICE_MAPS),
            ("attn_implementation", ATTENTIONS),
        ):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")
        for name in ("max_memory", "offload_folder"):
            if getattr(self, name) is not None and self.device_map is None:
                raise InputError(f"{name} belongs to a spread network. Add device_map=auto.")
        self.memory_limits()
        if self.offload_folder is not None and Path(self.offload_folder).is_file():
            raise InputError(
                f"offload_folder must be a folder, got the file {self.offload_folder!r}."
            )

    def memory_limits(self) -> dict[int | str, int] | None:
        """Return `max_memory` in bytes by device, a GPU by its number; None: no limits.

        Raises:
            InputError: it is not written as "0:10GiB,cpu:30GiB".

        >>> NetworkOptions(device_map="auto", max_memory="0:10GiB,cpu:1GB").memory_limits()
        {0: 10737418240, 'cpu': 1000000000}
        """
        if self.max_memory is None:
            return None
        limits: dict[int | str, int] = {}
        for part in self.max_memory.split(","):
            device, _, size = part.strip().rpartition(":")
            if not (device.isdecimal() or device in ("cpu", "mps", "disk")):
                raise InputError(
                    "max_memory must be sizes by device like '0:10GiB,1:20GiB,cpu:30GiB', got "
                    f"{self.max_memory[:60]!r}. A GPU goes by its number, the others are cpu and "
                    "mps."
                )
            key = int(device) if device.isdecimal() else device
            limits[key] = parse_size(size, "max_memory of a device")
        return limits

    def attention(self, kind: str, dtype: str) -> dict[str, str]:
        """Return the attention as an argument of transformers; {} leaves it to it.

        Args:
            kind: of the device: "cuda", "mps" or "cpu".
            dtype: the number format, "bfloat16".

        Raises:
            InputError: it does not run on that device, or in that format.
            MissingExtra: its package is not installed.
        """
        name = self.attn_implementation
        if name is None:
            return {}
        if name == "flash_attention_2":
            if kind != "cuda":
                raise InputError(
                    f"attn_implementation={name} runs on NVIDIA's GPUs, got {kind}. Use sdpa."
                )
            if dtype not in _HALF:
                raise InputError(
                    f"attn_implementation={name} takes {' or '.join(_HALF)}, got {dtype}. Use "
                    "sdpa, or dtype=bfloat16."
                )
            if find_spec("flash_attn") is None and find_spec("kernels") is None:
                raise MissingExtra(
                    f"attn_implementation={name} needs flash-attn, which is not installed. Run: "
                    "pip install flash-attn --no-build-isolation, or use sdpa, which needs nothing."
                )
        return {"attn_implementation": name}


def input_device(network: Any) -> Any:
    """Return the device that takes a network's inputs.

    Of a network in parts it is the one where the first of them computes; weights on the disk are
    nowhere else until they are used.
    """
    places: Mapping[str, Any] = getattr(network, "hf_device_map", None) or {}
    if not any(str(place) in ("cpu", "disk") for place in places.values()):
        return network.device
    import torch

    gpus = [place for place in places.values() if str(place) not in ("cpu", "disk")]
    return torch.device(gpus[0] if gpus else "cpu")
