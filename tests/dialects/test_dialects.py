"""Every dialect against its recorded replies, and against what nobody would write."""

import random
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_dialect import PIECES, check_plain, check_reply, mutated, plain
from dialect_replies import FOLDER, as_json, cases, read
from segue.dialects import DIALECTS, PlainText, ReplyEvent, drop_retracted

RECORDED = [path.stem for path in sorted(FOLDER.glob("*.json"))]
CASES = [(dialect, name) for dialect in RECORDED for name in cases(dialect)]
REPLIES = {name: [case["reply"] for case in cases(name).values()] for name in RECORDED}
HOSTILE = (
    *("<", "(", "[", "{", "`", '"', "[[", "[{", '{"a":', "<point ", "<loc0001>", "<loc_1>", "<|a"),
    *('[{"bbox_2d":[1,2,3,4],', "<phrase>a</phrase>", "<object><patch_index_0001>", "<poly>"),
    *("(1,2),(3", "<|det|>[1,2,3,4],", "<think>", "dog ", " ", "<gsam>" + "a " * 900, "\\"),
)


def test_every_dialect_has_recorded_replies() -> None:
    assert set(RECORDED) >= set(DIALECTS) - {"auto"}
    assert all(len(REPLIES[name]) >= 30 for name in RECORDED)


@pytest.mark.parametrize(("dialect", "name"), CASES)
def test_reply_gives_the_recorded_events(dialect: str, name: str) -> None:
    case = cases(dialect)[name]
    events = read(dialect, [case["reply"]], grounded=case.get("grounded", False))
    assert [as_json(event) for event in events] == case["events"]


@pytest.mark.parametrize("dialect", RECORDED)
def test_every_cut_gives_the_same_events(dialect: str) -> None:
    for reply in REPLIES[dialect]:
        whole = read(dialect, [reply])
        assert read(dialect, reply) == whole
        for cut in range(0, len(reply) + 1, 1 + len(reply) // 40):
            assert read(dialect, [reply[:cut], "", reply[cut:]]) == whole


def kept(events: list[ReplyEvent]) -> list[ReplyEvent]:
    """What counts: how much is handed out before a thought takes it back is a matter of time."""
    return drop_retracted(events)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=25).map("".join),
    st.lists(st.integers(min_value=0, max_value=120), max_size=6),
)
def test_any_text_cut_anywhere_gives_the_same_events(
    dialect: str, reply: str, cuts: list[int]
) -> None:
    ends = [0, *sorted(cuts), len(reply)]
    chunks = [reply[a:b] for a, b in pairwise(ends)]
    whole = kept(read(dialect, [reply]))
    assert kept(read(dialect, chunks)) == whole == kept(read(dialect, reply))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutated_replies_keep_every_promise(dialect: str) -> None:
    rng = random.Random(7)
    own = REPLIES.get(dialect) or [reply for replies in REPLIES.values() for reply in replies]
    for number in range(300):
        reply = mutated(rng, own)
        check_reply(dialect, reply)
        check_plain(dialect, plain(rng))
        if number % 6 == 0:
            assert kept(read(dialect, reply)) == kept(read(dialect, [reply]))


@pytest.mark.parametrize("piece", HOSTILE)
def test_anything_repeated_is_read_in_linear_time(piece: str) -> None:
    def seconds(dialect: str, length: int) -> float:
        reply = "dog " + piece * (length // len(piece))
        start = time.process_time()
        for _ in DIALECTS.load(dialect).read(reply[i : i + 50] for i in range(0, length, 50)):
            pass
        return time.process_time() - start

    for dialect in ("qwen_vl", "qwen3_vl", "qwen2_vl_stripped", "molmo", "florence2", "paligemma"):
        assert seconds(dialect, 30_000) < 2.0  # measured: under 0.2 s


def test_one_dialect_reads_many_replies() -> None:
    for name in DIALECTS:
        reader = DIALECTS.load(name)
        list(reader.read(["<gsam>dog [{"]))
        assert list(reader.read(["cat"])) == [PlainText("cat")]


def test_reading_needs_no_torch() -> None:
    code = (
        "import sys\nfrom segue.dialects import DIALECTS\n"
        "[DIALECTS.load(name) for name in DIALECTS]\nsys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
