"""Some frames of a film: which, and as pictures of a conversation."""

import pytest

from clips import DrawnVideo, write_square_clip
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.errors import InputError
from segue.video.sampling import sample_frames


def test_frames_are_taken_evenly_with_the_first_and_the_last():
    def numbers(n_frames, **part):
        return [frame.number for frame in sample_frames(DrawnVideo(21), n_frames, **part)]

    assert numbers(5) == [0, 5, 10, 15, 20]
    assert numbers(1) == [0]
    assert numbers(3, start_s=1.0, end_s=1.5) == [10, 12, 14]
    assert numbers(64) == list(range(21))


def test_what_cannot_be_sampled_is_said():
    for n_frames in (0, 65):
        with pytest.raises(InputError, match=f"must be 1 to 64, got {n_frames}"):
            sample_frames(DrawnVideo(), n_frames)
    with pytest.raises(InputError, match="There is no frame from 9 s"):
        sample_frames(DrawnVideo(), 3, start_s=9)
    video = DrawnVideo()
    video.undecodable = frozenset(range(20))
    with pytest.raises(InputError, match="No frame of drawn can be decoded there"):
        sample_frames(video, 3)


def test_a_conversation_about_a_film_knows_when_its_frames_are_shown(tmp_path):
    pytest.importorskip("av")
    chat = Scripted(["It moves to the right."])
    talk = Assistant(chat).open_video(write_square_clip(tmp_path / "clip.mp4", 13), n_frames=3)
    assert [image.name for image in talk.images] == [
        "clip-000000.png", "clip-000006.png", "clip-000012.png",
    ]  # fmt: skip
    assert talk.ask("Where does it go?").text == "It moves to the right."
    system, question, *_ = talk.messages
    assert system.role == "system"
    assert system.text.endswith("in the order of time: 1 at 0.00 s, 2 at 0.60 s, 3 at 1.20 s.")
    assert len(question.images) == 3
