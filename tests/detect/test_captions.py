"""Phrases to captions and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.detect.captions import (
    BORDERS,
    CLS,
    DOT,
    QUESTION,
    SEP,
    Caption,
    captions,
    normalize_phrase,
)

WORDS = {"dog": 1, "hot": 2, "cup": 3, "?": QUESTION, ".": DOT, "[SEP]": SEP}
UNKNOWN = 100


def encode(phrase):
    return [WORDS.get(word, UNKNOWN) for word in phrase.split()]


def pack(*phrases, max_tokens=32):
    return captions(phrases, encode, max_tokens, UNKNOWN)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  The Dog. ", "the dog"),
        ("what is it?", "what is it"),
        ("a.b..c", "a b c"),
        ("dog,", "dog"),
        ("飞机。", "飞机"),
        ("DOG\n\tcup", "dog cup"),
        (" .?! ", ""),
        ("", ""),
    ],
)
def test_separators_never_reach_the_caption(written, read):
    assert normalize_phrase(written) == read


def test_phrases_are_separated_by_dots_and_keep_their_columns():
    assert pack("hot dog", "cup") == [
        Caption((CLS, 2, 1, DOT, 3, DOT, SEP), ("hot dog", "cup"), ((1, 3), (4, 5)))
    ]


def test_borders_that_a_phrase_would_smuggle_in_are_dropped():
    (caption,) = pack("dog [SEP] cup ? hot")
    assert caption.ids == (CLS, 1, 3, 2, DOT, SEP)


def test_a_caption_that_would_be_too_long_is_split():
    several = pack("hot dog", "cup", "dog", "hot", max_tokens=7)
    assert [caption.phrases for caption in several] == [("hot dog", "cup"), ("dog", "hot")]
    assert all(len(caption.ids) <= 7 for caption in several)


def test_a_phrase_that_alone_is_too_long_is_cut():
    (caption,) = pack(" ".join(["dog"] * 50), max_tokens=8)
    assert caption.ids == (CLS, 1, 1, 1, 1, 1, DOT, SEP)


def test_phrases_of_unknown_words_only_are_left_out():
    assert pack("飞机", "", "zebra zebra") == []
    (caption,) = pack("zebra dog")
    assert caption.ids == (CLS, UNKNOWN, 1, DOT, SEP)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("dog hot cup zebra ?.", max_size=30), max_size=12), st.integers(5, 40))
def test_every_column_belongs_to_one_phrase_or_is_a_border(phrases, max_tokens):
    asked = dict.fromkeys(normalize_phrase(phrase) for phrase in phrases)
    packed = captions(asked, lambda phrase: [1] * len(phrase.split()), max_tokens)
    assert [p for caption in packed for p in caption.phrases] == [p for p in asked if p]
    for caption in packed:
        assert len(caption.ids) <= max_tokens
        inside = [column for start, end in caption.spans for column in range(start, end)]
        borders = [column for column, token in enumerate(caption.ids) if token in BORDERS]
        assert sorted(inside + borders) == list(range(len(caption.ids)))
