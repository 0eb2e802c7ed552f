import numpy as np
import pytest

from segue.errors import InputError
from segue.video.selection import FrameSelection, parse_time

TIMES = np.arange(100) / 25


def test_every_nth_frame_of_a_part():
    numbers = FrameSelection(every=10, start_s=1, end_s=2).numbers(TIMES)
    assert numbers.tolist() == [25, 35, 45]


def test_frames_a_second_follow_the_times():
    assert FrameSelection(fps=5).numbers(TIMES).tolist() == list(range(0, 100, 5))
    assert FrameSelection(fps=100).numbers(TIMES).tolist() == list(range(100))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"every": 0}, "at least 1"),
        ({"fps": 0}, "above 0"),
        ({"fps": 2, "every": 2}, "--fps"),
        ({"start_s": -1}, "0 seconds or later"),
        ({"start_s": 5, "end_s": 4}, "behind the start"),
    ],
)
def test_what_selects_nothing_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        FrameSelection(**fields)


def test_a_part_behind_the_end_is_refused_with_the_end():
    with pytest.raises(InputError, match=r"last frame of the video is shown at 3\.960 s"):
        FrameSelection(start_s=10).numbers(TIMES)


def test_times_are_read_as_people_write_them():
    assert parse_time("1:02:03.5") == 3723.5
    with pytest.raises(InputError, match="1:30"):
        parse_time("soon")
