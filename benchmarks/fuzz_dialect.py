"""Feed mutated replies to every dialect and check what is promised for every one of them.

    python -m benchmarks.fuzz_dialect [COUNT] [SEED] [DIALECT...]

The replies start from tests/dialects/cases; each is damaged in one to eight places. COUNT replies
are shared out among the dialects.
"""

import json
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from segue.dialects import (
    DIALECTS,
    Absence,
    BoxMention,
    DetectRequest,
    MalformedMarkup,
    PlainText,
    PointMention,
    ReplyEvent,
    Thought,
)
from segue.values.box import Size
from segue.values.frames import EitherFrame

CASES = Path(__file__).resolve().parents[1] / "tests" / "dialects" / "cases"
PIECES = (
    "<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<gsam>", "</gsam>", "<img>",
    "</img>", "<|im_end|>", "(1,2),(3,4)", "(", ")", ",", "-", ".", "9999999", "<", ">", "</", " ",
    "\n", "、", "（", "，", "图2", "Picture 3: ", "dog", "飞机", "\x00", "\ud800", "🛩️", "e9", "nan",
    "<|object_ref_start|>", "<|box_start|>", "<|box_end|>", "<|det|>", "<|/det|>", "<|ref|>",
    "[", "]", "[[", "]]", "{", "}", ":", '"', "'", "\\", "```", "```json\n", "//", "null", ";",
    '"bbox_2d": [1, 2, 3, 4]', '"label": "dog"', '"point_2d": [5, 6]', '{"box_2d": [1,2,3,4]}',
    "[1,2,3,4]", "<loc0123>", "<loc_12>", "<seg001>", "<poly>", "</poly>", "<sep>", "<phrase>",
    "<object>", "</object>", "<patch_index_0044>", "</delimiter_of_multi_objects/>", "<point ",
    '<point x="1" y="2">', "</point>", '<points coords="1 1 2 3">', "<|begin_of_box|>",
    "<|end_of_box|>", "<think>", "</think>", "<answer>", "◁think▷", "[THINK]", "[/THINK]",
    "<point>", "<bbox>", "</bbox>", "1 2 30 40", "<0><35>", '"bbox_2d": null', "[0, 0, 0, 0]",
    '"polygon": [[1, 2], [30, 2], [30, 40]]', '"x": 5, "y": 6, "width": 7, "height": 8', "none",
    "0.5", "coordinates are ", "is at ", '"bbox_2d": [0.1, 0.2, 0.5, 0.9]', "bbox_2d:",
)  # fmt: skip
PLAIN = (
    "The numbers on the cards are ", "[3, 7, 11, 20]", "[[1, 2, 3, 4], [5, 6, 7, 8]]", "[2, 1]",
    '{"2019": [10, 20, 30, 40], "2020": [11, 22, 33, 44]}', '{"answer": 4, "why": "four dogs"}',
    '{"rgb": [10, 20, 30, 255]}', "```json\n", "\n```", "```", "`", "{", "}", "[", "]", "(", ")",
    ":", ",", ";", '"', "'", "\\", "//", "null", "true", "None", "3 < 4", "a > b", "<b>bold</b>",
    "&amp;", "12", "0.5", "-3", "1e9", ".", "!", "?", " ", "\n", "\n\n", "\t", "dog", "飞机", "、",
    "（", "，", "🛩️", "| a | b |\n|---|---|\n| 1 | 2 |", "- [ ] task", "[1]", "[link](http://a.b/c)",
    "$x_1$", "f(1, 2)", "(1, 2), (3, 4)", "{x}", "{{}}", "[]", "{}", "the ", "It says ",
    "score was ", "e.g. ", '"quoted"', "don't", "{'a': 1}", "[1, 2", '{"a": [1, 2',
    "x = [10, 20, 30, 40]; ", "#!/bin/sh",
)  # fmt: skip
"""Pieces of replies that point at nothing. Joined in any way they must come out as they are."""
NOTHING_FOUND = re.compile(r"```\w*\s*(?:\[[\s\[\]{}]*\]|\{\s*\})\s*`")
"""An empty list in a code fence is an answer, not text."""


def replies_of(dialect: str) -> list[str]:
    """Read the recorded replies of a dialect."""
    document = json.loads((CASES / f"{dialect}.json").read_text(encoding="utf-8"))
    return [case["reply"] for case in document]


