"""The frames of an item as a video that a tracker is led through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from segue.benchmarks.dataset import PicturePlace, open_picture
from segue.errors import InputError
from segue.values.box import Size
from segue.values.image import Image
from segue.video.frames import VideoFrame

_FRAMES_A_SECOND = 25.0
"""The data sets state no times; nothing that is scored depends on them."""


class ItemVideo:
    """Picture files as a `segue.video.frames.Video`, each read when it is needed."""

    def __init__(
        self,
        name: str,
        files: Sequence[PicturePlace],
        size: Size,
        distort: Callable[[Image], Image] | None = None,
    ) -> None:
        """List the frames.

        Args:
            name: for messages.
            files: of the frames, in order.
            size: of the first frame, after `distort`.
            distort: changes each frame; None: they stay as they are.
        """
        self.name = name
        self.size = size
        self.times: np.ndarray = np.arange(len(files)) / _FRAMES_A_SECOND
        self._files = files
        self._distort = distort

    def read(self, numbers: Iterable[int]) -> Iterator[VideoFrame]:
        """Yield frames. See `segue.video.frames.Video.read`."""
        for number in map(int, numbers):
            image = open_picture(self._files[number])
            if self._distort is not None:
                image = self._distort(image)
            if image.size != self.size:
                raise InputError(
                    f"All frames of {self.name} must have one size, got {image.size.width} x "
                    f"{image.size.height} in frame {number} after {self.size.width} x "
                    f"{self.size.height}."
                )
            yield VideoFrame(number, float(self.times[number]), image)

    def frame_name(self, number: int) -> str:
        """Return the number as a text."""
        return f"{number:05}"

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells it from other videos: here its name and length are enough."""
        return {"name": self.name, "frames": len(self._files)}
