import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.runtime.text_stream import StopStringFilter, reply_text


def released(pieces: list[str], stop: list[str]) -> tuple[str, bool]:
    reply = StopStringFilter(stop)
    shown = "".join(reply.push(piece) for piece in pieces)
    return shown + reply.finish(), reply.stopped


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text("ab \n", max_size=4), max_size=12), st.lists(st.text("ab", max_size=3)))
def test_cutting_the_text_elsewhere_changes_nothing(pieces: list[str], stop: list[str]) -> None:
    assert released(pieces, stop) == released(["".join(pieces)], stop)


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["  a ", " b", "  "], [], ("a  b", False)),
        (["one STO", "P two"], ["STOP"], ("one ", True)),
        (["one STO"], ["STOP"], ("one STO", False)),
        (["xaab"], ["ab", "aa"], ("x", True)),
        (["abc"], [""], ("abc", False)),
        ([" ", "\n"], [], ("", False)),
    ],
)
def test_replies_end_where_they_should(pieces, stop, expected) -> None:
    assert released(pieces, stop) == expected


class Letters:
    """A decoder that holds back the last letter, as one does with half of a character."""

    def __init__(self) -> None:
        self.held = ""

    def push(self, token_id: int) -> str:
        shown, self.held = self.held, chr(token_id)
        return shown

    def finish(self) -> str:
        return self.held


def followed(text: str, stop: tuple[str, ...] = (), taken: int = 100):
    """What is shown, why it ended, and how many ids were asked for; "." is the end."""
    asked = []

    def tokens():
        for letter in text:
            asked.append(letter)
            yield ord(letter)

    source = tokens()
    stream = reply_text(source, {ord(".")}, Letters(), stop)
    shown, finish = "", None
    try:
        for _ in range(taken):
            shown += next(stream)
    except StopIteration as end:
        finish = end.value
    stream.close()
    assert source.gi_frame is None, "the ids must be closed"
    return shown, finish, len(asked)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("ab.cd", (), ("ab", "stop", 3)),
        ("abcd", (), ("abcd", "length", 4)),
        ("abXYcdef", ("XY",), ("ab", "stop", 5)),
        ("abXY", ("XY",), ("ab", "stop", 4)),  # the stop string is complete in the held letter
        ("", (), ("", "length", 0)),
    ],
)
def test_tokens_become_text_until_an_end_or_a_stop_string(text, stop, expected) -> None:
    assert followed(text, stop) == expected


def test_closing_the_text_early_closes_the_tokens() -> None:
    assert followed("abcdef", taken=2) == ("ab", None, 3)
