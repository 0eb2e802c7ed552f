"""A few frames of a video, evenly over its time, for models that look at pictures."""

from pathlib import Path

import numpy as np

from segue.errors import InputError
from segue.video.frames import Video, VideoFrame
from segue.video.opening import open_video
from segue.video.selection import FrameSelection

MAX_FRAMES = 64
"""Frames that are held at the same time, at most."""


def sample_frames(
    source: str | Path | Video,
    n_frames: int,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> list[VideoFrame]:
    """Return frames in the order of time: the first and the last one, and others evenly between.

    Args:
        source: a file, a folder of numbered pictures, or a video that is open.
        n_frames: how many; all of them where there are fewer.
        start_s: where the part begins, in seconds from the first frame.
        end_s: where it ends, in seconds; None: with the video.

    Raises:
        InputError: a number makes no sense, or there is no frame in that part.
        MissingExtra: PyAV is not installed (extra `video`).
    """
    if not 1 <= n_frames <= MAX_FRAMES:
        raise InputError(f"Frames of a film must be 1 to {MAX_FRAMES}, got {n_frames}.")
    video = open_video(source) if isinstance(source, str | Path) else source
    numbers = FrameSelection(start_s=start_s, end_s=end_s).numbers(video.times)
    places = np.linspace(0, len(numbers) - 1, min(n_frames, len(numbers))).round().astype(int)
    frames = list(video.read(numbers[places]))
    if not frames:
        raise InputError(f"No frame of {video.name} can be decoded there. Name another part.")
    return frames
