"""What a chat model says of the pictures it saw, and what the assistant makes of it."""

import json

import numpy as np
import pytest

from segue.assistant import Assistant
from segue.assistant.replay import replay
from segue.chat.scripted import Scripted
from segue.errors import InputError
from segue.pipeline.coordinates import CoordinateMapping
from segue.segment.box_fill import BoxFill
from segue.values.box import Box, Size
from segue.values.frames import (
    FRACTIONS,
    GRID_1000,
    SEEN_PIXELS,
    EitherFrame,
    Frame,
    FramedBox,
    FramedPoint,
    known_frame,
)

PICTURE = np.zeros((100, 200, 3), np.uint8)
REPLY = "<ref>dog</ref><box>(40,20),(120,60)</box>"


class Halving(Scripted):
    """A chat model that sees pictures at half their size and speaks in those pixels."""

    frame = SEEN_PIXELS

    def seen_size(self, size: Size) -> Size:
        return Size(size.height // 2, size.width // 2)


def test_pixels_of_the_resized_picture_are_scaled_back() -> None:
    (region,) = Assistant(Halving([REPLY]), None, BoxFill()).open(PICTURE).ask("where?").regions
    assert region.box == Box(80, 40, 200, 100)


def test_a_model_that_says_nothing_does_not_resize() -> None:
    mapping = CoordinateMapping.of(Scripted([]))
    assert mapping.resized(Size(3, 4)) == Size(3, 4)
    assert mapping.frame is None


def test_an_ambiguous_frame_is_said_and_not_drawn() -> None:
    class Unsure(Scripted):
        frame = EitherFrame((GRID_1000, SEEN_PIXELS))

    answer = Assistant(Unsure([REPLY]), None, BoxFill()).open(PICTURE).ask("where?")
    assert answer.regions == ()
    assert answer.not_found == ("dog",)
    with pytest.raises(InputError, match="a grid 0-1000 or pixels of the resized picture"):
        FramedBox(1, 2, 3, 4, Unsure.frame).to_box(Size(10, 10))


def test_a_replay_knows_the_size_that_was_seen(tmp_path) -> None:
    conversation = Assistant(Halving([REPLY]), None, BoxFill()).open(PICTURE)
    conversation.ask("where?")
    conversation.save(tmp_path)
    assert replay(tmp_path, Assistant(None, None, BoxFill())).differences == ()


@pytest.mark.parametrize(
    "frame", [None, GRID_1000, FRACTIONS, SEEN_PIXELS, EitherFrame((SEEN_PIXELS, Frame(999, 9)))]
)
def test_sight_survives_json(frame) -> None:
    mapping = CoordinateMapping(lambda size: Size(size.height * 2, 7), frame)
    again = CoordinateMapping.from_json(
        json.loads(json.dumps(mapping.to_json([Size(5, 6), Size(1, 1)])))
    )
    assert again.frame == frame
    assert again.resized(Size(5, 6)) == Size(10, 7)
    assert again.resized(Size(8, 8)) == Size(8, 8)


def test_points_stay_on_the_picture() -> None:
    point = FramedPoint.of(20, 10, Size(50, 100), Frame(100, 100))
    assert point.to_point(Size(50, 100)) == (20, 10)
    assert FramedPoint(1500, -3).to_point(Size(50, 100)) == (99.5, 0)
    assert known_frame(SEEN_PIXELS, Size(3, 4)) == Frame(4, 3)
