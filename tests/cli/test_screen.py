"""What a person sees in a terminal."""

import io

import pytest
from rich.console import Console

from builders import a_region, an_answer
from segue.cli.screen import printable, show_stream
from segue.message import Done, RegionFound, TextAdded


def a_terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=60)


def events_of(answer):
    yield TextAdded("The air")
    yield TextAdded("plane is here.")
    for region in answer.regions:
        yield RegionFound(region)
    yield Done(answer)


def test_phrases_get_the_colour_of_their_region() -> None:
    console = a_terminal()
    answer = an_answer()
    assert show_stream(console, events_of(answer)) is answer
    shown = console.file.getvalue()
    coloured = shown.rpartition("is here.")[0].rpartition("The ")[2]
    assert coloured.startswith("\x1b[1;38;2;")
    assert "mairplane\x1b[0m" in coloured


def test_a_reply_cannot_steer_the_terminal() -> None:
    console = a_terminal()
    answer = an_answer(regions=[a_region(phrase="\x1b]0;x\x07")], text="\x1b[2J\r[red]b[/red]")
    list(map(str, [show_stream(console, iter([TextAdded(answer.text), Done(answer)]))]))
    shown = console.file.getvalue()
    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown
    assert "[red]b[/red]" in shown


@pytest.mark.parametrize("text", ["a\nb\tc", "👩‍🚀 飞机 🛩️", "é"])
def test_words_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("text", ["\x1b", "\x00", "\r", "\x9b", "\u202e", "\ud800", "\u2028"])
def test_what_steers_is_replaced_one_for_one(text: str) -> None:
    assert printable(f"a{text}b") == "a\ufffdb"
