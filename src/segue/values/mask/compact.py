"""A bool array that takes an eighth of its size while nobody looks at it."""

import weakref
from typing import Any

import numpy as np

LARGE_PIXELS = 2**20
"""Smaller arrays stay as they are: unpacking would cost more than it saves."""


def packed_bytes(pixels: int) -> int:
    """Memory of a mask of so many pixels while nobody looks at it, in bytes."""
    return -(-pixels // 8) if pixels >= LARGE_PIXELS else pixels


class CompactArray:
    """A field of a frozen dataclass for a (H, W) bool array.

    What is read is the array itself; read again while it is in use, it is the same object.
    """

    def __get__(self, owner: Any, kind: type | None = None) -> np.ndarray:
        if owner is None:
            raise AttributeError("a field without a default")
        stored_array = owner.__dict__["_held"]
        if not isinstance(stored_array, _Bits):
            return stored_array
        return stored_array.array()

    def __set__(self, owner: Any, array: np.ndarray) -> None:
        owner.__dict__["_held"] = _Bits(array) if _is_large(array) else array

    @staticmethod
    def shape_of(owner: Any) -> tuple[int, int]:
        """(H, W), without unpacking."""
        height, width = owner.__dict__["_held"].shape
        return height, width

    @staticmethod
    def bytes_of(owner: Any) -> int:
        """Memory that is held, in bytes."""
        return int(owner.__dict__["_held"].nbytes)


class _Bits:
    """A bool array, eight pixels a byte."""

    def __init__(self, array: np.ndarray) -> None:
        self.shape = array.shape
        self._bits = np.packbits(array.reshape(-1))
        self._used = weakref.ref(array)
        self.nbytes = self._bits.nbytes

    def array(self) -> np.ndarray:
        """Return the array, read-only."""
        array = self._used()
        if array is None:
            count = self.shape[0] * self.shape[1]
            flat = np.unpackbits(self._bits, count=count).view(np.bool_)
            array = np.empty(self.shape, np.bool_)
            array.reshape(-1)[:] = flat
            array.setflags(write=False)
            self._used = weakref.ref(array)
        return array


def _is_large(array: Any) -> bool:
    """Whether it is worth packing; what is still writable may change, and is left alone."""
    if not isinstance(array, np.ndarray) or array.dtype != np.bool_ or array.ndim != 2:
        return False
    return array.size >= LARGE_PIXELS and not array.flags.writeable and array.base is None
