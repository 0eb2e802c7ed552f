"""Turns that go on from another: they repeat its act, and their answers are true of the scene."""

from dataclasses import replace

import numpy as np
import pytest

from lab.language.dialogues import EARLIER_KINDS, FOLLOW_KINDS, TAG_KINDS, Narrator
from lab.language.follow_ups import (
    HELD_OUT,
    HELD_OUT_CHINESE,
    about_earlier,
    about_it,
    act_of,
    fill_noun,
    follow,
    other_one,
    repeat,
)
from lab.language.questions import HELD_OUT_NOUNS
from lab.language.turn import Thing, Turn
from lab.scenes.vocabulary import by_name, nouns

DOG, CAT, AIRPLANE = (by_name()[word].index for word in ("dog", "cat", "airplane"))
TWO = (Thing(CAT, (700, 100, 900, 300), 0), Thing(DOG, (400, 700, 500, 900), 1))
ACTS = ("ground", "segment", "exist", "count", "where")


def narrator(seed: int = 0, things: tuple[Thing, ...] = TWO) -> Narrator:
    return Narrator(things, "airport", np.random.default_rng(seed))


def first(scene_narrator: Narrator, act: str, chinese: bool = False, noun: int = CAT) -> Turn:
    turn = scene_narrator.ask(act, chinese, noun)
    assert turn is not None
    return turn


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("chinese", [False, True])
def test_asking_again_answers_as_the_full_question_would(act, chinese) -> None:
    kinds = set()
    for seed in range(60):
        scene_narrator = narrator(seed)
        turn = repeat(scene_narrator, first(scene_narrator, act, chinese), chinese)
        assert turn is not None
        kinds.add(turn.kind)
        assert turn.noun != CAT
        assert "{" not in turn.question
        if turn.noun < 0:  # a word from outside the vocabulary, to segment
            phrase = turn.answer.removeprefix("<gsam>").removesuffix("</gsam>")
            assert phrase in turn.question
            assert phrase not in HELD_OUT_NOUNS
            continue
        full = narrator(seed).ask(act, chinese, turn.noun)
        assert full is not None
        assert turn.answer == full.answer
        assert turn.present == (turn.noun == DOG)
        word = nouns()[turn.noun]
        assert any(form in turn.question for form in (word.english, word.plural, word.chinese))
    assert kinds == {f"{act}_again"}


def test_it_is_the_noun_of_the_turn_before() -> None:
    for seed in range(20):
        scene_narrator = narrator(seed)
        then = about_it(scene_narrator, first(scene_narrator, "exist"), False)
        assert then is not None
        assert "cat" not in then.question
        assert then.answer in ("<gsam>cat</gsam>", "<ref>cat</ref><box>(700,100),(900,300)</box>")


def test_the_other_one_is_the_other_of_two() -> None:
    scene_narrator = narrator()
    then = other_one(scene_narrator, first(scene_narrator, "ground", True), True)
    assert then is not None
    assert (then.kind, then.noun, then.boxes, then.named_rows) == (
        "ground_other",
        DOG,
        (1,),
        ((1,),),
    )
    assert then.answer == "<ref>狗</ref><box>(400,700),(500,900)</box>"
    tagged = other_one(scene_narrator, first(scene_narrator, "segment"), False)
    assert tagged is not None
    assert tagged.answer == "<gsam>dog</gsam>"


def test_nothing_goes_on_from_what_is_not_clear() -> None:
    scene_narrator = narrator()
    assert repeat(scene_narrator, first(scene_narrator, "describe"), False) is None
    assert about_it(scene_narrator, first(scene_narrator, "ground", noun=AIRPLANE), False) is None
    assert other_one(scene_narrator, first(scene_narrator, "ground", noun=AIRPLANE), False) is None
    three = narrator(things=(*TWO, Thing(AIRPLANE, (0, 0, 90, 90), 2)))
    assert other_one(three, first(three, "ground"), False) is None
    twins = narrator(things=(TWO[0], replace(TWO[1], noun=CAT)))
    assert about_it(twins, first(twins, "ground"), False) is None


def test_every_kind_of_follow_up_comes_up_and_chains() -> None:
    kinds: set[str] = set()
    for seed in range(400):
        scene_narrator = narrator(seed)
        turn: Turn | None = first(scene_narrator, ACTS[seed % 5], seed % 2 == 0)
        for _ in range(2):
            turn = turn and follow(scene_narrator, turn, turn.chinese)
            if turn is not None:
                kinds.add(turn.kind)
                assert act_of(turn) is not None
    assert kinds == set(FOLLOW_KINDS)
    assert {kind for kind in kinds if kind.startswith("segment")} <= set(TAG_KINDS)


@pytest.mark.parametrize("chinese", [False, True])
def test_questions_about_an_earlier_picture_name_it_and_are_answered_without_boxes(chinese) -> None:
    kinds: set[str] = set()
    for seed in range(200):
        turn = about_earlier(narrator(seed), chinese, 2, held_out=seed % 4 == 0)
        if turn is None:
            continue
        kinds.add(turn.kind)
        assert any(
            word in turn.question for word in ("picture 2", "Picture 2", "second", "图2", "第2")
        )
        assert "{" not in turn.question
        assert "<box>" not in turn.answer
        assert "<gsam>" not in turn.answer
    assert kinds == set(EARLIER_KINDS)


@pytest.mark.parametrize("chinese", [False, True])
def test_held_out_wordings_are_never_trained_on(chinese) -> None:
    held_out_texts = {
        fill_noun(template, DOG) for template in (HELD_OUT_CHINESE if chinese else HELD_OUT)
    }
    for seed in range(200):
        scene_narrator = narrator(seed)
        turn = repeat(scene_narrator, first(scene_narrator, "ground", chinese), chinese)
        assert turn is not None
        assert turn.question not in held_out_texts
        trained_texts = repeat(
            scene_narrator, first(scene_narrator, "ground", chinese), chinese, held_out=True
        )
        assert trained_texts is not None
        assert trained_texts.noun != DOG or trained_texts.question in held_out_texts
