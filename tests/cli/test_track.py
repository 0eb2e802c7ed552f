"""`segue track`: the work, going on, corrections, and what is refused."""

import json

import pytest

from clips import write_square_clip
from segue.runs.tracking.store import TrackStore

pytest.importorskip("av")


@pytest.fixture
def stages(tmp_path):
    (tmp_path / "places.json").write_text(json.dumps({"square": [[4, 16, 18, 30, 0.9]]}))
    return ["--detect", f"fixed:{tmp_path / 'places.json'}", "--segment", "box_fill:"]


@pytest.fixture
def clip(tmp_path):
    return write_square_clip(tmp_path / "clip.mp4", 12)


def test_a_phrase_is_followed_and_the_same_command_goes_on(run, stages, clip, tmp_path):
    arguments = ["track", clip, "square, unicorn", "--out", tmp_path / "run", *stages]
    outcome = run(*arguments)
    assert outcome.code == 0, outcome.err
    assert "12 frames of 64 x 48, 12 of them looked at, from frame 0" in outcome.out
    assert ["1", "square", "12", "0"] in [line.split() for line in outcome.out.splitlines()]
    assert "not found on that frame: unicorn" in outcome.out
    for name in ("coco.json", "mot.txt", "sheet.png", "overlay.mp4"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    again = run(*arguments)
    assert again.code == 0, again.err
    assert "12 frame(s) are done already" in again.out
    assert "0 frame(s) tracked" in again.out


def test_the_summary_is_json_where_asked(run, stages, clip, tmp_path):
    outcome = run("track", clip, "square", "-o", tmp_path / "run", "--no-film", *stages,
                  "--json", "-")  # fmt: skip
    summary = json.loads(outcome.out)
    assert summary["tracks"] == [{"id": 1, "phrase": "square", "seen": 12, "lost": 0}]
    assert (summary["frames"], summary["gaps"], len(summary["files"])) == (12, [], 3)


def test_a_correction_needs_no_repetition_of_what_is_followed(run, stages, clip, tmp_path):
    folder = tmp_path / "run"
    boxes = ["--box", "4,16,18,30", "--box", "40,34,60,46"]
    run("track", clip, *boxes, "-o", folder, "--no-film", *stages)
    outcome = run("track", clip, "-o", folder, "--correct", "6", "--box", "2,2,12,12",
                  "--track", "2", "--no-film", *stages)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "6 frame(s) tracked" in outcome.out
    frames = list(TrackStore(folder).frames())
    assert frames[6].entries[1].mask.box.corners == (2, 2, 12, 12)
    undone = run("track", clip, "-o", folder, "--undo", "--track", "2", "--no-film", *stages)
    assert undone.code == 0, undone.err
    assert "undone: the correction of track 2 on frame 6" in undone.out
    frames = list(TrackStore(folder).frames())
    assert frames[6].entries[1].mask.box.corners != (2, 2, 12, 12)
    added = run("track", clip, "square, cat", "-o", folder, "--add", "--frame", "3", "--no-film",
                *stages)  # fmt: skip
    assert added.code == 0, added.err
    assert "12 frame(s) tracked" in added.out
    assert "not found on frame 3: cat" in added.out
    assert TrackStore(folder).tracks[3].phrase == "square"
    unclear = run("track", clip, "-o", folder, "--correct", "7", "--box", "2,2,12,12", *stages)
    assert unclear.code == 2
    assert (
        "Say which track with --track. There are: 1 (no phrase), 2 (no phrase), 3 (" in unclear.err
    )


def test_a_chat_question_points_at_what_is_followed(run, clip, tmp_path):
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps(["<ref>square</ref><box>(62,333),(281,625)</box>"]))
    outcome = run("track", clip, "--ask", "Frame the square.", "-o", tmp_path / "run", "--no-film",
                  "--chat", f"scripted:{replies}", "--detect", "none",
                  "--segment", "box_fill:")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert ["1", "square", "12", "0"] in [line.split() for line in outcome.out.splitlines()]


def test_a_folder_of_pictures_is_followed_from_a_click_in_its_middle(run, tmp_path, stages):
    from clips import square_pixels
    from segue.values.image import Image

    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number:03d}.png").write_bytes(Image(square_pixels(number)).to_png_bytes())
    outcome = run("track", folder, "--point", "15,23", "--frame", "4", "--every", "2",
                  "-o", tmp_path / "run", "--no-film", *stages)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "8 frames of 64 x 48, 4 of them looked at, from frame 4" in outcome.out
    assert [frame.number for frame in TrackStore(tmp_path / "run").frames()] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing to follow"),
        (["square", "--track", "1"], "--track says which track --correct or --undo means"),
        (["--undo", "--correct", "3"], "Use one of --correct, --add and --undo"),
        (["--correct", "3", "--box", "1,2,3,4"], "is no tracking run"),
        (["square", "--start", "soon"], "Expected a time as 12.5, 1:30 or 1:02:30, got 'soon'"),
        (["square", "--tracker", "sam2.1-hiera-tin"], "Did you mean 'sam2.1-hiera-tiny'?"),
    ],
)
def test_what_makes_no_sense_is_refused(run, stages, clip, tmp_path, arguments, message):
    outcome = run("track", clip, *arguments, "-o", tmp_path / "run", *stages)
    assert outcome.code == 2
    assert message in outcome.err
