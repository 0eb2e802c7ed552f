"""The example that trains by reward: what needs no TRL."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "learn_by_reward"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import reward

    yield reward
    for name in ("reward", "learn", "base", "drawings", "sheet"):
        sys.modules.pop(name, None)


def test_replies_are_scored_against_the_box_of_their_own_drawing(example) -> None:
    replies = ['[{"bbox_2d": [0, 0, 500, 500]}]', '[{"bbox_2d": [0, 0, 500, 1000]}]', "I see none."]
    half = example.SIDE / 2
    quarter, whole = [0.0, 0.0, half, half], [0.0, 0.0, 2 * half, 2 * half]
    completions = [[{"role": "assistant", "content": reply}] for reply in replies]
    scores = example.reward(completions, [quarter, whole, whole], prompts=["", "", ""])
    assert scores == pytest.approx([1.0, 0.5, 0.0], abs=0.01)
