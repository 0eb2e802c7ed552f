"""The words that questions and answers are made of."""

import numpy as np
import pytest

from lab.language.phrasing import (
    chinese_count,
    courteous,
    english_count,
    join,
    made_up_word,
    with_tail,
)
from lab.language.questions import (
    CHINESE,
    CHINESE_TAILS,
    ENGLISH,
    ENGLISH_TAILS,
    HELD_OUT_CHINESE_TAILS,
    HELD_OUT_TAILS,
)
from lab.scenes.vocabulary import by_name


def test_counts_and_lists_are_words() -> None:
    glasses, dog = by_name()["glasses"].index, by_name()["dog"].index
    assert english_count(glasses, 2) == "two pairs of glasses"
    assert chinese_count(dog, 2) == "两只狗"
    assert join(["a", "b", "c"], False) == "a, b and c"


def test_made_up_words_are_letters() -> None:
    rng = np.random.default_rng(0)
    assert all(made_up_word(rng).isalpha() for _ in range(50))


def test_words_after_a_request_stand_before_its_end() -> None:
    assert with_tail("Can you segment the {n}?", " please") == "Can you segment the {n} please?"
    assert with_tail("分割{z}", "，谢谢") == "分割{z}，谢谢"


@pytest.mark.parametrize("chinese", [False, True])
def test_a_courteous_request_keeps_its_slot_and_says_more(chinese) -> None:
    rng = np.random.default_rng(0)
    for template in (CHINESE if chinese else ENGLISH)["segment"]:
        for _ in range(10):
            request = courteous(template, rng, chinese)
            assert ("{z}" if chinese else "{n}") in request
            assert len(request) >= len(template)


def test_words_after_a_request_that_are_held_out_are_not_trained_on() -> None:
    assert not set(HELD_OUT_TAILS) & set(ENGLISH_TAILS)
    assert not set(HELD_OUT_CHINESE_TAILS) & set(CHINESE_TAILS)
