"""A video file, through PyAV: any container and codec that its FFmpeg reads.

Frames are known by their presentation times, which a first pass collects from the packets without
decoding them. Where a container has none, or none that hold, that pass decodes (and drops) every
frame, and the file is read from its beginning each time.

A file is data: what it names (playlists do) is read from this machine or not at all.

Limits: the first of the best video streams is read, without sound; of the display matrix its
rotation by quarter turns is applied, a reflection is not; pixels that are not square stay as they
are stored.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segue.errors import InputError, MissingExtra
from segue.files.atomic import printable_path
from segue.files.text import check_regular
from segue.values.box import Size
from segue.values.image import Image
from segue.values.image.pixels import Limits
from segue.video.frames import VideoFrame

_CHECKED_FRAMES = 8
"""Frames that are decoded to see whether the times of packets are those of frames."""
_FINGERPRINT_BYTES = 2**20
_LOCAL = {"protocol_whitelist": "file"}  # a playlist must not reach the network
SELF_CONTAINED = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "ogg", "flv", "asf", "gif", "apng",
    "h264", "hevc", "m4v", "ivf", "nut", "mxf", "dv", "yuv4mpegpipe",
)  # fmt: skip
"""FFmpeg's demuxers that read one file and no other, as playlists would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLimits:
    """How much of a video file is accepted, and of which kinds."""

    max_pixels: int = Limits().max_pixels
    """Height times width of a frame."""
    max_frames: int | None = None
    """Frames of the whole video; None: any number."""
    demuxers: tuple[str, ...] = ()
    """FFmpeg's demuxers that may read it; (): all. For files of strangers: `SELF_CONTAINED`."""


class VideoTooLarge(InputError):
    """A video has more frames, or larger ones, than its limits allow."""


