"""What questions about presence and number speak of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.prompting.intent import parse_intent
from segue.prompting.word_questions import find_mentioned


@pytest.mark.parametrize(
    ("question", "mentioned"),
    [
        ("Is there a dog in the picture?", ("dog",)),
        ("Are there any dogs?", ("dogs",)),
        ("is there a red car or a bus in this image", ("red car", "bus")),
        ("Can you see an airplane?", ("airplane",)),
        ("Do you see any people in the photo?", ("people",)),
        ("Does the picture show a crab?", ("crab",)),
        ("Is a dog visible?", ("dog",)),
        ("How many sheep are there?", ("sheep",)),
        ("How many dogs can you see?", ("dogs",)),
        ("how many cups", ("cups",)),
        ("Count the apples.", ("apples",)),
        ("What is the number of sailboats in the picture?", ("sailboats",)),
        ("图片里有狗吗?", ("狗",)),
        ("有飞机吗", ("飞机",)),
        ("有没有一只猫?", ("猫",)),
        ("图中是否有红色的汽车?", ("红色的汽车",)),
        ("这张图里有几只狗?", ("狗",)),
        ("有多少个苹果", ("苹果",)),
        ("图片里有狗和羊吗?", ("狗", "羊")),
        ("你能看到帆船吗?", ("帆船",)),
    ],
)
def test_presence_and_number(question, mentioned):
    assert find_mentioned(question) == mentioned
    assert parse_intent(question).mentioned == mentioned
    assert parse_intent(question).phrases == ()


@pytest.mark.parametrize(
    "question",
    [
        "What is in the picture?",
        "Is there anything strange?",
        "Is it raining?",
        "Are you sure?",
        "Is there a reason why? And then?",
        "How are you?",
        "Do you see what I mean?",
        "Can you see it?",
        "Segment the dog.",
        "这是什么?",
        "图片里有什么?",
        "有什么问题吗?",
        "你好吗",
        "它有几个?",
    ],
)
def test_other_questions_speak_of_nothing(question):
    assert find_mentioned(question) == ()


@pytest.mark.parametrize(
    ("question", "phrases", "wants_words"),
    [
        ("Where is the airplane?", ("airplane",), True),
        ("Where are the dogs in the picture?", ("dogs",), True),
        ("飞机在哪里?", ("飞机",), True),
        ("Show me where the dog is.", ("dog",), False),
        ("Segment the dog.", ("dog",), False),
        ("框出狗的位置", ("狗",), False),
    ],
)
def test_where_questions_want_words(question, phrases, wants_words):
    intent = parse_intent(question)
    assert (intent.phrases, intent.wants_words) == (phrases, wants_words)


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    assert all(phrase.strip() for phrase in find_mentioned(text))
