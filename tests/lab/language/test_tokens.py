"""The embedded vocabulary: a noun is one and the same token wherever it stands."""

import re
from functools import cache

import pytest

from lab.language.follow_ups import wordings
from lab.language.questions import (
    CHINESE,
    CHINESE_HEADS,
    CHINESE_TAILS,
    ENGLISH,
    ENGLISH_HEADS,
    ENGLISH_TAILS,
    HELD_OUT_NOUNS,
)
from lab.language.small_talk import all_texts
from lab.language.tokens import build_ranks, check_nouns, noun_ids
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer
from segue.runtime.weights import locate


@cache
def tokenizer() -> QwenVLTokenizer:
    return QwenVLTokenizer(build_ranks())


def test_every_noun_keeps_its_token_in_every_context() -> None:
    assert check_nouns(tokenizer()) == []


@cache
def shipped() -> QwenVLTokenizer:
    return QwenVLTokenizer.read(locate("embedded/chat"))


@pytest.mark.parametrize("vocabulary", [tokenizer, shipped])
def test_no_noun_hides_in_the_words_of_a_question(vocabulary) -> None:
    pieces = vocabulary()
    ids = noun_ids(pieces)
    texts = [text for group in (*ENGLISH.values(), *CHINESE.values()) for text in group]
    texts += [*wordings(), *all_texts()]
    texts += [*ENGLISH_HEADS, *ENGLISH_TAILS, *CHINESE_HEADS, *CHINESE_TAILS]
    for text in texts:
        bare_text = re.sub(r"{\w+}", " ", text)
        assert not [token for token in pieces.encode(bare_text) if token in ids], text


def test_a_word_is_cut_alike_after_a_space_and_after_the_tag() -> None:
    encode = tokenizer().encode
    for word in HELD_OUT_NOUNS:
        after_space = encode(f" {word}")
        after_tag = encode(f">{word}")
        assert after_space[1:] == after_tag[1:], word


def test_digits_stand_alone_and_text_comes_back() -> None:
    text = "<ref>飞机</ref><box>(343,119),(714,261)</box>"
    ids = tokenizer().encode_markup(text)
    assert tokenizer().decode(ids) == text
    assert len(ids) == 22
