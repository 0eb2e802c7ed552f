"""What a model thinks is neither shown nor acted on, whoever began the thought."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialect_replies import read
from segue.dialects import DIALECTS, BoxMention, PlainText, Remark, Thought, drop_retracted
from segue.dialects.parsing.thoughts import (
    SILENT,
    THOUGHTS,
    ThoughtSplitter,
    split_thoughts,
    thinks_by_name,
    without_thoughts,
)

PIECES = [mark for pair in THOUGHTS for mark in pair] + [
    *SILENT, "a cat", " ", "\n", "`", "<", "[", "◁", "<|", "</", "dog", "<ref>cat</ref>",
    "<box>(1,2),(30,40)</box>", '{"bbox_2d": [1, 2, 30, 40], "label": "x"}',
]  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), THOUGHTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_thought_between_its_marks_is_left_out(dialect: str, opening: str, closing: str) -> None:
    for written in (opening, opening.upper()):
        thought = "A <ref>cat</ref><box>(1,2),(30,40)</box>?"
        events = read(dialect, f"{written}{thought}{closing}\n\nNo.")
        assert events == [PlainText("No."), Thought(len(thought))]


@pytest.mark.parametrize("closing", sorted({closing for _, closing in THOUGHTS}))
def test_a_closing_mark_alone_takes_back_what_came_before(closing: str) -> None:
    reply = f'A cat at {{"bbox_2d": [1, 2, 30, 40], "label": "cat"}}?{closing} No.'
    events = read("qwen3_vl", reply)
    (withdrawal,) = [event for event in events if isinstance(event, Thought)]
    assert withdrawal.retracts
    assert any(isinstance(event, BoxMention) for event in events)
    assert drop_retracted(events) == [withdrawal, PlainText("No.")]


def test_a_model_that_thinks_hands_out_nothing_early() -> None:
    handed_out: list[object] = []

    def reply():
        yield "A cat <ref>cat</ref><box>(1,2),(30,40)</box>? "
        assert handed_out == []
        yield "</think>A <ref>dog</ref>"
        assert PlainText("A dog") in handed_out
        yield "."

    for event in DIALECTS.load("qwen_vl").read(reply(), thinks=True):
        handed_out.append(event)
    assert isinstance(handed_out[-1], Thought)
    assert not handed_out[-1].retracts


def test_a_model_that_could_think_and_did_not_loses_nothing() -> None:
    assert read("qwen_vl", ["A dog", "."], thinks=True) == [PlainText("A dog.")]


def test_a_reply_cut_within_an_unmarked_thought_is_a_thought() -> None:
    def reply():
        yield "A cat, or "
        return "length"

    events = list(DIALECTS.load("qwen_vl").read(reply(), thinks=True))
    assert events == [Thought(len("A cat, or "), cut=True)]


def test_a_quoted_mark_is_words() -> None:
    reply = "Models write `<think>` and `</think>` around thoughts."
    assert read("qwen3_vl", reply) == [PlainText(reply)]


def test_spans_count_from_where_the_answer_begins() -> None:
    events = drop_retracted(
        read("qwen_vl", "Long thought. </think> A <ref>dog</ref><box>(1,2),(3,4)</box>")
    )
    (box,) = [event for event in events if isinstance(event, BoxMention)]
    assert box.span == (2, 5)


def test_a_place_given_in_a_thought_and_again_is_no_repetition() -> None:
    box = "<ref>dog</ref><box>(1,2),(30,40)</box>"
    events = drop_retracted(read("qwen_vl", f"{box}</think>{box}"))
    assert sum(isinstance(event, BoxMention) for event in events) == 1
    assert not any(isinstance(event, Remark) for event in events)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.lists(st.integers(0, 80), max_size=5),
    st.booleans(),
)
def test_how_a_reply_is_cut_changes_nothing(reply: str, cuts: list[int], thinks: bool) -> None:
    def parts(chunks: list[str]) -> list[object]:
        splitter, found = ThoughtSplitter(thinks), []
        for part in [p for chunk in chunks for p in splitter.feed(chunk)] + splitter.end():
            if isinstance(part, str) and found and isinstance(found[-1], str):
                found[-1] += part
            else:
                found.append(part)
        return found

    ends = [0, *sorted(cuts), len(reply)]
    assert parts([reply[a:b] for a, b in pairwise(ends)]) == parts([reply]) == parts([*reply])


@given(st.text(alphabet="ab <>[]/`◁|think", max_size=40))
def test_a_reply_without_marks_keeps_every_letter(reply: str) -> None:
    marks = [mark for pair in THOUGHTS for mark in pair] + list(SILENT)
    if not any(mark in reply for mark in marks):
        assert without_thoughts(reply) == reply
        assert "".join(part for part in split_thoughts(reply) if isinstance(part, str)) == reply


@pytest.mark.parametrize(
    ("name", "thinks"),
    [
        ("Qwen/Qwen3-VL-8B-Thinking", True),
        ("zai-org/GLM-4.1V-9B-Thinking", True),
        ("qwen3.5-9b", True),
        ("Qwen/QVQ-72B-Preview", True),
        ("Magistral-Small-2509", True),
        ("moonshotai/Kimi-VL-A3B-Thinking-2506", True),
        ("Qwen3-VL-4B-Instruct", False),
        ("qwen3.5-9b-instruct", False),
        ("gemma-4-12b-it", False),
        ("InternVL3_5-8B", False),
    ],
)
def test_models_that_think_are_known_by_name(name: str, thinks: bool) -> None:
    assert thinks_by_name(name) is thinks
