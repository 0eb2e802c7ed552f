"""The one rule for phrases inside `<gsam>`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.convert.dialogue import tag_markup
from segue.dialects import DIALECTS, DetectRequest
from segue.dialects.parsing.gsam_phrases import quote_phrase, quote_phrases, split_phrases

ODD = st.text(alphabet="ab1 .,;'\"\\\n，。“”飞", min_size=1, max_size=20)
WORDS = ODD.filter(lambda text: any(map(str.isalnum, text)))


@given(st.lists(WORDS, max_size=4))
@settings(max_examples=300, deadline=None)
def test_phrases_come_back_from_one_tag_whatever_they_hold(phrases):
    assert [text for text, _ in split_phrases(quote_phrases(phrases))] == phrases


@given(st.lists(WORDS, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_phrases_come_back_from_a_reply(phrases):
    events = list(DIALECTS.load("qwen_vl").read([tag_markup(phrases)]))
    assert [event.phrase for event in events if isinstance(event, DetectRequest)] == phrases


@pytest.mark.parametrize(
    ("words", "phrases"),
    [
        ("dog, cup", ["dog", "cup"]),
        ("1.5 l bottle", ["1.5 l bottle"]),
        ('"dog", "cup"', ["dog", "cup"]),
        ('"St. Bernard", cup', ["St. Bernard", "cup"]),
        ('the "best" cup', ['the "best" cup']),
        ('"half of it', ["half of it"]),
        ("飞机、太阳", ["飞机", "太阳"]),
        ("…", []),
    ],
)
def test_tags_of_every_model_are_cut_as_before(words, phrases):
    assert [text for text, _ in split_phrases(words)] == phrases


def test_plain_phrases_are_written_plainly():
    assert quote_phrase("red cup") == "red cup"
    assert quote_phrases(["box, red", "cup"]) == '"box, red", cup'


def test_a_span_points_at_the_phrase_inside_its_quotes():
    words = 'cup, "St. Bernard"'
    (_, (phrase, start)) = split_phrases(words)
    assert words[start : start + len(phrase)] == phrase
