"""Feed mutated replies to the Qwen-VL dialect and check what it promises for every one of them.

    python -m benchmarks.fuzz_dialect [COUNT] [SEED]

The replies start from tests/dialects/cases/qwen_vl; each is damaged in one to eight places.
"""

import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from segue.box import Size
from segue.dialects import Malformed, Pointed, Text
from segue.dialects.qwen_vl import QwenVLDialect

CASES = Path(__file__).resolve().parents[1] / "tests" / "dialects" / "cases" / "qwen_vl"
PIECES = (
    "<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<gsam>", "</gsam>", "<img>",
    "</img>", "<|im_end|>", "(1,2),(3,4)", "(", ")", ",", "-", ".", "9999999", "<", ">", "</", " ",
    "\n", "、", "（", "，", "图2", "Picture 3: ", "dog", "飞机", "\x00", "\ud800", "🛩️", "e9", "nan",
)  # fmt: skip


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


def check_reply(reply: str) -> None:
    """Read a reply and check spans, boxes, and that no character appears from nowhere.

    Raises:
        AssertionError: a promise is broken; the message holds the reply.
    """
    events = list(QwenVLDialect().read([reply]))
    clean = "".join(event.text for event in events if isinstance(event, Text))
    rest = iter(reply)
    assert all(character in rest for character in clean), reply
    for event in events:
        if isinstance(event, Malformed):
            assert event.text, reply
            assert "<" in event.text, reply
        elif not isinstance(event, Text):
            start, end = event.span or (0, 0)
            assert clean[start:end] == event.phrase, reply
            if isinstance(event, Pointed):
                assert not event.box.to_box(Size(480, 640)).is_empty, reply
            else:
                assert event.phrase, reply


def main(count: int = 100_000, seed: int = 0) -> None:
    """Fuzz, and print how it went."""
    replies = [
        json.loads(path.read_text(encoding="utf-8"))["reply"] for path in CASES.glob("*.json")
    ]
    rng, start, characters = random.Random(seed), time.perf_counter(), 0
    for _ in range(count):
        reply = mutated(rng, replies)
        characters += len(reply)
        check_reply(reply)
    seconds = time.perf_counter() - start
    print(f"{count} mutated replies, {characters} characters, no exception, {seconds:.1f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
