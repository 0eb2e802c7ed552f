"""Captions -> phrases for tags."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.convert.datasets.captions import split_caption
from segue.convert.dialogue import tag_markup
from segue.dialects import DIALECTS, DetectRequest, MalformedMarkup


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("girl . cart", ["girl", "cart"]),
        ("girl. cart.", ["girl", "cart"]),
        ("basket, blanket", ["basket", "blanket"]),
        (" The Stove <left> . ", ["stove left"]),
        ("dog . Dog . a dog", ["dog"]),
        ("1.5 litre bottle", ["1.5 litre bottle"]),
        ("狗、杯子", ["狗", "杯子"]),
        ("<gsam>dog</gsam>", ["dog"]),
        (" . ", []),
        ("", []),
        ("x" * 500, []),  # a sentence that went astray
    ],
)
def test_captions_are_cut_into_clean_phrases(caption, phrases):
    assert split_caption(caption) == phrases


def test_case_and_articles_stay_when_asked():
    assert split_caption("The Red Mug", normalise=False) == ["The Red Mug"]


@given(st.text(alphabet="ab1 .,;<>/gsam\n，。", max_size=40))
@settings(max_examples=40, deadline=None)
def test_every_phrase_survives_the_dialect(caption):
    phrases = split_caption(caption)
    events = list(DIALECTS.load("qwen_vl").read([tag_markup(phrases)]))
    assert [e.phrase for e in events if isinstance(e, DetectRequest)] == phrases
    assert not [e for e in events if isinstance(e, MalformedMarkup)]
