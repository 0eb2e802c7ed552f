"""The Qwen-VL dialect against the replies in cases/qwen_vl, and against what nobody would write."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from benchmarks.fuzz_dialect import check_reply, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.box import Size
from segue.dialects import DIALECTS, Event, Malformed, Pointed, Text, Wanted
from segue.dialects.qwen_vl import LIMIT, QwenVLDialect

CASES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "cases" / "qwen_vl").glob("*.json"))
}
REPLIES = [case["reply"] for case in CASES.values()]
MARKUP = [
    *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<gsam>", "</gsam>", "<img>"),
    *("<|im_end|>", "(1,2),(3,4)", "(5,6),(7", ",", "<", "</", " ", "\n", "dog", "猫", "图2"),
]
HOSTILE = [
    *("<", "<ref>", "<box>(", "<gsam>a,", "</box>", "<box>(1,2),(3,4)</box>", "<ref>a</ref> "),
    *("x", " ", "<|a", "<gsam>" + "a " * 900, "图1"),
]


def read(chunks: Iterable[str]) -> list[Event]:
    """All events, neighbouring words joined."""
    joined: list[Event] = []
    for event in QwenVLDialect().read(chunks):
        if isinstance(event, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined


def as_json(event: Event) -> dict[str, Any]:
    """The shape in which cases/qwen_vl/*.json writes an event."""
    if isinstance(event, Text):
        return {"text": event.text}
    if isinstance(event, Malformed):
        return {"malformed": event.text}
    if isinstance(event, Wanted):
        written: dict[str, Any] = {"wanted": event.phrase}
    else:
        box = event.box
        written = {"pointed": event.phrase, "box": [box.xa, box.ya, box.xb, box.yb]}
        if event.quad:
            written["quad"] = [list(corner) for corner in event.quad]
    if event.span:
        written["span"] = list(event.span)
    if event.image:
        written["image"] = event.image
    return written


@pytest.mark.parametrize("name", CASES)
def test_reply_gives_the_recorded_events(name: str) -> None:
    assert [as_json(event) for event in read([CASES[name]["reply"]])] == CASES[name]["events"]


@pytest.mark.parametrize("name", CASES)
def test_every_cut_gives_the_same_events(name: str) -> None:
    reply = CASES[name]["reply"]
    whole = read([reply])
    assert read(reply) == whole
    for cut in range(len(reply) + 1):
        assert read([reply[:cut], "", reply[cut:]]) == whole


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=5)), max_size=25).map("".join),
    st.lists(st.integers(min_value=0, max_value=120), max_size=6),
)
def test_any_text_cut_anywhere_gives_the_same_events(reply: str, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(reply)]
    chunks = [reply[a:b] for a, b in pairwise(ends)]
    assert read(chunks) == read([reply]) == read(reply)


def test_mutated_replies_keep_every_promise() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        check_reply(mutated(rng, REPLIES))


def test_words_and_boxes_come_before_the_reply_ends() -> None:
    seen: list[Event] = []

    def reply() -> Iterator[str]:
        yield "Here is <ref>the d"
        assert seen[-1] == Text("Here is the d")
        yield "og</ref><box>(1,2),(3,4)</box"
        assert seen[-1] == Text("og")
        yield ">"
        assert isinstance(seen[-1], Pointed)
        yield " and <gsam>cup</gsam>"
        assert seen[-1] == Wanted("cup", (20, 23))
        yield " more"

    for event in QwenVLDialect().read(reply()):
        seen.append(event)
    assert seen[-1] == Text(" more")


def test_one_dialect_reads_many_replies() -> None:
    dialect = DIALECTS.load("qwen_vl")
    list(dialect.read(["<ref>dog"]))
    assert list(dialect.read(["cat"])) == [Text("cat")]


@pytest.mark.parametrize("tag", ["ref", "box", "quad", "gsam"])
def test_a_tag_that_is_too_long_is_given_up(tag: str) -> None:
    words = "9" * (LIMIT + 1)
    events = read([f"<{tag}>{words}", f"</{tag}><gsam>cat</gsam>"])
    assert not [e for e in events if isinstance(e, Wanted) and e.phrase != "cat"]
    assert isinstance(events[-1], Wanted)
    assert Malformed(f"</{tag}>") in events


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        reply = "<ref>dog</ref>" + piece * (length // len(piece))
        start = time.process_time()
        for _ in QwenVLDialect().read(reply[i : i + 1000] for i in range(0, len(reply), 1000)):
            pass
        return time.process_time() - start

    assert seconds(250_000) < 2.0  # measured: under 0.3 s; quadratic reading takes minutes


def test_reading_needs_no_torch() -> None:
    code = "import sys, segue.dialects.qwen_vl; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_boxes_lie_where_the_original_program_drew_them(shared: Path) -> None:
    golden = json.loads((shared / "golden/qwen_vl/tokenizer/draw.json").read_text("utf-8"))
    compared = 0
    for draw in golden["draws"]:
        if "calls" not in draw:
            continue  # the original stopped with an exception
        width, height = draw["image"]
        pointed = [event for event in read([draw["response"]]) if isinstance(event, Pointed)]
        ours = [event.box.to_box(Size(height, width)) for event in pointed]
        theirs = [call[1] for call in draw["calls"] if call[0] == "box"]
        assert len(ours) == len(theirs), draw["name"]
        for box, (xa, ya, xb, yb) in zip(ours, theirs, strict=True):
            assert [int(v) for v in box.corners] == [
                min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
            ]  # fmt: skip
            compared += 1
    assert compared
