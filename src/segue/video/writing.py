"""Writes a film frame by frame: H.264 where the build of FFmpeg has an encoder, else MPEG-4."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from segue.errors import InputError
from segue.files.atomic import replacing
from segue.values.box import Size
from segue.video.video_file import require_av

ENCODERS = ("libx264", "libopenh264", "mpeg4")
"""The first one that there is, is used."""
_TICKS = 1000  # a second; what MPEG-4 can count, and the finest time that is kept


class FilmWriter:
    """An open film; see `write_film`."""

    def __init__(self, container: Any, stream: Any, size: Size) -> None:
        self._container, self._stream, self._size = container, stream, size
        self._pts = -1

    def add(self, pixels: np.ndarray, seconds: float) -> None:
        """Encode a frame.

        Args:
            pixels: (H, W, 3) uint8 RGB, of the size of the film.
            seconds: when it is shown; kept to a thousandth, and behind the frame before it.

        Raises:
            InputError: the frame has another size.
        """
        import av

        if pixels.shape[:2] != tuple(self._size):
            raise InputError(
                f"Frames of this film must have {self._size.width} x {self._size.height} pixels, "
                f"got {pixels.shape[1]} x {pixels.shape[0]}."
            )
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:  # 4:2:0 has no odd sides
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self._pts = max(self._pts + 1, round(seconds * _TICKS))
        frame.pts, frame.time_base = self._pts, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


@contextmanager
def write_film(target: str | Path, size: Size) -> Iterator[FilmWriter]:
    """Open a film for writing; it is there when the block succeeds, and whole.

    Args:
        target: the file, of a container that PyAV writes: .mp4, .mkv, .mov.
        size: of its frames, in pixels; odd sides are made even with a copied row or column.

    Raises:
        InputError: it cannot be written.
        MissingExtra: PyAV is not installed (extra `video`).
    """
    av = require_av()
    target = Path(target)
    encoder = next((name for name in ENCODERS if name in av.codec.codecs_available), None)
    if encoder is None:
        raise InputError(f"This build of PyAV has none of the encoders {', '.join(ENCODERS)}.")
    with replacing(target) as part:
        try:
            format_name = {".mkv": "matroska"}.get(target.suffix.lower(), target.suffix[1:].lower())
            with av.open(str(part), "w", format=format_name) as container:
                stream = container.add_stream(encoder, rate=25)
                stream.width, stream.height = (
                    size.width + size.width % 2,
                    size.height + size.height % 2,
                )
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, _TICKS)
                if encoder == "libx264":
                    stream.options = {"crf": "20", "preset": "veryfast"}
                else:
                    stream.bit_rate = max(2_000_000, 4 * size.width * size.height)
                writer = FilmWriter(container, stream, size)
                yield writer
                writer.finish()
        except av.error.FFmpegError as error:
            raise InputError(
                f"Cannot write the film {target.name}: {error.strerror or error}. "
                "Use a name like overlay.mp4."
            ) from error
