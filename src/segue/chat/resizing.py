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
    least: int = 56 * 56
    """At least so many pixels in all …"""
    most: int = 28 * 28 * 1280
    """… and at most so many."""

    def size_for(self, size: Size) -> Size:
        """The size that a picture of `size` is resized to.

        Source: `smart_resize` of Qwen2-VL (arXiv:2409.12191, section 2.1), whose results it
        gives for every picture that `smart_resize` accepts.

        >>> Patches().size_for(Size(height=480, width=640))
        Size(height=476, width=644)
        """
        sides = height, width = not_too_long(size)
        down, across = (round(v / self.side) * self.side for v in sides)
        if across * down > self.most:
            shrink = math.sqrt(height * width / self.most)
            down, across = (max(math.floor(v / shrink / self.side), 1) * self.side for v in sides)
        elif across * down < self.least:
            grow = math.sqrt(self.least / (height * width))
            down, across = (math.ceil(v * grow / self.side) * self.side for v in sides)
        return Size(down, across)

    def settled(self, size: Size) -> Size:
        """The size to send so that it is not changed again where this rule is applied once more.

        A very long and thin picture shrinks each time, until both its limits are kept.

        >>> patches = Patches(most=28 * 28 * 16)
        >>> patches.size_for(Size(1, 3000)), patches.settled(Size(1, 3000))
        (Size(height=28, width=1568), Size(height=28, width=448))
        """
        once = self.size_for(size)
        while (again := self.size_for(once)) != once:
            once = again
        return once


def not_too_long(size: Size) -> Size:
    """The size with its shorter side stretched to a `LONGEST_RATIO`th of the longer one."""
    shortest = math.ceil(max(size) / LONGEST_RATIO)
    return Size(max(size.height, shortest), max(size.width, shortest))
