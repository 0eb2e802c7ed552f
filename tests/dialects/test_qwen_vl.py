"""The Qwen-VL dialect: streaming, its limit, and the drawing of the original program."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import dialect_replies
from segue.dialects import BoxMention, DetectRequest, MalformedMarkup, PlainText, ReplyEvent
from segue.dialects.parsing.reply import LIMIT
from segue.dialects.qwen_vl import dialect
from segue.values.box import Size


def read(chunks: Iterable[str]) -> list[ReplyEvent]:
    return dialect_replies.read("qwen_vl", chunks)


def test_words_and_boxes_come_before_the_reply_ends() -> None:
    seen: list[ReplyEvent] = []

    def reply() -> Iterator[str]:
        yield "Here is <ref>the d"
        assert seen[-1] == PlainText("Here is the d")
        yield "og</ref><box>(1,2),(3,4)</box"
        assert seen[-1] == PlainText("og")
        yield ">"
        assert isinstance(seen[-1], BoxMention)
        yield " and <gsam>cup</gsam>"
        assert seen[-1] == DetectRequest("cup", (20, 23))
        yield " more"

    for event in dialect().read(reply()):
        seen.append(event)
    assert seen[-1] == PlainText(" more")


@pytest.mark.parametrize("tag", ["ref", "box", "quad", "gsam"])
def test_a_tag_that_is_too_long_is_given_up(tag: str) -> None:
    words = "9" * (LIMIT + 1)
    events = read([f"<{tag}>{words}", f"</{tag}><gsam>cat</gsam>"])
    assert not [e for e in events if isinstance(e, DetectRequest) and e.phrase != "cat"]
    assert isinstance(events[-1], DetectRequest)
    assert MalformedMarkup(f"</{tag}>") in events


def test_boxes_lie_where_the_original_program_drew_them(shared: Path) -> None:
    golden = json.loads((shared / "golden/qwen_vl/tokenizer/draw.json").read_text("utf-8"))
    compared = 0
    for draw in golden["draws"]:
        if "calls" not in draw:
            continue  # the original stopped with an exception
        width, height = draw["image"]
        pointed = [event for event in read([draw["response"]]) if isinstance(event, BoxMention)]
        ours = [event.box.to_box(Size(height, width)) for event in pointed]
        theirs = [call[1] for call in draw["calls"] if call[0] == "box"]
        assert len(ours) == len(theirs), draw["name"]
        for box, (xa, ya, xb, yb) in zip(ours, theirs, strict=True):
            assert [int(v) for v in box.corners] == [
                min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
            ]  # fmt: skip
            compared += 1
    assert compared
