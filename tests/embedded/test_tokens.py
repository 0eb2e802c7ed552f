"""The embedded vocabulary: a noun is one and the same token wherever it stands."""

from functools import cache

from segue.embedded.questions import CHINESE, ENGLISH, HELD_OUT_NOUNS
from segue.embedded.tokens import build_ranks, check_nouns, noun_ids
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer


@cache
def tokenizer() -> QwenVLTokenizer:
    return QwenVLTokenizer(build_ranks())


def test_every_noun_keeps_its_token_in_every_context() -> None:
    assert check_nouns(tokenizer()) == []


def test_no_noun_hides_in_the_words_of_a_question() -> None:
    ids = noun_ids(tokenizer())
    for texts in (*ENGLISH.values(), *CHINESE.values()):
        for text in texts:
            for slot in ("{n}", "{a}", "{p}", "{z}", "{m}", "{n2}", "{z2}"):
                text = text.replace(slot, " ")
            assert not [t for t in tokenizer().encode(text) if t in ids], text


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
