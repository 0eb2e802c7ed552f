"""How an answer looks in a terminal: text with coloured phrases, and a table of regions.

In a terminal the text is redrawn while it arrives, since a phrase gets its colour only when its box
is known, and is removed where it turns out to be a thought. Into a pipe or file it is written once
and plain.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from segue.conversation import Conversation
    from segue.pipeline.answer import Answer, Event, NotFound
    from segue.values.region import Region


def make_console(*, error: bool = False, quiet: bool = False) -> Console:
    """Return a console on standard output, or on standard error.

    Into a pipe it never wraps lines, so that programs can read them.
    """
    console = Console(stderr=error, quiet=quiet, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(
            stderr=error, quiet=quiet, highlight=False, markup=False, emoji=False,
            width=10_000, soft_wrap=True,
        )  # fmt: skip
    return console


@contextmanager
def show_status(console: Console, message: str) -> Iterator[None]:
    """Show in a terminal what is being waited for."""
    if console.is_terminal and not console.quiet:
        with console.status(message):
            yield
    else:
        yield


@contextmanager
def say_how_to_go_on(how: str, *, quiet: bool = False) -> Iterator[None]:
    """Say how to go on when a long command is interrupted, on standard error."""
    try:
        yield
    except KeyboardInterrupt:
        make_console(error=True, quiet=quiet).print(
            f"Stopped. {how}", style="yellow", soft_wrap=True
        )
        raise


SILENCE_LIMIT_S = 30.0
"""After so many seconds without an event the user is told that the answer is still awaited."""


def show_stream(
    console: Console,
    events: "Iterable[Event]",
    *,
    silence_limit_s: float = SILENCE_LIMIT_S,
    clock: Callable[[], float] = monotonic,
) -> "Answer":
    """Show an answer while it arrives, then the table of its regions.

    Args:
        console: where it is shown.
        events: the stream of one answer.
        silence_limit_s: see SILENCE_LIMIT_S.
        clock: returns seconds, from any start.

    Returns:
        The answer.
    """
    from segue.pipeline.answer import Done

    reply = _ReplyView(silence_limit_s, clock)
    answer: Answer | None = None
    with _live_display(console, reply):
        for event in events:
            if not console.is_terminal:
                _write_event(console, event, reply.text)
            reply.add_event(event)
            if isinstance(event, Done):
                answer = event.answer
    if not console.is_terminal:
        console.out("")
    if answer is None:
        raise AssertionError("a stream ends with Done")
    show_findings(console, answer, reply.missing_phrases)
    for sentence in dict.fromkeys((*reply.problems, *answer.notices)):
        console.print(printable(sentence), style="dim")
    return answer


@contextmanager
def _live_display(console: Console, reply: "_ReplyView") -> Iterator[None]:
    """Redraw the reply while it arrives, if the output is a terminal.

    A quiet console leaves no trace, but shows that the reply is awaited.
    """
    is_quiet = console.quiet
    live_console = make_console(error=True) if is_quiet else console
    if not live_console.is_terminal:
        yield
        return
    render = reply.render_status if is_quiet else reply.render_text
    with Live(
        console=live_console, refresh_per_second=12, get_renderable=render, transient=is_quiet
    ):
        try:
            yield
        finally:
            reply.is_complete = True


def _write_event(console: Console, event: "Event", previous_text: str) -> None:
    """Write an event to a pipe or file, where nothing can be removed again.

    Args:
        console: where to write.
        event: the next event.
        previous_text: the text written so far, without thoughts.
    """
    from segue.pipeline.answer import TextAdded, ThoughtEnded

    if isinstance(event, TextAdded):
        console.out(printable(event.text), end="", highlight=False)
    elif isinstance(event, ThoughtEnded) and event.retracts and previous_text.strip():
        console.out("" if previous_text.endswith("\n") else "\n", end="")
        console.out("(The text above was the model's reasoning, not part of the answer.)")
    else:
        return
    console.file.flush()


def show_route(console: Console, conversation: "Conversation", question: str) -> None:
    """Show which route the question takes, and why, where a policy chose it."""
    if conversation.pipeline.route == "auto":
        decision = conversation.choose_route(question)
        if decision.route != "reply":
            console.print(f"route {decision.route}: {printable(decision.reason)}", style="dim")


def show_agreement(console: Console, answer: "Answer") -> None:
    """Show how well the other route agrees on the place of each region."""
    for region in answer.regions:
        if region.agreement is not None:
            other_model = "detector" if region.found_by == "chat" else "chat model"
            name = printable(region.phrase)
            console.print(
                f"{region.id} {name}: agreement with the {other_model}: IoU {region.agreement:.2f}",
                style="dim",
            )


def show_findings(
    console: Console, answer: "Answer", missing_phrases: "Sequence[NotFound]"
) -> None:
    """Show the regions as a table, then what was not found and what went wrong."""
    if answer.regions:
        console.print(region_table(answer.regions, with_picture=len(answer.images) > 1))
    for event in missing_phrases:
        console.print(describe_missing(event), style="yellow")
    if answer.broken:
        console.print(
            f"unreadable markup in the reply: {printable(' '.join(answer.broken))}", style="dim"
        )
    if answer.cut:
        console.print("the reply ended inside its markup; what was complete is used", style="dim")
    if answer.finish == "length":
        console.print("the reply was truncated; raise --max-new-tokens for more", style="dim")
    if answer.finish == "error":
        console.print("the reply ended with an error; the text so far is kept", style="yellow")
    if answer.finish == "refused" and not answer.notices:
        console.print("the model refused to answer, or to continue", style="yellow")


def describe_missing(event: "NotFound") -> str:
    """Say that a phrase was not found, or that this is unsure."""
    verdict = event.verdict
    if verdict is None or verdict.presence == "absent":
        return f"{printable(event.phrase)}: {event.reason}"
    return (
        f"{printable(event.phrase)}: not found, but it may be in the picture "
        f"({100 * verdict.probability:.0f} %)"
    )


def region_table(regions: "Sequence[Region]", *, with_picture: bool = False) -> Table:
    """Return a table with one row per region.

    Args:
        regions: what to list.
        with_picture: add a column with the number of the picture.
    """
    table = Table(box=None, pad_edge=False)
    picture_heading = ["picture"] if with_picture else []
    has_verdicts = any(region.verdict is not None for region in regions)
    verdict_heading = ["verdict"] if has_verdicts else []
    for heading in (
        "", "phrase", *picture_heading, "box", "mask", "score", "found by", *verdict_heading,
    ):  # fmt: skip
        table.add_column(heading, justify="right" if heading == "score" else "left")
    colours = colours_of(regions)
    for region in regions:
        box_text = ", ".join(f"{value:.0f}" for value in region.box.corners)
        mask_text = "" if region.mask is None else f"{region.mask.area} px"
        score_text = "" if region.score is None else f"{region.score:.2f}"
        picture_number = [str(region.image + 1)] if with_picture else []
        table.add_row(
            Text(f"■ {region.id}", style=colours[region.phrase]),
            printable(region.phrase),
            *picture_number,
            box_text,
            mask_text,
            score_text,
            region.found_by,
            *([str(region.verdict or "")] if has_verdicts else []),
        )
    return table


def colours_of(regions: "Iterable[Region]") -> dict[str, str]:
    """Return the colour of each phrase, as in the overlay of these regions, in Rich's notation."""
    from segue.draw.palette import palette

    colours = palette(region.phrase for region in regions)
    return {phrase: f"rgb({r},{g},{b})" for phrase, (r, g, b) in colours.items()}


