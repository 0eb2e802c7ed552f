"""What is read from questions, on the project's own wordings and on harder ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.language import questions
from segue.convert.datasets import question_templates
from segue.prompting.intent import parse_intent

NOTHING = ("segment_it", "ground_it", "describe", "exist", "count", "count_all", "background")


def test_the_questions_that_people_ask_are_understood() -> None:
    right = asked = 0
    for kind in ("ground", "segment", "where", "ground_two", "segment_two"):
        for form in questions.ENGLISH[kind]:
            found = parse_intent(form.format(n="dog", a="a dog", p="dogs", n2="cat")).phrases
            noun = "dogs" if "{p}" in form else "dog"
            right += found == ((noun, "cat") if "{n2}" in form else (noun,))
            asked += 1
        for form in questions.CHINESE[kind]:
            found = parse_intent(form.format(z="飞机", m="架", z2="狗")).phrases
            right += found == (("飞机", "狗") if "{z2}" in form else ("飞机",))
            asked += 1
    for (_, language), forms in question_templates._QUESTIONS.items():
        thing = "red cup" if language == "en" else "红色杯子"
        right += sum(parse_intent(f.replace("{thing}", thing)).phrases == (thing,) for f in forms)
        asked += len(forms)
    assert asked > 140
    assert right / asked >= 0.99


@pytest.mark.parametrize("kind", NOTHING)
def test_questions_for_words_ask_for_no_place(kind: str) -> None:
    for form in questions.ENGLISH[kind]:
        assert parse_intent(form.format(n="dog", a="a dog", p="dogs")).phrases == (), form
    for form in questions.CHINESE[kind]:
        assert parse_intent(form.format(z="飞机", m="架")).phrases == (), form


@pytest.mark.parametrize(
    ("question", "phrases", "every", "relational"),
    [
        ("Find all dogs", ("dogs",), True, False),
        ("segment every dog", ("dog",), True, False),
        ("Locate each of the cars in the photo", ("cars",), True, False),
        ("Where are the dogs?", ("dogs",), True, False),
        ("Segment the glass", ("glass",), False, False),
        ("Find the bus and the two people.", ("bus", "two people"), True, False),
        ("Please cut out the wooden chest.", ("wooden chest",), False, False),
        ("Segment the trash can", ("trash can",), False, False),
        ("Segment the dog on the left", ("dog on the left",), False, True),
        ("find the man who holds the umbrella", ("man who holds the umbrella",), False, True),
        ("the second bottle", (), False, False),
        (
            "segment the second bottle from the right",
            ("second bottle from the right",),
            False,
            True,
        ),
        ("find something I could sit on", ("something I could sit on",), False, True),
        ("Find all the people wearing hats", ("people wearing hats",), True, True),
        ("框出所有的狗", ("狗",), True, False),
        ("把所有飞机都框出来", ("飞机",), True, False),
        ("每只猫在哪里？", ("猫",), True, False),
        ("分割左边的狗", ("左边的狗",), False, True),
        ("找出最大的杯子", ("最大的杯子",), False, True),
        ("框出穿红衣服的人", ("穿红衣服的人",), False, True),
        ("Why is the sky blue?", (), False, False),
        ("segment", (), False, False),
    ],
)
def test_instances_and_relations_are_noticed(
    question: str, phrases: tuple[str, ...], every: bool, relational: bool
) -> None:
    intent = parse_intent(question)
    assert (intent.phrases, intent.all_instances, intent.relational) == (phrases, every, relational)


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    for phrase in parse_intent(text).phrases:
        assert phrase.strip() == phrase != ""
