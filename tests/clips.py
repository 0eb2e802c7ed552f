"""Videos for tests: a coloured square that moves over a grey field, as files and as values."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from segue.values.box import Box, Size
from segue.values.image import Image
from segue.video.frames import VideoFrame
from segue.video.writing import write_film

SIZE = Size(height=48, width=64)


def square_box(number: int, step: float = 1.0) -> Box:
    """Where the square is on a frame."""
    x = 4 + number * step
    return Box(x, 16, x + 14, 30)


def square_pixels(number: int, step: float = 1.0, hidden: Iterable[int] = ()) -> np.ndarray:
    """Draw a frame: (48, 64, 3) uint8. On `hidden` frames there is no square."""
    pixels = np.full((*SIZE, 3), 120, np.uint8)
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    pixels[..., 2] += ((x // 8 + y // 8) % 2 * 20).astype(np.uint8)
    if number not in set(hidden):
        x0, y0, x1, y1 = (round(v) for v in square_box(number, step).corners)
        pixels[y0:y1, x0:x1] = (220, 40, 40)
        pixels[y0 + 3 : y0 + 7, x0 + 3 : x0 + 7] = (250, 240, 60)
        pixels[y0 + 8 : y0 + 12, x0 + 7 : x0 + 12] = (40, 40, 160)
    return pixels


class DrawnVideo:
    """A video in memory that draws a frame when it is read, and counts what it drew."""

    name = "drawn"
    size = SIZE

    def __init__(self, n_frames: int = 20, step: float = 1.0, hidden: Iterable[int] = ()) -> None:
        self.times = np.arange(n_frames) / 10
        self.step, self.hidden = step, frozenset(hidden)
        self.read_numbers: list[int] = []
        self.undecodable: frozenset[int] = frozenset()

    def read(self, numbers: Iterable[int]) -> Iterator[VideoFrame]:
        for number in map(int, numbers):
            if number not in self.undecodable:
                self.read_numbers.append(number)
                pixels = square_pixels(number, self.step, self.hidden)
                yield VideoFrame(number, float(self.times[number]), Image(pixels))

    def frame_name(self, number: int) -> str:
        return f"{number:05d}.png"

    def fingerprint(self) -> dict:
        return {"name": self.name, "frames": len(self.times)}


def write_square_clip(file: Path, n_frames: int = 20, times: Iterable[float] | None = None) -> Path:
    """Write the square as a video file."""
    moments = [number / 10 for number in range(n_frames)] if times is None else list(times)
    with write_film(file, SIZE) as film:
        for number, seconds in zip(range(n_frames), moments):
            film.add(square_pixels(number), seconds)
    return file
