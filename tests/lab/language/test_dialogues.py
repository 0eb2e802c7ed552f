"""What the chat model is taught to say about a scene."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.language.dialogues import KINDS, Narrator
from lab.language.questions import HELD_OUT_CHINESE, HELD_OUT_NOUNS
from lab.language.relations import SIDES
from lab.language.turn import Thing
from lab.scenes import colours
from lab.scenes.vocabulary import by_name, nouns

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
    denied_turn = narrator().ask("exist", True, AIRPLANE)
    assert denied_turn is not None
    assert denied_turn.answer == "没有，图片里没有飞机。"


def test_places_and_sides_are_told() -> None:
    where = narrator().ask("where", False, CAT)
    assert where is not None
    assert where.answer == "The cat is at the top right of the picture."
    assert narrator().ask("side", False) is None  # only one noun is there once


def test_the_colour_of_a_thing_is_told_where_it_has_one() -> None:
    red = Thing(CAT, (700, 100, 900, 300), 0, colours.NAMES.index("red"))
    colour_turn = Narrator([red, *THINGS[1:]], "airport", np.random.default_rng(0))
    for chinese, answer in ((False, "The cat is red."), (True, "猫是红色的。")):
        turn = colour_turn.ask("colour", chinese)
        assert turn is not None
        assert turn.answer == answer
    assert narrator().ask("colour", False) is None
    assert narrator().ask("colour", False, CAT) is None


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


def test_the_biggest_thing_is_named_where_one_is_clearly_bigger() -> None:
    turn = Narrator(THINGS[:2], "airport", np.random.default_rng(0)).ask("biggest", False)
    assert turn is not None
    assert turn.answer == "The biggest thing is the cat."
    assert turn.named_rows == ((0,),)
    assert narrator().ask("biggest", True) is None  # the larger dog is hardly larger
    assert Narrator(THINGS[:1], "airport", np.random.default_rng(0)).ask("biggest", True) is None


corners = st.tuples(st.sampled_from((DOG, CAT, AIRPLANE)), st.integers(0, 799), st.integers(0, 799))


@given(
    placed_things=st.lists(corners, min_size=2, max_size=5),
    seed=st.integers(0, 99),
    chinese=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_said_to_lie_beside_a_thing_lies_there(placed_things, seed, chinese) -> None:
    things = [
        Thing(noun, (x, y, x + 200, y + 200), row) for row, (noun, x, y) in enumerate(placed_things)
    ]
    turn = Narrator(things, "sea", np.random.default_rng(seed)).ask("beside", chinese)
    if turn is None:
        return
    answer = [side.chinese if chinese else side.english for side in SIDES]
    (side,) = [side for side, words in zip(SIDES, answer, strict=True) if words in turn.answer]
    (middle,) = [thing.centre[side.axis] for thing in things if thing.noun == turn.noun]
    beyond = [t for t in things if side.sign * (t.centre[side.axis] - middle) > 0]
    neighbours = {thing.noun for thing in beyond}
    colour_turn = turn.answer.replace(nouns()[turn.noun].chinese if chinese else "the ", "", 1)
    for noun in {DOG, CAT, AIRPLANE} - {turn.noun}:
        word = nouns()[noun].chinese if chinese else nouns()[noun].english
        assert (word in colour_turn) == (noun in neighbours)
    own = {thing.row for thing in things if thing.noun == turn.noun}
    assert {row for rows in turn.named_rows for row in rows} == {t.row for t in beyond} | own
