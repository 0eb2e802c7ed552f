"""What the chat model is taught to say to people who do not ask about the picture."""

import numpy as np
import pytest

from lab.language.small_talk import ANSWERS, CHINESE, ENGLISH, add_typing_noise, small_talk


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize("held_out", [False, True])
def test_small_talk_is_answered_in_its_language_without_tag_or_box(chinese, held_out) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        question, answer = small_talk(rng, chinese, held_out=held_out)
        assert question
        assert answer in ANSWERS
        assert answer.isascii() != chinese
        assert "<" not in answer


def test_both_languages_know_the_same_intents() -> None:
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("table", [ENGLISH, CHINESE])
def test_wordings_are_clear_and_some_are_held_out(table) -> None:
    texts = [
        text.lower() for intent in table.values() for text in (*intent.trained, *intent.held_out)
    ]
    bare_texts = {text.strip("!?.！？。") for text in texts}
    trained = {t.lower().strip("!?.！？。") for intent in table.values() for t in intent.trained}
    held_out = {t.lower().strip("!?.！？。") for intent in table.values() for t in intent.held_out}
    assert all(intent.held_out for intent in table.values())
    assert not trained & held_out
    meanings = [
        {text.lower().strip("!?.！？。") for text in (*intent.trained, *intent.held_out)}
        for intent in table.values()
    ]
    assert sum(len(meaning) for meaning in meanings) == len(bare_texts)


def test_loose_writing_stays_near_the_text() -> None:
    rng = np.random.default_rng(0)
    noisy_text = {add_typing_noise("What can you do?", rng) for _ in range(300)}
    assert {"What can you do?", "WHAT CAN YOU DO?", "What can you do"} <= noisy_text
    assert all(abs(len(text) - 16) <= 4 for text in noisy_text)
    assert all(add_typing_noise(text, rng) for text in ("ok", "no", "嗨") for _ in range(50))
