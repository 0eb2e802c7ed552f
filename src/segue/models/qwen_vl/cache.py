"""A key-value cache that grows in strides and can be cut back.

The stock dynamic cache copies everything it holds for each new token; this one copies only when
its room is used up. It can be used wherever transformers takes a cache.
"""

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 256
"""Positions that are added when the room is used up (or half of what is held, if more)."""


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer: views of the filled part of larger buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = False
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Append (B, heads, T, head_dim) keys and values; return all that is held."""
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self.is_initialized = True
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        keys, values = self._room(key_states, value_states, start, end)
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def _room(self, keys: Tensor, values: Tensor, length: int, end: int) -> tuple[Tensor, Tensor]:
        buffers = self._buffers
        # Another owner of `self.keys` (beam search reorders them) makes the buffers stale.
        if (
            buffers is not None
            and buffers[0].shape[2] >= end
            and (length == 0 or self.keys.data_ptr() == buffers[0].data_ptr())
            and buffers[0].shape[0] == keys.shape[0]
        ):
            return buffers
        capacity = end + max(ROOM, length // 2)
        enlarged = []
        for new, old in ((keys, self.keys), (values, self.values)):
            buffer = new.new_empty((*new.shape[:2], capacity, new.shape[3]))
            if length:
                buffer[:, :, :length] = old
            enlarged.append(buffer)
        self._buffers = (enlarged[0], enlarged[1])
        return self._buffers

    def reset(self) -> None:
        """Forget everything."""
        self._buffers = None
        super().reset()


class GrowingCache(Cache):
    """The cache of a whole network, plus what its prefill decided.

    Attributes:
        ntk_alpha: the rotary stretch that the cached keys were made with; None while empty.
    """

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=GrowingLayer)
        self.ntk_alpha: float | None = None

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions and forget the rest."""
        surplus = self.get_seq_length() - length
        if surplus <= 0:
            return
        if length == 0:
            self.reset()
            self.ntk_alpha = None
            return
        self.crop(-surplus)

    @property
    def size_bytes(self) -> int:
        """Memory held by keys and values, spare room included."""
        return sum(
            buffer.element_size() * buffer.numel()
            for layer in self.layers
            for buffer in (getattr(layer, "_buffers", None) or ())
        )
