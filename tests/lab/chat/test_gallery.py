"""The gallery: the first right and the first wrong answer of each kind."""

import numpy as np

from lab.chat.evaluate import ChatQuestion, held_out_scenes, is_correct, questions_about
from lab.chat.gallery import gallery
from lab.scenes.sprites import shipped_bank
from segue.runtime.weights import locate


def test_true_answers_are_right_and_an_answer_to_nothing_is_wrong() -> None:
    questions = questions_about(held_out_scenes(shipped_bank(), 4, 3), 3)
    assert all(is_correct(question, question.turn.answer) for question in questions)
    assert not any(is_correct(question, "Ahoy.") for question in questions)


def test_boxes_must_lie_on_what_is_asked_for() -> None:
    questions = questions_about(held_out_scenes(shipped_bank(), 6, 3), 3)
    framing_questions = [
        question
        for question in questions
        if question.turn.kind == "ground" and len(question.group()) == 1
    ]
    assert framing_questions
    for question in framing_questions:
        x0, y0, x1, y1 = map(int, question.group()[0].corners)
        shifted_reply = f"<ref>x</ref><box>({x0 - 3 * (x1 - x0)},{y0}),({x0},{y1})</box>"
        assert isinstance(question, ChatQuestion)
        assert not is_correct(question, shifted_reply)


def test_the_gallery_has_a_right_and_a_wrong_cell_for_each_kind() -> None:
    sheet = gallery(locate("embedded/chat"), scenes=2, side=96)
    assert sheet.width == 4 * 104
    assert sheet.height % 188 == 0
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 500
