"""Opens a video: a file of any container that PyAV reads, or a folder of numbered pictures."""

from pathlib import Path

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.video.frames import Video
from segue.video.picture_sequence import PictureSequence
from segue.video.video_file import VideoFile


def open_video(source: str | Path, *, folder_fps: float = 25.0) -> Video:
    """Open a video file, or a folder of numbered pictures.

    Args:
        source: a file of any container that PyAV reads, or a folder.
        folder_fps: frames a second of a folder, which has no times of its own.

    Raises:
        InputError: there is nothing there, or it is no video.
        MissingExtra: a file is given, and PyAV is not installed (extra `video`).
    """
    path = Path(source)
    if path.is_dir():
        return PictureSequence(path, fps=folder_fps)
    if not path.is_file():
        raise InputError(
            f"There is no video {printable_path(path)}. Give a video file, or a folder of numbered "
            "pictures."
        )
    return VideoFile(path)
