"""What weights on this machine will need in memory, from their headers and their configuration."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segue.runtime.memory_need import QUANTIZED_BYTES, MemoryNeed, NetworkShape
from segue.runtime.weights.checkpoint import read_json
from segue.runtime.weights.headers import FLOATS, StoredTensor, stored_tensors
from segue.runtime.weights.quantization import dense_values, is_made_dense, stored_quantization

_WHOLE_PARTS = ("embed", "lm_head", "visual", "vision", "projector", "connector", "aligner")
"""In the names of tensors that quantising leaves as they are."""


def need_of_chat(
    folder: Path,
    *,
    float_bytes: int,
    context: int | None = None,
    quantize: str | None = None,
    kind: str = "cpu",
    capability: tuple[int, int] = (0, 0),
) -> MemoryNeed:
    """Return what a chat model will need; nothing but headers and its configuration are read.

    Args:
        folder: with config.json and weights.
        float_bytes: of one value in the number format that it is loaded in.
        context: tokens in use; None: as usual.
        quantize: "4bit", "8bit" or None.
        kind: of the device: "cuda", "mps" or "cpu".
        capability: of the GPU, where it is one of NVIDIA's.

    Raises:
        ModelError: a JSON file is damaged.
    """
    stored = stored_quantization(folder)
    is_dense = stored is not None and is_made_dense(stored["quant_method"], kind, capability)
    shape = NetworkShape.of(read_json(folder, "config.json"))
    tokens = shape.tokens_in_use(context)
    return MemoryNeed(
        weights=weight_bytes(
            stored_tensors(folder), float_bytes, quantize, stored if is_dense else None
        ),
        cache=shape.cache_values(tokens) * float_bytes,
        work=shape.work_values(tokens) * float_bytes,
    )


def weight_bytes(
    tensors: Iterable[StoredTensor],
    float_bytes: int,
    quantize: str | None = None,
    made_dense: Mapping[str, Any] | None = None,
) -> int:
    """Return the memory of weights once they are loaded.

    Args:
        tensors: as they are stored.
        float_bytes: of one value in the number format that they are loaded in.
        quantize: "4bit", "8bit" or None.
        made_dense: the `quantization_config` of weights that are stored quantised and do not stay
            so; None: they do, if they are.

    >>> weight = StoredTensor("layers.0.up.weight", "BF16", (64, 32), 4096)
    >>> weight_bytes([weight], 2), weight_bytes([weight], 4), weight_bytes([weight], 2, "4bit")
    (4096, 8192, 1085)
    """

    share = QUANTIZED_BYTES.get(quantize or "")

    def size(tensor: StoredTensor) -> float:
        if tensor.dtype not in FLOATS:
            if made_dense is None:
                return tensor.size_bytes
            return dense_values(tensor, made_dense) * float_bytes
        if share is not None and _is_quantized(tensor):
            return tensor.count * share
        return tensor.count * float_bytes

    return int(sum(map(size, tensors)))


def _is_quantized(tensor: StoredTensor) -> bool:
    is_whole = any(part in tensor.name for part in _WHOLE_PARTS)
    return len(tensor.shape) == 2 and not is_whole