def printable(text: str) -> str:
    """Replace control characters one by one, so that spans stay right.

    >>> printable("a\\x1b[31mb")
    'a\ufffd[31mb'
    """
    return _CONTROL_CHARACTERS.sub("\ufffd", text)


_CONTROL_CHARACTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class _ReplyView:
    """The part of a reply that has arrived: text, regions, what was not found.

    Rich draws it from another thread.
    """

    def __init__(self, silence_limit_s: float, clock: Callable[[], float]) -> None:
        self.is_complete = False
        self._silence_limit_s, self._clock = silence_limit_s, clock
        self._last_event_s = clock()
        self._reset()

    def _reset(self) -> None:
        self.text = ""
        self.regions: tuple[Region, ...] = ()
        self.missing_phrases: tuple[NotFound, ...] = ()
        self.problems: tuple[str, ...] = ()

    def add_event(self, event: "Event") -> None:
        from segue.pipeline.answer import (
            MarkupBroken,
            NotFound,
            RegionFound,
            TextAdded,
            ThoughtEnded,
        )

        self._last_event_s = self._clock()
        match event:
            case TextAdded(text):
                self.text += text
            case RegionFound(region):
                self.regions += (region,)
            case NotFound():
                self.missing_phrases += (event,)
            case MarkupBroken(reason=str(reason)) if reason:
                self.problems += (reason,)
            case ThoughtEnded(retracts=True):
                self._reset()

    def render_text(self) -> Text:
        """Return the text in its colours, followed by the status."""
        regions, text = self.regions, Text(printable(self.text))
        colours = colours_of(regions)
        for region in regions:
            if region.span is not None:
                text.stylize(f"bold {colours[region.phrase]}", *region.span)
        status = self.render_status()
        return text.append("\n" if text and status else "").append_text(status)

    def render_status(self) -> Text:
        """Return a line that says how long nothing has arrived; empty before the limit."""
        silent_s = self._clock() - self._last_event_s
        if self.is_complete or silent_s < self._silence_limit_s:
            return Text()
        expected = "for more" if self.text.strip() or self.regions else "for the first word"
        return Text(f"still waiting {expected} ({silent_s:.0f} s)", style="dim")


def shortened_list(names: Sequence[str], at_most: int = 20, between: str = ", ") -> str:
    """Join names, and count those that are too many to be read.

    >>> shortened_list(["cat", "dog", "cup"], at_most=2)
    'cat, dog and 1 more'
    """
    shown = between.join(names[:at_most])
    return f"{shown} and {len(names) - at_most} more" if len(names) > at_most else shown
