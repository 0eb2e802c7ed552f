"""Tracking runs: both directions, interruptions, corrections, losses, refusals."""

import json
from dataclasses import replace
from itertools import islice

import pytest

from clips import DrawnVideo, square_box
from segue.assistant import Assistant
from segue.detect import Detection
from segue.errors import InputError
from segue.files.append_only import FileBusy
from segue.runs.tracking.entries import Addition, Change, Correction, Target, Track
from segue.runs.tracking.legs import plan_legs
from segue.runs.tracking.run import TrackingRun
from segue.runs.tracking.settings import TrackingSettings
from segue.runs.tracking.store import JOURNAL, TrackStore
from segue.segment.box_fill import BoxFill
from segue.trackers.box_following import BoxTracker
from segue.values.box import Size
from segue.values.mask import Mask
from segue.video.selection import FrameSelection

FRAME = 8
SETTINGS = TrackingSettings(boxes=(square_box(FRAME).corners,), frame=FRAME)


class SquareDetector:
    """Finds the red square, by its colour."""

    name = "square-detector"

    def find(self, image, phrases, box_threshold=None, text_threshold=None):
        red = (image.array[..., 0] > 200) & (image.array[..., 1] < 100)
        if not red.any() or "square" not in phrases:
            return []
        rows, columns = red.any(1).nonzero()[0], red.any(0).nonzero()[0]
        box = replace(square_box(0), x0=columns[0], x1=columns[-1] + 1, y0=rows[0], y1=rows[-1] + 1)
        return [Detection("square", box, 0.9)]


class ForgetfulTracker(BoxTracker):
    """Finds nothing again by itself."""

    def start(self, frame, mask):
        return ForgetfulFollower(super().start(frame, mask))


class ForgetfulFollower:
    def __init__(self, follower):
        self.follower, self.is_lost = follower, False

    def prompt(self, frame, mask, memory=None):
        self.is_lost = False
        self.follower.prompt(frame, mask, memory)

    def advance(self, frame):
        estimate = self.follower.advance(frame)
        self.is_lost = self.is_lost or estimate.mask is None
        return replace(estimate, mask=None, lost_because="lost") if self.is_lost else estimate


class AttractedFollower(ForgetfulFollower):
    """From the eighth pixel on it takes the red square for its object."""

    def advance(self, frame):
        estimate = self.follower.advance(frame)
        red = frame.image.array[..., 0] > 200
        x = red.any(0).argmax()
        return replace(estimate, mask=Mask(red), score=0.1) if 8 < x < 12 else estimate

    def reject(self, reason):
        return self.follower.reject(reason)


class AttractedTracker(BoxTracker):
    def start(self, frame, mask):
        follower = super().start(frame, mask)
        return follower if mask.box.x0 < 30 else AttractedFollower(follower)


def a_run(folder, video=None, settings=SETTINGS, corrections=(), segmenter=None, additions=()):
    assistant = Assistant(detector=SquareDetector(), segmenter=segmenter or BoxFill())
    tracker = BoxTracker(assistant.segmenter)
    video = video or DrawnVideo()
    return TrackingRun(
        video, folder, settings, assistant, tracker, corrections=corrections, additions=additions
    )


def finish(run):
    results = list(run.results())
    return results, list(run.store.frames())


def masks_of(frames):
    return {
        frame.number: [(e.status, e.mask and e.mask.rle, e.reason) for e in frame.entries]
        for frame in frames
    }


def test_what_is_pointed_at_is_followed_to_the_end_and_then_to_the_beginning(tmp_path):
    results, frames = finish(a_run(tmp_path / "run"))
    assert [frame.number for frame in results] == [*range(8, 20), *range(7, -1, -1)]
    assert [frame.number for frame in frames] == list(range(20))
    for frame in frames:
        (entry,) = frame.entries
        assert entry.mask.box.iou(square_box(frame.number)) > 0.6
        assert frame.seconds == pytest.approx(frame.number / 10)


def test_frames_are_read_once_and_a_finished_run_reads_none(tmp_path):
    video = DrawnVideo()
    finish(a_run(tmp_path / "run", video))
    assert len(video.read_numbers) <= 20 + 3  # and the frame pointed at, once for each direction
    again = DrawnVideo()
    run = a_run(tmp_path / "run", again)
    assert run.n_pending == 0
    assert finish(run)[0] == []
    assert again.read_numbers == []


