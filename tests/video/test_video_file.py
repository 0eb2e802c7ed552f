"""Video files: numbers, times, rotation, order, and how much is held."""

import weakref

import numpy as np
import pytest

from clips import SIZE, square_pixels, write_square_clip
from segue.errors import InputError, MissingExtra
from segue.values.image import Image
from segue.video.frames import MAX_BACKWARD_FRAMES, read_backward
from segue.video.opening import open_video
from segue.video.picture_sequence import PictureSequence
from segue.video.video_file import SELF_CONTAINED, VideoFile, VideoLimits

av = pytest.importorskip("av")


def is_frame(image: Image, number: int) -> bool:
    """Whether a decoded picture is that frame, but for what a codec changes."""
    return abs(image.array.astype(int) - square_pixels(number)).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])  # AVI has no times of its own
def test_frames_are_found_by_number_in_any_container(tmp_path, suffix):
    video = open_video(write_square_clip(tmp_path / f"clip{suffix}", 40))
    assert video.size == SIZE
    assert len(video.times) == 40
    numbers = [0, 3, 17, 39]
    frames = list(video.read(numbers))
    assert [frame.number for frame in frames] == numbers
    assert all(is_frame(frame.image, frame.number) for frame in frames)
    backward = list(read_backward(video, np.array([2, 5, 30])))
    assert [frame.number for frame in backward] == [30, 5, 2]
    assert all(is_frame(frame.image, frame.number) for frame in backward)


def test_variable_frame_rates_keep_their_times(tmp_path):
    times = [0, 0.04, 0.08, 0.5, 0.52, 2.0]
    video = open_video(write_square_clip(tmp_path / "clip.mkv", 6, times))
    assert video.times == pytest.approx(times, abs=0.002)


def test_a_film_that_the_container_turns_is_upright(tmp_path):
    file = write_square_clip(tmp_path / "clip.mp4", 3)
    content = bytearray(file.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # version and flags, times, id, layer, volume
    quarter = [0, 1, 0, -1, 0, 0, 0, 0, 16384]  # 90 degrees clockwise, as telephones write it
    content[matrix : matrix + 36] = b"".join(
        (value * 65536).to_bytes(4, "big", signed=True) for value in quarter
    )
    file.write_bytes(content)
    video = open_video(file)
    assert tuple(video.size) == (64, 48)
    (frame,) = video.read([1])
    expected = np.rot90(square_pixels(1), -1)
    assert abs(frame.image.array.astype(int) - expected).mean() < 8


def test_a_long_clip_is_never_held_as_a_whole(tmp_path):
    video = open_video(write_square_clip(tmp_path / "clip.mp4", 150))
    alive, most = set(), 0
    numbers = np.arange(150)
    for pass_over, limit in (
        (video.read(numbers), 3),
        (read_backward(video, numbers), MAX_BACKWARD_FRAMES + 2),
    ):
        most = 0
        for frame in pass_over:
            alive.add(id(frame.image))
            weakref.finalize(frame.image, alive.discard, id(frame.image))
            most = max(most, len(alive))
            del frame
        assert most <= limit


def test_frames_that_cannot_be_decoded_are_left_out_and_keep_their_numbers(tmp_path):
    file = write_square_clip(tmp_path / "clip.mkv", 30)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    file.write_bytes(content)
    video = open_video(file)
    numbers = [frame.number for frame in video.read(range(len(video.times)))]
    assert 0 < len(numbers) < len(video.times)
    assert numbers == sorted(set(numbers))


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"Cannot read .*a\.mp4 as a video"):
        open_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="There is no video"):
        open_video(tmp_path / "b.mp4")


def test_a_playlist_reaches_no_network(tmp_path):
    """Whatever was fetched would fail in another way: tests have no network."""
    playlist = tmp_path / "a.m3u8"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:5", "#EXTINF:5,", "http://127.0.0.1:9/a.ts"]
    playlist.write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    with pytest.raises(InputError, match=r"a\.m3u8"):
        open_video(playlist)


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    file = write_square_clip(tmp_path / "clip.mp4", 2)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"pip install 'segue\[video\]'"):
        open_video(file)


def test_a_folder_of_numbered_pictures_is_a_video_in_the_order_of_numbers(tmp_path):
    for number in (2, 10, 1):
        (tmp_path / f"frame{number}.png").write_bytes(Image(square_pixels(number)).to_png_bytes())
    (tmp_path / "notes.txt").write_text("x")
    video = open_video(tmp_path, folder_fps=10)
    assert [video.frame_name(n) for n in range(3)] == ["frame1.png", "frame2.png", "frame10.png"]
    assert video.times == pytest.approx([0, 0.1, 0.2])
    assert np.array_equal(next(video.read([2])).image.array, square_pixels(10))
    (tmp_path / "frame010.png").write_bytes(b"")
    with pytest.raises(InputError, match="Two frames"):
        open_video(tmp_path)


def test_frames_of_a_folder_must_have_one_size(tmp_path):
    for number, size in ((1, (8, 8)), (2, (8, 9))):
        picture = Image(np.zeros((*size, 3), np.uint8))
        (tmp_path / f"{number}.png").write_bytes(picture.to_png_bytes())
    with pytest.raises(InputError, match="one size, got 9 x 8 in 2.png after 8 x 8 in 1.png"):
        list(PictureSequence(tmp_path).read([0, 1]))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_limits_bound_frames_and_pixels(tmp_path, suffix):
    clip = write_square_clip(tmp_path / f"clip{suffix}", 12)
    limits = VideoLimits(max_pixels=64 * 48, max_frames=12, demuxers=SELF_CONTAINED)
    assert len(VideoFile(clip, limits).times) == 12
    with pytest.raises(InputError, match=r"^film has more than 11 frames\. Cut it first"):
        VideoFile(clip, VideoLimits(max_frames=11), "film")
    with pytest.raises(InputError, match="64 x 48 pixels, more than 3000"):
        VideoFile(clip, VideoLimits(max_pixels=3000))


def test_a_listing_of_other_files_is_not_self_contained(tmp_path):
    write_square_clip(tmp_path / "clip.mp4", 3)
    listing = tmp_path / "list.ffconcat"
    listing.write_text("ffconcat version 1.0\nfile clip.mp4\n")
    assert len(VideoFile(listing).times) == 3
    with pytest.raises(InputError, match="Cannot read"):
        VideoFile(listing, VideoLimits(demuxers=SELF_CONTAINED))
