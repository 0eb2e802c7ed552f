"""What the user sees in a terminal."""

import io
import re
import threading

import pytest
from rich.console import Console

from builders import a_region, an_answer
from segue.cli.terminal.screen import printable, show_stream
from segue.pipeline.answer import (
    Done,
    MarkupBroken,
    NotFound,
    Notice,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)


def a_terminal(file: io.StringIO | None = None) -> Console:
    return Console(
        file=file or io.StringIO(), force_terminal=True, color_system="truecolor", width=60
    )


def a_pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=200)


class Screen:
    """What a terminal shows in the end: lines that were drawn over are gone."""

    def __init__(self, written: str) -> None:
        self.lines = [""]
        row = 0
        for part in re.split("(\x1b\\[[0-9;?]*[A-Za-z]|\n|\r)", written):
            if part == "\n":
                row += 1
                self.lines += [""] * (row + 1 - len(self.lines))
            elif part == "\x1b[2K" or part == "\r":
                self.lines[row] = "" if part == "\x1b[2K" else self.lines[row]
            elif part == "\x1b[1A":
                row -= 1
            elif not part.startswith("\x1b"):
                self.lines[row] += part

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


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


def thinking_aloud():
    """A reply whose first half turns out to be a thought."""
    yield TextAdded("Is it the cat?")
    yield RegionFound(a_region(id="r1", phrase="cat", span=(10, 13)))
    yield NotFound("unicorn")
    yield MarkupBroken("<box>(1", reason="the box has one number")
    yield ThoughtEnded(40, retracts=True, regions=("r1",))
    answer = an_answer(thought=40)
    yield TextAdded(answer.text)
    for region in answer.regions:
        yield RegionFound(region)
    yield Done(answer)


def test_a_terminal_takes_back_what_turns_out_to_be_a_thought() -> None:
    console = a_terminal()
    show_stream(console, thinking_aloud())
    lines = [line for line in Screen(console.file.getvalue()).lines if line.strip()]
    assert lines[0] == "The airplane is here."
    assert [line.split()[1:3] for line in lines[2:]] == [["r1", "airplane"]]


def test_a_pipe_says_that_what_stands_above_does_not_count() -> None:
    console = a_pipe()
    show_stream(console, thinking_aloud())
    aloud, said, answer, *rest = console.file.getvalue().splitlines()
    assert aloud == "Is it the cat?"
    assert said == "(The text above was the model's reasoning, not part of the answer.)"
    assert answer == "The airplane is here."
    assert "unicorn" not in "".join(rest)
    assert "one number" not in "".join(rest)


def test_a_thought_of_which_nothing_was_shown_is_not_spoken_of() -> None:
    console = a_pipe()
    answer = an_answer(thought=40)
    ended = ThoughtEnded(0, retracts=True), ThoughtEnded(40)
    show_stream(console, iter([*ended, TextAdded(answer.text), Done(answer)]))
    assert "thought" not in console.file.getvalue()


def test_notices_come_last_and_once() -> None:
    console = a_pipe()
    answer = an_answer(notices=("The model went in circles.",) * 2)
    show_stream(console, iter([Notice(answer.notices[0]), TextAdded(answer.text), Done(answer)]))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == answer.text
    assert lines[-1] == "The model went in circles."
    assert lines.count("The model went in circles.") == 1


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        ("length", "the reply was truncated; raise --max-new-tokens for more"),
        ("error", "the reply ended with an error; the text so far is kept"),
        ("refused", "the model refused to answer, or to continue"),
    ],
)
def test_the_end_of_a_reply_is_named_as_what_it_is(finish: str, said: str) -> None:
    console = a_pipe()
    answer = an_answer(finish=finish)
    show_stream(console, iter([TextAdded(answer.text), Done(answer)]))
    *_, last = console.file.getvalue().splitlines()
    assert last == said


@pytest.mark.parametrize("finish", ["error", "refused"])
def test_a_server_that_says_why_it_ended_a_reply_is_quoted(finish: str) -> None:
    console = a_pipe()
    answer = an_answer(finish=finish, notices=("the content filter cut the reply off",))
    show_stream(console, iter([TextAdded(answer.text), Done(answer)]))
    shown = console.file.getvalue()
    assert shown.splitlines()[-1] == "the content filter cut the reply off"
    assert "--max-new-tokens" not in shown
    assert "refused to answer this" not in shown


def test_a_reply_that_was_only_a_thought_is_told_once_how_to_go_on() -> None:
    console = a_pipe()
    said = "the model only thought, 90 characters, and gave no answer; raise --max-new-tokens"
    answer = an_answer([], text="", finish="thought", thought=90, notices=(said,))
    show_stream(console, iter([ThoughtEnded(90, cut=True), Notice(said), Done(answer)]))
    assert console.file.getvalue().count("--max-new-tokens") == 1


class Seen(io.StringIO):
    """A terminal's output; tells when words appear in it."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.events = {word: threading.Event() for word in words}

    def write(self, text: str) -> int:
        for word, event in self.events.items():
            if word in text:
                event.set()
        return super().write(text)

    def wait(self, word: str) -> None:
        assert self.events[word].wait(20), word


def test_a_terminal_says_that_it_still_waits() -> None:
    first, more = "still waiting for the first word (30 s)", "still waiting for more (95 s)"
    terminal, now = Seen(first, more), [0.0]
    answer = an_answer()

    def events():
        now[0] += 30
        terminal.wait(first)
        yield TextAdded("The air")
        now[0] += 95
        terminal.wait(more)
        yield TextAdded("plane is here.")
        now[0] += 95
        yield Done(answer)

    before = set(threading.enumerate())
    show_stream(a_terminal(terminal), events(), silence_limit_s=30, clock=lambda: now[0])
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(20)
    assert not any(thread.is_alive() for thread in left)
    assert "waiting" not in Screen(terminal.getvalue()).text


def test_a_reply_that_fails_while_it_is_waited_for_leaves_no_waiting_line() -> None:
    first = "still waiting for the first word (31 s)"
    terminal, now = Seen(first), [0.0]

    def events():
        now[0] += 31
        terminal.wait(first)
        raise ConnectionError("gone")
        yield

    with pytest.raises(ConnectionError):
        show_stream(a_terminal(terminal), events(), clock=lambda: now[0])
    assert "waiting" not in Screen(terminal.getvalue()).text


def test_a_pipe_hears_nothing_of_waiting() -> None:
    console, answer = a_pipe(), an_answer()
    now = iter(range(0, 9000, 60))
    events = iter([TextAdded(answer.text), Done(answer)])
    show_stream(console, events, clock=lambda: float(next(now)))
    assert "waiting" not in console.file.getvalue()


def test_a_quiet_command_says_that_it_waits_and_leaves_no_trace(monkeypatch) -> None:
    first = "still waiting for the first word (31 s)"
    terminal, now, answer = Seen(first), [0.0], an_answer()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("FORCE_COLOR", "1")  # standard error is a terminal

    def events():
        now[0] += 31
        terminal.wait(first)
        yield TextAdded(answer.text)
        yield Done(answer)

    show_stream(Console(stderr=True, quiet=True), events(), clock=lambda: now[0])
    assert Screen(terminal.getvalue()).text.strip() == ""