@pytest.mark.parametrize("n_done", [1, 5, 12, 13, 17])
def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path, n_done):
    hidden = (3, 4, 12, 13)
    _, expected = finish(a_run(tmp_path / "whole", DrawnVideo(hidden=hidden)))
    run = a_run(tmp_path / "run", DrawnVideo(hidden=hidden))
    list(islice(run.results(), n_done))
    with (tmp_path / "run" / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "frame", "leg": 0, "fra')  # as kill -9 leaves it
    rest, frames = finish(a_run(tmp_path / "run", DrawnVideo(hidden=hidden)))
    assert len(rest) == 20 - n_done
    assert masks_of(frames) == masks_of(expected)


def test_lost_and_found_again_are_entries(tmp_path):
    run = a_run(tmp_path / "run", DrawnVideo(hidden=(12, 13, 14)))
    _, frames = finish(run)
    statuses = {frame.number: frame.entries[0].status for frame in frames}
    assert [n for n, status in statuses.items() if status == "lost"] == [12, 13, 14]
    assert statuses[15] == "found again"
    (gap,) = run.store.gaps()
    assert (gap.first, gap.last, gap.found_by) == (12, 14, "tracker")
    assert "shape and colours" in gap.reason


def test_what_was_found_already_is_followed_without_asking_a_model(tmp_path):
    assistant = Assistant(segmenter=BoxFill())
    settings = TrackingSettings(phrases=("it",), frame=FRAME)
    (mask,) = assistant.grounder.view(next(DrawnVideo().read([FRAME])).image).mask(
        boxes=[square_box(FRAME)]
    )
    tracker = BoxTracker(assistant.segmenter)
    found = [("it", mask)]
    run = TrackingRun(DrawnVideo(), tmp_path / "found", settings, assistant, tracker, found=found)
    _, frames = finish(run)
    assert masks_of(frames) == masks_of(finish(a_run(tmp_path / "box"))[1])
    assert run.store.tracks[1].phrase == "it"


def test_a_lost_phrase_is_found_again_by_the_detector(tmp_path):
    assistant = Assistant(detector=SquareDetector(), segmenter=BoxFill())
    settings = TrackingSettings(phrases=("square",), redetect_every=2)
    video = DrawnVideo(hidden=(5, 6, 7))
    run = TrackingRun(video, tmp_path, settings, assistant, ForgetfulTracker(BoxFill()))
    _, frames = finish(run)
    found = {frame.number: frame.entries[0] for frame in frames}
    assert [n for n, e in found.items() if e.mask is None] == [5, 6, 7, 8]
    assert (found[9].status, found[9].reason) == ("found again", "phrase")
    assert found[19].status == "tracked"
    assert run.store.gaps()[0].found_by == "phrase"


def test_a_track_that_jumps_onto_another_one_is_lost_there(tmp_path):
    assistant = Assistant(segmenter=BoxFill())
    boxes = (square_box(0).corners, (40.0, 34.0, 60.0, 46.0))
    run = TrackingRun(
        DrawnVideo(),
        tmp_path,
        TrackingSettings(boxes=boxes),
        assistant,
        AttractedTracker(BoxFill()),
    )
    _, frames = finish(run)
    lost = {frame.number: frame.entries[1].reason for frame in frames if not frame.entries[1].mask}
    assert lost == dict.fromkeys((5, 6, 7), "its mask is that of track 1")
    assert all(frame.entries[0].mask is not None for frame in frames)
    assert frames[8].entries[1].status == "found again"


def test_two_tracks_on_one_object_from_the_first_stay_two(tmp_path):
    settings = TrackingSettings(boxes=(square_box(0).corners, square_box(0).corners))
    _, frames = finish(a_run(tmp_path, settings=settings))
    assert all(entry.mask is not None for frame in frames for entry in frame.entries)


def test_a_correction_changes_its_track_from_there_away_from_what_was_pointed_at(tmp_path):
    settings = replace(SETTINGS, boxes=(square_box(FRAME).corners, (40.0, 34.0, 60.0, 46.0)))
    _, before = finish(a_run(tmp_path / "run", settings=settings))
    shifted = (2.0, 2.0, 12.0, 12.0)
    correction = Correction(14, 2, shifted)
    results, after = finish(a_run(tmp_path / "run", settings=settings, corrections=[correction]))
    assert [frame.number for frame in results] == [14, 15, 16, 17, 18, 19]
    assert masks_of(after[:14]) == masks_of(before[:14])
    assert [e.track for e in after[16].entries] == [1, 2]
    assert masks_of(after)[16][0] == masks_of(before)[16][0]
    assert after[14].entries[1].mask.box.corners == shifted
    again = a_run(tmp_path / "run", settings=settings, corrections=[correction])
    assert finish(again)[0] == []


def test_a_correction_that_marks_nothing_is_not_kept(tmp_path):
    finish(a_run(tmp_path))
    beside = Correction(14, 1, None, ((30.0, 30.0, 0),))  # not on it, and nothing else
    with pytest.raises(InputError, match="The correction of frame 14 marks nothing"):
        finish(a_run(tmp_path, corrections=[Correction(12, 1, (2, 2, 9, 9)), beside]))
    assert TrackStore(tmp_path).corrections == []
    assert finish(a_run(tmp_path))[0] == []


def legs_of(*corrections, undone=()):
    changes, first_leg = [], 2
    for index, frame in enumerate(corrections):
        made = Correction(frame, 1, (0, 0, 1, 1))
        changes.append(Change(made, 1, first_leg, index in undone))
        first_leg += 2 if frame == FRAME else 1
    legs = plan_legs(DrawnVideo().times.argsort(), {1: Track(1, "", FRAME)}, changes)
    return [(leg.number, leg.is_backward, leg.frames.tolist()) for leg in legs]


def test_corrections_end_at_one_another():
    both_ways = [(0, False, list(range(8, 20))), (1, True, list(range(8)))]
    assert legs_of(14, 11, 4, 8) == [
        *both_ways,
        (2, False, list(range(14, 20))), (3, False, [11, 12, 13]), (4, True, [0, 1, 2, 3, 4]),
        (5, False, [8, 9, 10]), (6, True, [5, 6, 7]),
    ]  # fmt: skip
    assert legs_of(14, 11, 14, undone={1}) == [*both_ways, (4, False, list(range(14, 20)))]
    assert legs_of(14, 11, 14, undone={0, 2}) == [*both_ways, (3, False, list(range(11, 20)))]
    assert legs_of(8, 4, undone={0}) == [*both_ways, (4, True, [0, 1, 2, 3, 4])]


def undo(folder, **which):
    with TrackStore(folder) as store:
        return store.undo(**which)


def test_a_correction_that_is_undone_leaves_the_run_as_it_was(tmp_path):
    _, before = finish(a_run(tmp_path))
    corrected = [Correction(14, 1, (2, 2, 12, 12)), Correction(11, 1, (2, 2, 12, 12))]
    finish(a_run(tmp_path, corrections=corrected[:1]))
    _, both = finish(a_run(tmp_path, corrections=corrected[1:]))
    undo(tmp_path, frame=14, track=1)
    run = a_run(tmp_path)
    assert run.n_pending == 6  # frames that the other correction had left to this one
    results, after = finish(run)
    assert [frame.number for frame in results] == list(range(14, 20))
    assert masks_of(after[:14]) == masks_of(both[:14])
    assert run.store.corrections == corrected[1:]
    undo(tmp_path)
    results, after = finish(a_run(tmp_path))
    assert (results, masks_of(after)) == ([], masks_of(before))
    with pytest.raises(InputError, match=r"no correction or addition to undo. There are: none"):
        undo(tmp_path)
    assert len(finish(a_run(tmp_path, corrections=corrected[1:]))[0]) == 9  # made once more


def test_what_is_added_is_followed_without_the_others(tmp_path):
    _, before = finish(a_run(tmp_path))
    target = Target("the square", square_box(14).corners)
    run = a_run(tmp_path, additions=[Addition(14, target)])
    assert run.n_pending == 20
    rest = list(islice(run.results(), 9))  # interrupted on its way backwards
    assert [frame.number for frame in rest] == [14, *range(15, 20), 13, 12, 11]
    results, after = finish(a_run(tmp_path, additions=[Addition(14, target)]))
    assert [frame.number for frame in results] == list(range(10, -1, -1))
    for frame, old in zip(after, before):
        assert frame.entries[0].mask == old.entries[0].mask
        assert frame.entries[1].mask.box.iou(square_box(frame.number)) > 0.6
    assert a_run(tmp_path).store.tracks[2] == Track(2, "the square", 14)
    finish(a_run(tmp_path, corrections=[Correction(14, 2, (2, 2, 12, 12))]))  # where it was added
    change = undo(tmp_path, track=2)
    assert change.made == Correction(14, 2, (2, 2, 12, 12))
    assert masks_of(TrackStore(tmp_path).frames()) == masks_of(after)
    undo(tmp_path, track=2)
    assert masks_of(TrackStore(tmp_path).frames()) == masks_of(before)
    shown = Target("", mask=after[14].entries[0].mask)
    run = a_run(tmp_path, additions=[Addition(14, shown)])
    assert len(finish(run)[0]) == 20
    assert list(run.store.tracks) == [1, 3]  # an id is given once


def test_what_somebody_else_wrote_meanwhile_is_known_before_anything_is_written(tmp_path):
    finish(a_run(tmp_path))
    addition = Addition(14, Target("", square_box(14).corners))
    late = a_run(tmp_path, additions=[addition])
    finish(a_run(tmp_path, additions=[addition]))
    assert finish(late)[0] == []  # it is there already
    one, other = TrackStore(tmp_path), TrackStore(tmp_path)
    with one:
        assert one.undo().track == 2
        with pytest.raises(FileBusy), other:
            pass
    with other, pytest.raises(InputError, match="There are: none"):
        other.undo()
    assert list(TrackStore(tmp_path).tracks) == [1]


def test_targets_are_tracks_and_what_shows_nothing_is_not_kept(tmp_path):
    box = square_box(FRAME).corners
    shown = Mask.from_box(square_box(FRAME), DrawnVideo.size)
    targets = (Target("one", box), Target("two", mask=shown))
    settings = TrackingSettings(targets=targets, frame=FRAME)
    finish(a_run(tmp_path, settings=settings))
    store = TrackStore(tmp_path)
    assert store.settings == settings
    assert [track.phrase for track in store.tracks.values()] == ["one", "two"]
    beside = Addition(14, Target("", None, ((30.0, 30.0, 0),)))
    with pytest.raises(InputError, match="to be added on frame 14 marks nothing"):
        finish(a_run(tmp_path, settings=settings, additions=[beside]))
    small = Addition(14, Target("", mask=Mask.from_box(square_box(0), Size(24, 32))))
    with pytest.raises(InputError, match="64 x 48 pixels, got 32 x 24"):
        finish(a_run(tmp_path, settings=settings, additions=[small]))
    assert TrackStore(tmp_path).additions == {}
    with pytest.raises(InputError, match="a box, a click or a mask"):
        Target("one")


def test_frames_that_cannot_be_decoded_are_entries_without_tracks(tmp_path):
    video = DrawnVideo()
    video.undecodable = frozenset({3, 10, 19})
    results, frames = finish(a_run(tmp_path, video))
    assert len(results) == 20
    assert [frame.number for frame in frames if not frame.entries] == [3, 10, 19]


def test_changed_settings_are_refused_with_what_changed(tmp_path):
    finish(a_run(tmp_path))
    changed = replace(SETTINGS, selection=FrameSelection(every=2))
    with pytest.raises(InputError, match="selection.every was 1, is 2"):
        a_run(tmp_path, settings=changed)
    with pytest.raises(InputError, match="video.frames was 20, is 21"):
        a_run(tmp_path, DrawnVideo(21))


def test_a_frame_that_is_not_looked_at_is_refused_with_the_nearest(tmp_path):
    settings = replace(SETTINGS, frame=5, selection=FrameSelection(every=2))
    with pytest.raises(InputError, match=r"Frame 5 is not among .* The nearest: 4, 6"):
        a_run(tmp_path, settings=settings)


def test_nothing_to_follow_is_refused_before_anything_is_kept(tmp_path):
    settings = TrackingSettings(phrases=("unicorn",))
    with pytest.raises(InputError, match=r"not found: 'unicorn'\). Name another frame"):
        finish(a_run(tmp_path, settings=settings))
    assert TrackStore(tmp_path).n_frames == 0
    results, _ = finish(a_run(tmp_path))  # the next try may ask for something else
    assert len(results) == 20
    with pytest.raises(InputError, match="Nothing to follow"):
        TrackingSettings()


def test_two_processes_do_not_write_to_one_run(tmp_path):
    run = a_run(tmp_path)
    results = run.results()
    next(results)
    with pytest.raises(InputError, match="Another process tracks"):
        next(a_run(tmp_path).results())
    results.close()


def test_a_damaged_journal_is_refused_with_its_line(tmp_path):
    finish(a_run(tmp_path))
    lines = (tmp_path / JOURNAL).read_text().splitlines(keepends=True)
    lines[2] = json.dumps({"kind": "frame"}) + "\n"
    (tmp_path / JOURNAL).write_text("".join(lines))
    with pytest.raises(InputError, match="Line 3 of"):
        TrackStore(tmp_path)