class VideoFile:
    """A file that is opened anew for every pass over it, and closed after it."""

    def __init__(self, path: Path, limits: VideoLimits | None = None, name: str = "") -> None:
        """Find out how many frames there are, when they are shown, and how large they are.

        Args:
            path: the file.
            limits: how much is accepted.
            name: what messages and annotations call it; "": as the file is called.

        Raises:
            InputError: it is no video, or has no frame.
            VideoTooLarge: it is larger than the limits.
            MissingExtra: PyAV is not installed.
        """
        self.path, self._limits = path, limits or VideoLimits()
        self._name = name
        check_regular(path)
        with self._open() as (container, stream):
            context = stream.codec_context
            if context.width * context.height > self._limits.max_pixels:
                raise VideoTooLarge(
                    f"Frames of {self._title} have {context.width} x {context.height} "
                    f"pixels, more than {self._limits.max_pixels}. Make the video smaller first."
                )
            self.container_name: str = container.format.name
            """FFmpeg's name of the container: "mov,mp4,m4a,3gp,3g2,mj2"."""
            self._time_base = float(stream.time_base or 1)
            rate = stream.average_rate or stream.base_rate
            self._rate = float(rate) if rate else 25.0
            packets = (packet for packet in container.demux(stream) if _is_frame(packet))
            self._pts: np.ndarray | None = _packet_times(self._within_limit(packets))
        with self._open() as (container, stream):
            frames = list(islice(self._decodable(container, stream), _CHECKED_FRAMES))
            if not frames:
                raise InputError(f"{self._title} has no frame that can be decoded.")
            first = _upright(frames[0])
            found = [frame.pts for frame in frames]
            if self._pts is not None and list(self._pts[: len(found)]) != found:
                self._pts = None
        self.size = Size(*first.shape[:2])
        if self._pts is not None:
            self.times: np.ndarray = (self._pts - self._pts[0]) * self._time_base
        else:
            self.times = self._decoded_times()

    @property
    def name(self) -> str:
        """Name of the file, or the one it was given."""
        return self._name or self.path.name

    def read(self, numbers: Iterable[int]) -> Iterator[VideoFrame]:
        """Yield frames. See `segue.video.Video.read`."""
        remaining = iter(numbers)
        wanted = next(remaining, None)
        if wanted is None:
            return
        for number, frame in self._decode_from(int(wanted)):
            while wanted is not None and wanted < number:
                wanted = next(remaining, None)  # the one before could not be decoded
            if wanted == number:
                pixels = _upright(frame)
                if pixels.shape[:2] != tuple(self.size):
                    raise InputError(
                        f"Frame {number} of {self._title} has {pixels.shape[1]} x "
                        f"{pixels.shape[0]} pixels, those before it {self.size.width} x "
                        f"{self.size.height}. Cut the video there with --start or --end."
                    )
                image = Image(pixels, self.frame_name(number))
                yield VideoFrame(number, float(self.times[number]), image)
                wanted = next(remaining, None)
            if wanted is None:
                return

    def frame_name(self, number: int) -> str:
        """Return the name of the file without its suffix, and the number in six digits."""
        return f"{Path(self.name).stem}-{number:06d}.png"

    def fingerprint(self) -> dict[str, Any]:
        """Return the size of the file, and a digest of its beginning and end."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            content = file.read(_FINGERPRINT_BYTES)
            file.seek(max(0, size - _FINGERPRINT_BYTES))
            content += file.read(_FINGERPRINT_BYTES)
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        return {"name": self.name, "size_bytes": size, "digest": digest}

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        """Open the file: a container and its best video stream."""
        av = require_av()
        demuxers = self._limits.demuxers
        options = _LOCAL | ({"format_whitelist": ",".join(demuxers)} if demuxers else {})
        try:
            with av.open(
                f"file:{self.path.absolute()}", options=options, metadata_errors="replace"
            ) as container:
                stream = container.streams.best("video")
                if stream is None:
                    raise InputError(f"{self._title} has no pictures, only sound.")
                # Frames may be larger than the container says; decoders refuse those then.
                most = str(2 * self._limits.max_pixels)  # they count rows and columns of padding
                stream.codec_context.options = {"max_pixels": most}
                yield container, stream
        except av.error.FFmpegError as error:
            raise InputError(
                f"Cannot read {self._title} as a video: "
                f"{error.strerror or error}. Convert it first, for example with ffmpeg."
            ) from error

    @property
    def _title(self) -> str:
        """What messages call it."""
        return printable_path(self._name or self.path)

    def _within_limit(self, frames: Iterable[Any]) -> Iterator[Any]:
        """Yield all frames or packets, within the limit.

        Raises:
            VideoTooLarge: there are more.
        """
        max_frames = self._limits.max_frames
        for count, frame in enumerate(frames, 1):
            if max_frames is not None and count > max_frames:
                raise VideoTooLarge(
                    f"{self._title} has more than {max_frames} frames. Cut it first, or thin it, "
                    "for example with ffmpeg."
                )
            yield frame

    def _decode_from(self, number: int) -> Iterator[tuple[int, Any]]:
        """Yield numbers and decoded frames, from one at or before `number` to the end."""
        pts = self._pts
        with self._open() as (container, stream):
            if pts is None:
                yield from enumerate(self._decodable(container, stream))
                return
            is_late = False
            if number > 0:
                container.seek(int(pts[number]), stream=stream)
                for position, frame in enumerate(self._decodable(container, stream)):
                    found = _place(pts, frame.pts)
                    if position == 0 and (found is None or found > number):
                        is_late = True  # a container without an index: go there from the beginning
                        break
                    if found is not None:
                        yield found, frame
                if not is_late:
                    return
        with self._open() as (container, stream):
            for frame in self._decodable(container, stream):
                if (found := _place(pts, frame.pts)) is not None:
                    yield found, frame

    def _decodable(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the frames of a stream; packets that are damaged are passed over."""
        av = require_av()
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def _decoded_times(self) -> np.ndarray:
        """Return the times of all frames, each decoded and dropped."""
        times = array("d")
        with self._open() as (container, stream):
            for number, frame in enumerate(self._within_limit(self._decodable(container, stream))):
                moment = number / self._rate if frame.time is None else frame.time
                times.append(max(moment, times[-1]) if times else moment)
        result = np.frombuffer(times, np.float64)
        return result - result[0]


def require_av() -> Any:
    """Return the package `av`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Video files need the 'video' extra (av is not installed). "
            "Run: pip install 'segue[video]'"
        ) from error
    return av


def _is_frame(packet: Any) -> bool:
    """Whether a packet holds a frame that is shown."""
    return packet.size > 0 and not packet.is_discard


def _packet_times(packets: Iterable[Any]) -> np.ndarray | None:
    """Return the ascending times of all packets, in units of the stream; None: some have none."""
    times = array("q")
    for packet in packets:
        if packet.pts is None:
            return None
        times.append(packet.pts)
    if not times:
        return None
    ascending = np.sort(np.frombuffer(times, np.int64))
    return ascending if bool((np.diff(ascending) > 0).all()) else None


def _place(pts: np.ndarray, time: int | None) -> int | None:
    """Return the number of the frame of that time; None: there is none."""
    if time is None:
        return None
    number = int(np.searchsorted(pts, time))
    return number if number < len(pts) and pts[number] == time else None


def _upright(frame: Any) -> np.ndarray:
    """Return the pixels (H, W, 3) uint8 of a decoded frame, turned as its container says."""
    pixels = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4  # counterclockwise, as NumPy counts them
    return np.rot90(pixels, quarter_turns) if quarter_turns else pixels
