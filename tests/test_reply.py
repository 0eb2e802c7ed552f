import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.reply import ReplyText


def released(pieces: list[str], stop: list[str]) -> tuple[str, bool]:
    reply = ReplyText(stop)
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
