"""The masks of videos, as data sets keep them: run lengths, or a picture of numbers a frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.annotations.fields import (
    read_object,
    short_repr,
)
from segue.annotations.segmentation import read_rle
from segue.benchmarks.item import VideoTruth
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.values.box import Size

_VOID = 255
"""Value of pixels that DAVIS gives to no object."""


class RunLengthTruth:
    """Masks of MeViS: for each object one run lengths a frame, or null."""

    def __init__(self, tracks: Sequence[Sequence[Any]]) -> None:
        self._tracks = tracks

    def __call__(self, size: Size) -> VideoTruth:
        def read_frame(frame: int) -> np.ndarray:
            objects = np.zeros((len(self._tracks), *size), bool)
            for index, track in enumerate(self._tracks):
                if track[frame]:
                    objects[index] = read_rle(read_object(track[frame], "a mask"), size)
            return objects

        return VideoTruth(len(self._tracks), (tuple(range(len(self._tracks))),), read_frame)


class NumberedPictures:
    """Masks as pictures, one a frame, whose values are the numbers of the objects."""

    def __init__(self, folder: Path, frames: Sequence[str]) -> None:
        """Name the pictures, which have the names of the frames.

        Raises:
            InputError: the name of a frame leads outside the folder.
        """
        stems = [plain_name(Path(name).stem) for name in frames]
        plain_name(folder.name)
        self._files = [folder / f"{stem}.png" for stem in stems]

    def of_objects(self, numbers: Sequence[int]) -> "_ObjectsTruth":
        """Return the truth of one expression about the objects of some numbers."""
        return _ObjectsTruth(self, tuple(numbers), (tuple(range(len(numbers))),))

    def of_video(self, numbers: Sequence[int]) -> "_VideoObjectsTruth":
        """Return the truth of a video: all objects, one expression about each of some."""
        return _VideoObjectsTruth(self, tuple(numbers))

    def read(self, frame: int, size: Size | None = None) -> np.ndarray:
        """Return the numbers of the objects on a frame, (H, W); 0 is none.

        Raises:
            InputError: there is no such picture, it is of another kind or another size.
        """
        file = self._files[frame]
        try:
            with PIL.Image.open(file) as picture:
                numbers = np.asarray(picture)
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
            raise InputError(f"The mask {printable_path(file)} does not open: {error}.") from error
        if numbers.ndim != 2:
            raise InputError(
                f"The mask {printable_path(file)} must have one number a pixel, got colours."
            )
        if size is not None and numbers.shape != tuple(size):
            raise InputError(
                f"The mask {printable_path(file)} is {numbers.shape} (height, width), its frame "
                f"{tuple(size)}."
            )
        return numbers

    def highest(self) -> int:
        """Return the highest number of an object on the first frame.

        Raises:
            InputError: as `read`.
        """
        numbers = self.read(0)
        return int(numbers[numbers != _VOID].max(initial=0))


class _ObjectsTruth:
    """The objects of some numbers."""

    def __init__(
        self,
        pictures: NumberedPictures,
        numbers: tuple[int, ...],
        objects_of_phrase: tuple[tuple[int, ...], ...],
    ) -> None:
        self._pictures, self._numbers = pictures, numbers
        self._objects_of_phrase = objects_of_phrase

    def __call__(self, size: Size) -> VideoTruth:
        def read_frame(frame: int) -> np.ndarray:
            numbers = self._pictures.read(frame, size)
            return np.asarray(numbers == np.array(self._numbers)[:, None, None])

        def read_void(frame: int) -> np.ndarray:
            return self._pictures.read(frame, size) == _VOID

        return VideoTruth(len(self._numbers), self._objects_of_phrase, read_frame, read_void)


class _VideoObjectsTruth:
    """All objects of a video of DAVIS: the numbers from 1 to the highest on the first frame."""

    def __init__(self, pictures: NumberedPictures, numbers: tuple[int, ...]) -> None:
        self._pictures, self._numbers = pictures, numbers

    def __call__(self, size: Size) -> VideoTruth:
        n_objects = self._pictures.highest()
        objects_of_phrase = tuple(
            (number - 1,) if 1 <= number <= n_objects else () for number in self._numbers
        )
        truth = _ObjectsTruth(self._pictures, tuple(range(1, n_objects + 1)), objects_of_phrase)
        return truth(size)


def plain_name(name: str) -> str:
    """Return the name of a file or folder.

    Raises:
        InputError: it leads elsewhere.
    """
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise InputError(f"the name {short_repr(name)} leads outside its folder")
    return name
