"""The gallery: the first right and the first wrong answer of each kind."""

import numpy as np

from segue.embedded.chat_evaluation import Asked, held_out_scenes, questions_about, right
from segue.embedded.chat_gallery import gallery
from segue.embedded.sprites import shipped_bank
from segue.runtime.weights import locate


def test_true_answers_are_right_and_an_answer_to_nothing_is_wrong() -> None:
    asked = questions_about(held_out_scenes(shipped_bank(), 4, 3), 3)
    assert all(right(one, one.turn.answer) for one in asked)
    assert not any(right(one, "Ahoy.") for one in asked)


def test_boxes_must_lie_on_what_is_asked_for() -> None:
    asked = questions_about(held_out_scenes(shipped_bank(), 6, 3), 3)
    framed = [one for one in asked if one.turn.kind == "ground" and len(one.group()) == 1]
    assert framed
    for one in framed:
        x0, y0, x1, y1 = one.group()[0]
        moved = f"<ref>x</ref><box>({x0 - 3 * (x1 - x0)},{y0}),({x0},{y1})</box>"
        assert isinstance(one, Asked)
        assert not right(one, moved)


def test_the_gallery_has_a_right_and_a_wrong_cell_for_each_kind() -> None:
    sheet = gallery(locate("embedded/chat"), scenes=2, side=96)
    assert sheet.width == 4 * 104
    assert sheet.height % 188 == 0
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 500
