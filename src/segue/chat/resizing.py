"""The size at which Qwen's vision towers, and those built like them, see a picture."""

import math
from dataclasses import dataclass

from segue.values.box import Size

LONGEST_RATIO = 200
"""A picture longer than this many times its width is stretched: the makers' code refuses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """How a vision tower cuts pictures."""

    side: int = 28
    """Both sides become multiples of this many pixels."""
    min_pixels: int = 56 * 56
    """At least so many pixels in all …"""
    max_pixels: int = 28 * 28 * 1280
    """… and at most so many."""

    def size_for(self, size: Size) -> Size:
        """Return the size that a picture of `size` is resized to.

        Source: `smart_resize` of Qwen2-VL (arXiv:2409.12191, section 2.1), whose results it
        gives for every picture that `smart_resize` accepts.

        >>> Patches().size_for(Size(height=480, width=640))
        Size(height=476, width=644)
        """
        sides = height, width = not_too_long(size)
        down, across = (round(v / self.side) * self.side for v in sides)
        if across * down > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels)
            down, across = (max(math.floor(v / shrink / self.side), 1) * self.side for v in sides)
        elif across * down < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (height * width))
            down, across = (math.ceil(v * grow / self.side) * self.side for v in sides)
        return Size(down, across)

    def stable_size(self, size: Size) -> Size:
        """Return the size to send so that applying this rule once more does not change it.

        A very long and thin picture shrinks each time, until both its limits are kept.

        >>> patches = Patches(max_pixels=28 * 28 * 16)
        >>> patches.size_for(Size(1, 3000)), patches.stable_size(Size(1, 3000))
        (Size(height=28, width=1568), Size(height=28, width=448))
        """
        stable_size = self.size_for(size)
        while (next_size := self.size_for(stable_size)) != stable_size:
            stable_size = next_size
        return stable_size


def not_too_long(size: Size) -> Size:
    """Return the size with its shorter side stretched to a `LONGEST_RATIO`th of the longer one."""
    shortest = math.ceil(max(size) / LONGEST_RATIO)
    return Size(max(size.height, shortest), max(size.width, shortest))