def mutated(rng: random.Random, replies: Sequence[str]) -> str:
    """One reply, or two in a row, with pieces inserted, removed, doubled and swapped."""
    text = "".join(rng.choices(replies, k=rng.randint(1, 2)))
    for _ in range(rng.randint(1, 8)):
        a, b = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        b = min(b, a + 12)
        text = rng.choice((
            text[:a] + rng.choice(PIECES) + text[a:],
            text[:a] + text[b:],
            text[:b] + text[a:b] + text[b:],
            text[:a] + text[a:b][::-1] + text[b:],
            text[:a] + rng.choice(PIECES) + text[b:],
        ))  # fmt: skip
    return text


def plain(rng: random.Random) -> str:
    """Make a reply without markup: no JSON at its start, no place named before numbers."""
    while True:
        reply = "Well " + "".join(rng.choices(PLAIN, k=rng.randint(1, 14))) + " so."
        if not NOTHING_FOUND.search(reply):
            return reply


def check_plain(dialect: str, reply: str) -> None:
    """Read a reply without markup and check that every letter of it is shown.

    Raises:
        AssertionError: a letter is lost, or something was taken for a place.
    """
    if dialect == "qwen2_vl_stripped":
        reply = reply.replace("(1, 2), (3, 4)", "…")  # a box to this one
    events = list(DIALECTS.load(dialect).read([reply]))
    shown = "".join(event.text for event in events if isinstance(event, PlainText))
    assert shown == reply, (dialect, reply, shown)
    assert all(isinstance(event, PlainText) for event in events), (dialect, reply, events)


def check_reply(dialect: str, reply: str) -> None:
    """Read a reply and check spans, boxes, and that no character appears from nowhere.

    Raises:
        AssertionError: a promise is broken; the message holds the reply.
    """
    part: list[ReplyEvent] = []
    for event in DIALECTS.load(dialect).read([reply]):
        if isinstance(event, Thought) and event.retracts:
            check_events(dialect, reply, part)
            part = []
        else:
            part.append(event)
    check_events(dialect, reply, part)


def check_events(dialect: str, reply: str, events: Sequence[ReplyEvent]) -> None:
    """Check the events between two withdrawals."""
    clean = "".join(event.text for event in events if isinstance(event, PlainText))
    if not any(mark in reply for mark in "[{"):  # labels of JSON show unescaped, with commas
        rest = iter(reply)
        assert all(character in rest for character in clean), (dialect, reply)
    for event in events:
        if isinstance(event, MalformedMarkup):
            assert event.text, (dialect, reply)
            rest = iter(reply)
            assert all(character in rest for character in event.text), (dialect, reply)
        elif isinstance(event, BoxMention | PointMention | DetectRequest | Absence):
            if event.span is not None:
                start, end = event.span
                assert clean[start:end] == event.phrase, (dialect, reply)
            if isinstance(event, BoxMention):
                if not isinstance(event.box.frame, EitherFrame):
                    box = event.box.to_box(Size(10_000_000, 10_000_000), Size(1000, 1000))
                    assert not box.is_empty or event.box.xa > 1000 or event.box.ya > 1000, reply
            elif isinstance(event, PointMention):
                if not isinstance(event.point.frame, EitherFrame):
                    event.point.to_point(Size(480, 640))
            elif isinstance(event, DetectRequest):
                assert event.phrase, (dialect, reply)


def main(count: int = 100_000, seed: int = 0, *names: str) -> None:
    """Fuzz, and print how it went."""
    rng, start, characters = random.Random(seed), time.perf_counter(), 0
    dialects = names or tuple(DIALECTS)
    each = -(-count // len(dialects))
    recorded = {name: replies_of(name) for name in DIALECTS if (CASES / f"{name}.json").exists()}
    everything = [reply for replies in recorded.values() for reply in replies]
    for dialect in dialects:
        for number in range(each):
            # Every tenth reply speaks any of the dialects.
            own = recorded.get(dialect, everything) if number % 10 else everything
            reply = mutated(rng, own)
            characters += len(reply)
            check_reply(dialect, reply)
            check_plain(dialect, plain(rng))
    seconds = time.perf_counter() - start
    print(
        f"as many replies without markup came out letter for letter; "
        f"{each * len(dialects)} mutated replies in {len(dialects)} dialects, {characters} "
        f"characters, no exception, {seconds:.1f} s"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
