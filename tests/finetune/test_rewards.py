"""The reward of a reply is the mean IoU of its boxes with the true ones."""

import pytest

from segue.errors import UnknownName
from segue.finetune.rewards import box_reward
from segue.values.box import Box, Size

SIZE = Size(height=100, width=200)
LEFT, RIGHT = Box(0, 0, 100, 100), Box(100, 0, 200, 100)


def a_box(x0: int, x1: int) -> str:
    return f"<ref>cup</ref><box>({x0},0),({x1},1000)</box>"


def test_boxes_are_matched_one_to_one_and_what_is_missing_or_too_many_counts_as_nothing() -> None:
    def reward(reply: str, *boxes: Box) -> float:
        return box_reward(reply, boxes, dialect="qwen_vl", size=SIZE)

    both = a_box(500, 1000) + " and " + a_box(0, 500)
    assert reward(both, LEFT, RIGHT) == 1.0
    assert reward(a_box(0, 250), LEFT) == 0.5
    assert reward(both, LEFT) == reward(a_box(0, 500), LEFT, RIGHT) == 0.5
    assert reward(a_box(0, 500) * 2, LEFT, RIGHT) == 0.5
    assert reward(a_box(0, 500), RIGHT) == reward("A cup.", LEFT) == reward(both) == 0.0
    assert reward("There is none.") == reward("<box>(1,2") == 1.0


def test_pixels_of_the_resized_picture_are_those_of_the_picture_that_the_model_saw() -> None:
    reply = '```json\n[{"bbox_2d": [0, 0, 28, 28], "label": "cup"}]\n```'
    seen = Size(height=28, width=56)
    assert box_reward(reply, [LEFT], dialect="qwen2_5_vl", size=SIZE, seen=seen) == 1.0
    with pytest.raises(UnknownName):
        box_reward(reply, [LEFT], dialect="qwen9", size=SIZE)
