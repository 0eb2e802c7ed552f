"""What the chat model is taught to say about a scene."""

import numpy as np
import pytest

from segue.embedded.dialogues import (
    KINDS,
    Narrator,
    Thing,
    chinese_count,
    english_count,
    join,
    made_up_word,
)
from segue.embedded.questions import HELD_OUT_CHINESE, HELD_OUT_NOUNS
from segue.embedded.vocabulary import by_name

DOG, CAT, AIRPLANE = (by_name()[name].index for name in ("dog", "cat", "airplane"))
THINGS = (
    Thing(CAT, (700, 100, 900, 300), 0),
    Thing(DOG, (400, 700, 500, 900), 1),
    Thing(DOG, (10, 20, 200, 300), 2),
)


def narrator(seed: int = 0) -> Narrator:
    return Narrator(THINGS, "airport", np.random.default_rng(seed))


def test_descriptions_list_from_left_to_right_with_numbers_and_background() -> None:
    english = narrator().ask("describe", False)
    assert english is not None
    assert english.answer == (
        "The picture shows two dogs and a cat. The background is an airport at night."
    )
    chinese = narrator().ask("describe", True)
    assert chinese is not None
    assert chinese.answer == "图片里有两只狗和一只猫，背景是夜晚的机场。"


def test_grounding_names_every_instance_and_tells_which_objects_the_boxes_are() -> None:
    turn = narrator().ask("ground", True, DOG)
    assert turn is not None
    assert turn.answer == "<ref>狗</ref><box>(10,20),(200,300)</box><box>(400,700),(500,900)</box>"
    assert turn.boxes == (2, 1)


def test_what_is_not_there_is_denied() -> None:
    turn = narrator().ask("ground", False, AIRPLANE)
    assert turn is not None
    assert not turn.present
    assert turn.answer == "There is no airplane in the picture."
    asked = narrator().ask("exist", True, AIRPLANE)
    assert asked is not None
    assert asked.answer == "没有，图片里没有飞机。"


def test_places_and_sides_are_told() -> None:
    where = narrator().ask("where", False, CAT)
    assert where is not None
    assert where.answer == "The cat is at the top right of the picture."
    assert narrator().ask("side", False) is None  # only one noun is there once


def test_a_chinese_request_to_segment_gets_the_english_tag() -> None:
    turn = narrator().ask("segment", True, AIRPLANE)
    assert turn is not None
    assert "飞机" in turn.question
    assert turn.answer == "<gsam>airplane</gsam>"


@pytest.mark.parametrize("kind", KINDS)
def test_questions_and_answers_have_no_empty_slot(kind) -> None:
    for seed in range(30):
        for chinese in (False, True):
            turn = narrator(seed).ask(kind, chinese)
            if turn is not None:
                assert "{" not in turn.question + turn.answer
                assert turn.question
                assert turn.answer


def test_new_words_in_training_are_never_the_held_out_ones() -> None:
    words = set(HELD_OUT_NOUNS) | set(HELD_OUT_CHINESE)
    for seed in range(300):
        turn = narrator(seed).ask("segment_new", seed % 2 == 0)
        assert turn is not None
        phrase = turn.answer.removeprefix("<gsam>").removesuffix("</gsam>")
        assert phrase in turn.question
        assert not words & {phrase, phrase.split(" ")[-1]}


def test_a_follow_up_speaks_of_the_noun_as_it() -> None:
    told = narrator()
    first = told.ask("ground", False, CAT)
    assert first is not None
    then = told.follow(first, False)
    assert then is not None
    assert "cat" not in then.question
    assert "cat" in then.answer


def test_counts_and_lists_are_words() -> None:
    glasses = by_name()["glasses"].index
    assert english_count(glasses, 2) == "two pairs of glasses"
    assert chinese_count(DOG, 2) == "两只狗"
    assert join(["a", "b", "c"], False) == "a, b and c"


def test_made_up_words_are_letters() -> None:
    rng = np.random.default_rng(0)
    assert all(made_up_word(rng).isalpha() for _ in range(50))
