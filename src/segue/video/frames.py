"""Videos: frames one after the other, forwards and backwards, with their times.

A frame is decoded when its turn comes and dropped by whoever took it. Nothing here keeps more than
one, but for `read_backward`, which holds a short stretch of them. Beside that a video costs some
bytes a frame, its times.

Not known here: what is followed in a video, and how.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from segue.values.box import Size
from segue.values.image import Image

MAX_BACKWARD_FRAMES = 32
"""Frames that `read_backward` holds, at most."""
MAX_BACKWARD_BYTES = 256 * 2**20
"""Bytes that they hold, at most; one frame is held whatever its size."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture of a video."""

    number: int
    """Its place in the whole video, from 0."""
    seconds: float
    """When it is shown, from the first frame of the video."""
    image: Image
    """Upright: the rotation that the container states is applied."""


@runtime_checkable
class Video(Protocol):
    """A video that can be read from any frame on."""

    @property
    def name(self) -> str:
        """Name of the file or folder, for people."""

    @property
    def size(self) -> Size:
        """Of the upright frames, in pixels."""

    @property
    def times(self) -> np.ndarray:
        """(N,) float64, ascending: when each frame is shown, in seconds from the first one."""

    def read(self, numbers: Iterable[int]) -> Iterator[VideoFrame]:
        """Yield frames in the order of the video, each decoded when it is asked for.

        Args:
            numbers: which, ascending; each is taken when it is needed. One that cannot be decoded
                is left out.

        Raises:
            InputError: the video cannot be read any more, or the frames differ in size.
        """

    def frame_name(self, number: int) -> str:
        """Return the name of a frame, as annotation files have it."""

    def fingerprint(self) -> dict[str, Any]:
        """Return JSON values by which the same video is recognised without reading all of it."""


def read_backward(video: Video, numbers: np.ndarray) -> Iterator[VideoFrame]:
    """Yield frames from the last to the first.

    Decoders go forwards only, so that a stretch of frames is decoded, held, and given from its end.

    Args:
        video: what to read.
        numbers: which, ascending.

    Raises:
        InputError: as `Video.read`.
    """
    frame_bytes = 3 * video.size.height * video.size.width
    step = max(1, min(MAX_BACKWARD_FRAMES, MAX_BACKWARD_BYTES // frame_bytes))
    for end in range(len(numbers), 0, -step):
        stretch = list(video.read(numbers[max(0, end - step) : end]))
        while stretch:
            yield stretch.pop()
