"""Questions in two languages, with typos that leave the name alone."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.convert.datasets import question_templates
from segue.convert.datasets.coco_names import CHINESE
from segue.convert.datasets.question_templates import QuestionStyle, absence_answer
from segue.convert.datasets.typos import add_typo
from segue.convert.dialogue import detect_language, has_markup
from segue.errors import InputError


@pytest.mark.parametrize("route", ["box", "tag"])
def test_both_languages_and_typos_come_at_their_share(route):
    how = QuestionStyle(route=route, chinese_share=0.3, typo_share=0.25)
    rng = random.Random(0)
    asked = [how.make_question("zebra", how.choose_language(rng), rng) for _ in range(600)]
    chinese = [question for question in asked if detect_language(question) == "zh"]
    clean = {
        template.replace("{thing}", "zebra")
        for language in ("en", "zh")
        for template in question_templates._QUESTIONS[route, language]
    }
    assert 0.22 < len(chinese) / len(asked) < 0.38
    assert 0.15 < sum(question not in clean for question in asked) / len(asked) < 0.3
    assert all("zebra" in question for question in asked)


def test_the_same_seed_asks_the_same():
    one, two = (QuestionStyle().make_question("cat", "en", random.Random(7)) for _ in range(2))
    assert one == two


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_typos_change_one_word_and_never_the_name(seed):
    rng = random.Random(seed)
    for sentence in ("Please segment the {thing}.", "框出图中的{thing}", "{thing}?"):
        wrong = add_typo(sentence, rng)
        assert wrong.count("{thing}") == 1
        assert abs(len(wrong) - len(sentence)) <= 1
        assert not has_markup(wrong)


def test_absence_is_said_in_the_language_of_the_question():
    assert detect_language(absence_answer("猫", "zh", random.Random(0))) == "zh"
    assert "cat" in absence_answer("cat", "en", random.Random(0))


def test_all_eighty_names_have_a_chinese_one():
    assert len(CHINESE) == 80
    assert all(detect_language(name) == "zh" for name in CHINESE.values())
    assert CHINESE["traffic light"] == "红绿灯"


@pytest.mark.parametrize("wrong", [{"chinese_share": 1.5}, {"typo_share": -1}, {"route": "mask"}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(InputError):
        QuestionStyle(**wrong)
