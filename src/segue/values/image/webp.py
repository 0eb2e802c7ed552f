"""WebP files, decoded by OpenCV: Pillow's decoder holds three copies of the picture, this one none.

Source: the container is described at https://developers.google.com/speed/webp/docs/riff_container
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image

from segue.values.image.conversion import orientation_of, rgb_of_bgr


@dataclass(frozen=True, slots=True)
class Header:
    """What a WebP file says before its pixels."""

    width: int
    height: int
    orientation: int
    """EXIF's number; 1 where the file says nothing."""


def read_header(data: bytes) -> Header | None:
    """Read the size of a WebP file; None where it is none, or its header is damaged."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    size: tuple[int, int] | None = None
    orientation = 1
    for kind, body in _chunks(data):
        size = size or _size_of(kind, body)
        if kind == b"EXIF":
            orientation = orientation_of(lambda content=body: _exif(bytes(content)))  # type: ignore[misc]
    return None if size is None or 0 in size else Header(*size, orientation)


def decode(data: bytes, header: Header) -> np.ndarray | None:
    """Return the first frame: (H, W, 3) uint8 RGB, upright, transparency on white, read-only.

    It takes 4 bytes a pixel, 8 while it is made, 12 for an animation.

    Returns:
        None where OpenCV cannot read it, or finds another size than the header says.
    """
    import cv2

    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        return None
    if values is None or values.shape[:2] != (header.height, header.width) or values.ndim != 3:
        return None
    return rgb_of_bgr(values, header.orientation)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the (name, content) of each chunk."""
    place, view = 12, memoryview(data)
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], view[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _size_of(kind: bytes, body: memoryview) -> tuple[int, int] | None:
    """(width, height) from the first chunk that tells it."""
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(body) >= 10 and bytes(body[3:6]) == b"\x9d\x01\x2a":
        across, down = body[6:8], body[8:10]
        return int.from_bytes(across, "little") & 0x3FFF, int.from_bytes(down, "little") & 0x3FFF
    return None


def _exif(content: bytes) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif.load(content)
    return exif
