"""Foreign coordinate frames as values: a box in one cannot be mistaken for a `Box`.

A model that speaks another frame (a 0-1000 grid, fractions, pixels of a resized picture) is read
into a `FramedBox` or a `FramedPoint`, which carry their frame as a value, and translated at once.
Where only the chat model's backend knows how large the picture was when the model saw it, the frame
is `SEEN_PIXELS` until somebody brings that size; where nobody knows the frame, it is `EitherFrame`.
"""

from dataclasses import dataclass

from segue.errors import InputError
from segue.values.box import Box, Size


@dataclass(frozen=True, slots=True)
class Frame:
    """A foreign frame laid over the whole picture.

    The right edge of the picture is at `width`, its bottom edge at `height`.
    `Frame(1000, 1000)` is a per-mille grid, `Frame(1, 1)` fractions, `Frame(1036, 756)` the pixels
    of a picture resized to that size.
    """

    width: float
    height: float

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise InputError(f"A frame must have positive sides, got {self.width} x {self.height}.")

    def __str__(self) -> str:
        if self.width == self.height == 1:
            return "fractions 0-1"
        if self.width == self.height:
            return f"a grid 0-{self.width:g}"
        return f"pixels of {self.width:g} x {self.height:g}"


GRID_1000 = Frame(1000, 1000)
FRACTIONS = Frame(1, 1)


@dataclass(frozen=True, slots=True)
class SeenPixels:
    """Pixels of the picture as the chat model saw it, after its backend had resized it."""

    def __str__(self) -> str:
        return "pixels of the resized picture"


SEEN_PIXELS = SeenPixels()


@dataclass(frozen=True, slots=True)
class EitherFrame:
    """One of several frames, and nothing tells which: such a box must not be drawn."""

    frames: tuple[Frame | SeenPixels, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.frames))


AnyFrame = Frame | SeenPixels | EitherFrame


def known_frame(frame: AnyFrame, size: Size, seen: Size | None = None) -> Frame:
    """Return the frame with its numbers, for one picture.

    Args:
        frame: as a dialect stated it.
        size: of the upright picture.
        seen: the size at which the chat model saw it; None: it was not resized.

    Raises:
        InputError: two frames fit, and nobody said which is meant.

    >>> known_frame(SEEN_PIXELS, Size(480, 640), seen=Size(height=476, width=644))
    Frame(width=644, height=476)
    """
    if isinstance(frame, Frame):
        return frame
    if isinstance(frame, SeenPixels):
        seen = seen or size
        return Frame(seen.width, seen.height)
    raise InputError(f"The frame is ambiguous: {frame}. Name the dialect, which settles it.")


@dataclass(frozen=True, slots=True)
class FramedPoint:
    """A point as a model wrote it, with the frame it is in."""

    x: float
    y: float
    frame: AnyFrame = GRID_1000

    def to_point(self, size: Size, seen: Size | None = None) -> tuple[float, float]:
        """Translate into THE FRAME of a picture of `size`: scale, and move it onto the picture.

        Args:
            size: of the upright picture.
            seen: the size at which the chat model saw it; None: it was not resized.

        Returns:
            (x, y) with 0 <= x < width and 0 <= y < height.

        >>> FramedPoint(50, 120, Frame(100, 100)).to_point(Size(height=480, width=640))
        (320.0, 479.5)
        """
        frame = known_frame(self.frame, size, seen)
        x, y = self.x * size.width / frame.width, self.y * size.height / frame.height
        x = x if x < size.width else size.width - 0.5
        y = y if y < size.height else size.height - 0.5
        return max(x, 0.0), max(y, 0.0)

    @classmethod
    def of(cls, x: float, y: float, size: Size, frame: Frame = GRID_1000) -> "FramedPoint":
        """Write a point of a picture of `size` in another frame (not rounded)."""
        return cls(x * frame.width / size.width, y * frame.height / size.height, frame)


@dataclass(frozen=True, slots=True)
class FramedBox:
    """Two opposite corners as a model wrote them, in any order, with the frame they are in."""

    xa: float
    ya: float
    xb: float
    yb: float
    frame: AnyFrame = GRID_1000

    def to_box(self, size: Size, seen: Size | None = None) -> Box:
        """Translate into THE FRAME of a picture of `size`: scale, put in order, clip.

        Args:
            size: of the upright picture.
            seen: the size at which the chat model saw it; None: it was not resized.

        Raises:
            InputError: the frame is ambiguous.

        >>> FramedBox(500, 0, 250, 1200).to_box(Size(height=480, width=640))
        Box(x0=160.0, y0=0.0, x1=320.0, y1=480.0)
        """
        frame = known_frame(self.frame, size, seen)
        across, down = size.width / frame.width, size.height / frame.height
        box = Box.spanning(self.xa * across, self.ya * down, self.xb * across, self.yb * down)
        return box.clipped(size)

    @classmethod
    def of(cls, box: Box, size: Size, frame: Frame = GRID_1000) -> "FramedBox":
        """Write a box of a picture of `size` in another frame (not rounded)."""
        across, down = frame.width / size.width, frame.height / size.height
        return cls(box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down, frame)
