"""Following boxes: it moves along, gives up with a reason, and finds again."""

import pytest

from clips import square_box, square_pixels
from segue.segment.box_fill import BoxFill
from segue.trackers.box_following import BoxTracker
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask

SIZE = Size(48, 64)


def look(tracker, number, hidden=()):
    return tracker.look(Image(square_pixels(number, 1.5, hidden)))


@pytest.fixture
def follower():
    tracker = BoxTracker(BoxFill())
    return tracker.start(look(tracker, 0), Mask.from_box(square_box(0), SIZE))


TRACKER = BoxTracker(BoxFill())


def test_a_box_moves_with_its_object(follower):
    for number in range(1, 21):
        estimate = follower.advance(look(TRACKER, number))
        assert estimate.mask is not None, estimate.lost_because
        assert estimate.mask.box.iou(square_box(number, 1.5)) > 0.6


def test_what_vanishes_is_lost_with_a_reason_and_found_again_when_it_is_back(follower):
    hidden = range(4, 9)
    estimates = [follower.advance(look(TRACKER, number, hidden)) for number in range(1, 14)]
    lost = [number for number, e in enumerate(estimates, 1) if e.mask is None]
    assert lost == list(hidden)
    assert "shape and colours" in estimates[3].lost_because
    assert estimates[4].lost_because == "it has not been seen since"
    assert estimates[-1].mask.box.iou(square_box(13, 1.5)) > 0.6


def test_what_leaves_the_picture_is_lost(follower):
    estimates = [follower.advance(look(TRACKER, number)) for number in range(1, 45)]
    assert estimates[-1].mask is None
    assert estimates[20].mask is not None


def test_memory_goes_on_as_if_there_had_been_no_interruption(follower):
    for number in range(1, 6):
        last = follower.advance(look(TRACKER, number))
    again = TRACKER.start(look(TRACKER, 0), Mask.from_box(square_box(0), SIZE))
    again.prompt(look(TRACKER, 5), last.mask, last.memory)
    for number in range(6, 12):
        one, other = follower.advance(look(TRACKER, number)), again.advance(look(TRACKER, number))
        assert one.mask == other.mask
        assert one.memory == other.memory
