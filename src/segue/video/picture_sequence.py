"""A folder of numbered pictures as a video: 00000.jpg, 00001.jpg … as DAVIS and MOT have them."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.values.box import Size
from segue.values.image import Image
from segue.video.frames import VideoFrame

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""Files of a folder that are frames."""
_LAST_NUMBER = re.compile(r"(\d+)\D*$")


class PictureSequence:
    """Pictures in the order of the last number in their names, each read when it is needed."""

    def __init__(self, folder: Path, *, fps: float = 25.0) -> None:
        """List the pictures.

        Args:
            folder: it holds the pictures; other files are passed over.
            fps: frames a second, for times.

        Raises:
            InputError: there is none, one has no number, or two have the same.
        """
        if not 0 < fps < float("inf"):
            raise InputError(f"Frames a second must be above 0, got {fps}.")
        numbered_files: dict[int, Path] = {}
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() not in SUFFIXES:
                continue
            match = _LAST_NUMBER.search(file.stem)
            if match is None:
                raise InputError(
                    f"Frames must have numbers in their names, got {printable_path(file)}. Rename "
                    "it, or move it to another folder."
                )
            other = numbered_files.setdefault(int(match[1]), file)
            if other is not file:
                raise InputError(
                    f"Two frames of {printable_path(folder)} have the number {match[1]}: "
                    f"{other.name} and {file.name}. Keep one of them."
                )
        if not numbered_files:
            raise InputError(
                f"{printable_path(folder)} holds no numbered pictures. Give a video file, or a "
                "folder of frames such as 00000.jpg, 00001.jpg."
            )
        self.folder = folder
        self.files = [numbered_files[number] for number in sorted(numbered_files)]
        self.times: np.ndarray = np.arange(len(self.files)) / fps
        self.size: Size = Image.open(self.files[0]).size

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    def read(self, numbers: Iterable[int]) -> Iterator[VideoFrame]:
        """Yield frames. See `segue.video.Video.read`."""
        for number in map(int, numbers):
            image = Image.open(self.files[number])
            if image.size != self.size:
                raise InputError(
                    f"All frames must have one size, got {image.size.width} x {image.size.height} "
                    f"in {self.files[number].name} after {self.size.width} x {self.size.height} in "
                    f"{self.files[0].name}. Resize them first."
                )
            yield VideoFrame(number, float(self.times[number]), image)

    def frame_name(self, number: int) -> str:
        """Return the name of the file."""
        return self.files[number].name

    def fingerprint(self) -> dict[str, Any]:
        """Return the number of frames, and a digest of names and sizes of the files."""
        listing = "\n".join(f"{file.name} {file.stat().st_size}" for file in self.files)
        digest = hashlib.blake2b(listing.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return {"name": self.name, "frames": len(self.files), "digest": digest}
