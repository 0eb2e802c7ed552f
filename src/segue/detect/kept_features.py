"""What a detector's encoders made of a picture and of a caption, kept for the next question.

A new phrase about a picture that was seen before costs no visual backbone, a known caption on a new
picture no text encoder. Both are found by the content of what goes in.
"""

from functools import partial
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from segue.runtime.byte_cache import ByteCache

DETECTOR_BYTES = 128 * 2**20
"""What the features of pictures may hold together, until a memory budget says otherwise."""
_CAPTIONS = 256


class KeptPictures(nn.Module):
    """A visual backbone that encodes each picture once.

    It stands where a backbone of transformers stands that returns `feature_maps`.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.kept: ByteCache[bytes, tuple[Tensor, ...]] = ByteCache(DETECTOR_BYTES, size_of=_size)

    def forward(self, pixel_values: Tensor, **options: Any) -> SimpleNamespace:
        """Encode pixels (N, 3, H, W); pictures that are new go through the backbone together.

        Returns:
            `feature_maps`: for each level (N, C, h, w).
        """
        keys = [_digest(picture) for picture in pixel_values]
        maps = {key: self.kept.get(key) for key in keys}
        missing = [key for key, levels in maps.items() if levels is None]
        if missing:
            rows = [keys.index(key) for key in missing]
            new_levels = self.backbone(pixel_values[rows], **options).feature_maps
            for number, key in enumerate(missing):
                maps[key] = tuple(level[number].clone() for level in new_levels)
                self.kept.put(key, maps[key] or ())
        by_level = zip(*(maps[key] or () for key in keys), strict=True)
        return SimpleNamespace(feature_maps=tuple(torch.stack(level) for level in by_level))


class KeptCaptions(nn.Module):
    """A text encoder of transformers that reads each batch of captions once."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.kept: ByteCache[bytes, Any] = ByteCache(
            1 << 62, size_of=lambda _: 0, max_entries=_CAPTIONS
        )

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Encode token ids (N, T) under whatever masks and positions go with them."""
        key = b"".join(_digest(value) for value in inputs if isinstance(value, Tensor))
        return self.kept.get_or_compute(key, partial(self.encoder, *inputs, **options))


def _digest(tensor: Tensor) -> bytes:
    """Return a digest of shape, number format and values."""
    state = blake2b(f"{tuple(tensor.shape)}{tensor.dtype}".encode(), digest_size=20)
    state.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return state.digest()


def _size(levels: tuple[Tensor, ...]) -> int:
    return sum(level.numel() * level.element_size() for level in levels)
