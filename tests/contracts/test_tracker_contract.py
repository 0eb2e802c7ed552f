"""What every tracker promises. A new line in TRACKERS is tested here without a new test."""

import json

import numpy as np
import pytest

from clips import square_box, square_pixels
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.trackers import TRACKERS, Tracker
from segue.trackers.video_memory import MODEL_CLASSES
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask
from tiny_models import tiny_video_model
from workers import one_worker_each

SIZE = Size(48, 64)
OTHER_MODELS = [kind for kind in MODEL_CLASSES if kind != "sam2_video"]


@pytest.fixture(scope="module", params=one_worker_each("tracker", [*TRACKERS, *OTHER_MODELS]))
def tracker(request, tmp_path_factory):
    if request.param == "box_following":
        return TRACKERS.load("box_following", BoxFill())
    kind = request.param if request.param in OTHER_MODELS else "sam2_video"
    folder = tiny_video_model(tmp_path_factory.mktemp(kind), kind)
    return TRACKERS.load("video_memory", folder, device="cpu")


def look(tracker, number, hidden=()):
    return tracker.look(Image(square_pixels(number, hidden=hidden)))


def start(tracker):
    return tracker.start(look(tracker, 0), Mask.from_box(square_box(0), SIZE))


def test_it_has_a_name(tracker):
    assert isinstance(tracker, Tracker)
    assert tracker.name


def test_an_estimate_is_a_mask_of_the_frame_or_says_why_there_is_none(tracker):
    follower = start(tracker)
    estimates = [follower.advance(look(tracker, number)) for number in range(1, 5)]
    assert any(estimate.mask is not None for estimate in estimates)
    for estimate in estimates:
        assert 0 <= estimate.score <= 1
        assert bool(estimate.lost_because) == (estimate.mask is None)
        if estimate.mask is not None:
            assert estimate.mask.size == SIZE
            assert not estimate.mask.is_empty
        json.dumps(dict(estimate.memory))


def test_two_followers_of_one_tracker_do_not_know_one_another(tracker):
    alone, one, other = start(tracker), start(tracker), start(tracker)
    other.advance(look(tracker, 9))
    for number in range(1, 4):
        frame = look(tracker, number)
        other.advance(frame)
        expected, estimate = alone.advance(look(tracker, number)), one.advance(frame)
        assert estimate.score == pytest.approx(expected.score, abs=1e-4)
        assert (estimate.mask is None) == (expected.mask is None)


def test_a_prompt_is_where_the_object_is(tracker):
    follower = start(tracker)
    follower.advance(look(tracker, 1))
    follower.prompt(look(tracker, 20), Mask.from_box(square_box(20), SIZE))
    estimate = follower.advance(look(tracker, 21))
    assert estimate.mask is not None
    assert estimate.mask.size == SIZE


def test_a_rejected_estimate_says_why(tracker):
    follower = start(tracker)
    follower.advance(look(tracker, 1))
    estimate = follower.reject("it is another one")
    assert estimate.mask is None
    assert estimate.lost_because == "it is another one"


def test_what_cannot_be_followed_is_refused(tracker):
    frame = look(tracker, 0)
    with pytest.raises(InputError, match="empty mask"):
        tracker.start(frame, Mask.empty(SIZE))
    with pytest.raises(InputError, match="size of its frame, 64 x 48"):
        tracker.start(frame, Mask(np.ones((5, 5), bool)))
