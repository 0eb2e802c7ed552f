"""What weights are stored, without reading them: names, number formats and shapes of tensors."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from segue.runtime.weights.checkpoint import read_json

_INDEX = "model.safetensors.index.json"
_MOST_HEADER_BYTES = 100_000_000
"""As the safetensors format allows."""
_OF_CONFIG = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
FLOATS = frozenset(_BYTES)
"""Formats whose values a network computes with as they are, in the format it is loaded in."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file of weights."""

    name: str
    dtype: str
    """As safetensors writes it: "BF16", "F8_E4M3", "I32"."""
    shape: tuple[int, ...]
    size_bytes: int
    """In the file."""

    @property
    def count(self) -> int:
        """How many values it holds."""
        return prod(self.shape)


def stored_tensors(place: Path) -> list[StoredTensor]:
    """Return the tensors of a folder or file of weights, from the headers of its files.

    Files of another kind than safetensors, whose content cannot be seen without reading them, are
    one tensor each, in the format that `config.json` states.

    Returns:
        In no order; nothing where there are no weights, or where they are damaged: what loads them
        says so.
    """
    if place.is_file():
        return _tensors_of(place, "F32")
    config = read_json(place, "config.json")
    stated = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    dtype = _OF_CONFIG.get(stated, "F32")
    return [tensor for file in _files(place) for tensor in _tensors_of(file, dtype)]


def _files(folder: Path) -> list[Path]:
    """Return the files that transformers would read, in its order of preference."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    shards = read_json(folder, _INDEX).get("weight_map")
    if isinstance(shards, dict):
        return [folder / name for name in sorted({str(shard) for shard in shards.values()})]
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))


def _tensors_of(file: Path, dtype: str) -> list[StoredTensor]:
    try:
        if file.suffix == ".safetensors":
            return list(_entries(_header(file)))
        size = file.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return []
    return [StoredTensor(file.name, dtype, (size // _BYTES[dtype],), size)]


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > _MOST_HEADER_BYTES:
            raise ValueError("no header of safetensors")
        return dict(json.loads(stream.read(length)))


def _entries(header: dict[str, Any]) -> Iterator[StoredTensor]:
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            shape = tuple(int(side) for side in entry["shape"])
            yield StoredTensor(name, str(entry["dtype"]), shape, int(end) - int(begin))
