"""What a person sees of an answer: words with coloured phrases, and a table of regions.

In a terminal the words are redrawn as they come, since a phrase gets its colour only when its box
is known, and are taken back where they turn out to be a thought; into a pipe or file they are
written once and plain.
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


def screen(*, error: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or on standard error.

    Into a pipe it never folds lines, so that programs can read them.
    """
    console = Console(stderr=error, quiet=quiet, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(
            stderr=error, quiet=quiet, highlight=False, markup=False, emoji=False,
            width=10_000, soft_wrap=True,
        )  # fmt: skip
    return console


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Say what takes time, where somebody watches."""
    if console.is_terminal and not console.quiet:
        with console.status(what):
            yield
    else:
        yield


PATIENCE_S = 30.0
"""After so long without an event a person is told that the answer is still waited for."""


def show_stream(
    console: Console,
    events: "Iterable[Event]",
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = monotonic,
) -> "Answer":
    """Show an answer while it is written, then the table of its regions.

    Args:
        console: where it is shown.
        events: the stream of one answer.
        patience_s: see PATIENCE_S.
        clock: seconds, from any beginning.

    Returns:
        The answer.
    """
    from segue.pipeline.answer import Done

    reply = _ReplyView(patience_s, clock)
    answer: Answer | None = None
    with _watched(console, reply):
        for event in events:
            if not console.is_terminal:
                _write(console, event, reply.text)
            reply.add(event)
            if isinstance(event, Done):
                answer = event.answer
    if not console.is_terminal:
        console.out("")
    if answer is None:
        raise AssertionError("a stream ends with Done")
    show_findings(console, answer, reply.missing)
    for sentence in dict.fromkeys((*reply.reasons, *answer.notices)):
        console.print(printable(sentence), style="dim")
    return answer


@contextmanager
def _watched(console: Console, reply: "_ReplyView") -> Iterator[None]:
    """Draw the reply again and again, where somebody watches.

    A quiet console leaves no trace, but says that the reply is waited for while it is.
    """
    quiet = console.quiet
    watching = screen(error=True) if quiet else console
    if not watching.is_terminal:
        yield
        return
    drawn = reply.waiting if quiet else reply.coloured
    with Live(console=watching, refresh_per_second=12, get_renderable=drawn, transient=quiet):
        try:
            yield
        finally:
            reply.ended = True


def _write(console: Console, event: "Event", before: str) -> None:
    """An event as it goes into a pipe or file, where nothing can be taken back.

    Args:
        console: that.
        event: what comes now.
        before: the words that were written and count so far.
    """
    from segue.pipeline.answer import TextAdded, ThoughtEnded

    if isinstance(event, TextAdded):
        console.out(printable(event.text), end="", highlight=False)
    elif isinstance(event, ThoughtEnded) and event.retracts and before.strip():
        console.out("" if before.endswith("\n") else "\n", end="")
        console.out("(What stands above was a thought of the model and does not count.)")
    else:
        return
    console.file.flush()


def show_route(console: Console, conversation: "Conversation", question: str) -> None:
    """Which route the question takes, and why, where a policy chose it."""
    if conversation.pipeline.route == "auto":
        chosen = conversation.choose_route(question)
        if chosen.route != "reply":
            console.print(f"route {chosen.route}: {printable(chosen.reason)}", style="dim")


def show_agreement(console: Console, answer: "Answer") -> None:
    """How far the other route puts each region in the same place."""
    for region in answer.regions:
        if region.agreement is not None:
            other = "detector" if region.found_by == "chat" else "chat model"
            name = printable(region.phrase)
            console.print(
                f"{region.id} {name}: the {other} agrees, IoU {region.agreement:.2f}", style="dim"
            )


def show_findings(console: Console, answer: "Answer", missing: "Sequence[NotFound]") -> None:
    """The regions as a table, and what there is to say about the rest."""
    if answer.regions:
        console.print(region_table(answer.regions, several=len(answer.images) > 1))
    for event in missing:
        console.print(f"{printable(event.phrase)}: {event.reason}", style="yellow")
    if answer.broken:
        console.print(
            f"unreadable markup in the reply: {printable(' '.join(answer.broken))}", style="dim"
        )
    if answer.cut:
        console.print("the reply ended inside its markup; what was complete is used", style="dim")
    if answer.finish == "length":
        console.print("the reply was cut off: --max-new-tokens allows a longer one", style="dim")
    if answer.finish == "error":
        console.print("the reply broke off; what was said until then is kept", style="yellow")
    if answer.finish == "refused" and not answer.notices:
        console.print("the model refused to answer this, or to go on", style="yellow")


def region_table(regions: "Sequence[Region]", *, several: bool = False) -> Table:
    """One line a region.

    Args:
        regions: what was found.
        several: say which picture each is on.
    """
    table = Table(box=None, pad_edge=False)
    for heading in ("", "phrase", *(["picture"] if several else []), "box", "mask", "score", "by"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    colours = colours_of(regions)
    for region in regions:
        box = ", ".join(f"{value:.0f}" for value in region.box.corners)
        mask = "" if region.mask is None else f"{region.mask.area} px"
        score = "" if region.score is None else f"{region.score:.2f}"
        picture = [str(region.image + 1)] if several else []
        name = Text(f"■ {region.id}", style=colours[region.phrase])
        table.add_row(name, printable(region.phrase), *picture, box, mask, score, region.found_by)
    return table


def colours_of(regions: "Iterable[Region]") -> dict[str, str]:
    """The colour of each phrase, as in the overlay of the same regions and as Rich writes it."""
    from segue.draw.palette import palette

    colours = palette(region.phrase for region in regions)
    return {phrase: f"rgb({r},{g},{b})" for phrase, (r, g, b) in colours.items()}


def printable(text: str) -> str:
    """Replace what would steer a terminal, character by character, so that spans stay right.

    >>> printable("a\\x1b[31mb")
    'a\ufffd[31mb'
    """
    return _STEERING.sub("\ufffd", text)


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class _ReplyView:
    """What counts of a reply so far: words, regions, what is missing. Drawn by another thread."""

    def __init__(self, patience_s: float, clock: Callable[[], float]) -> None:
        self.ended = False
        self.reasons: tuple[str, ...] = ()
        self._patience_s, self._clock = patience_s, clock
        self._heard = clock()
        self._withdraw()

    def _withdraw(self) -> None:
        self.text = ""
        self.regions: tuple[Region, ...] = ()
        self.missing: tuple[NotFound, ...] = ()
        self.reasons = ()

    def add(self, event: "Event") -> None:
        from segue.pipeline.answer import (
            MarkupBroken,
            NotFound,
            RegionFound,
            TextAdded,
            ThoughtEnded,
        )

        self._heard = self._clock()
        match event:
            case TextAdded(text):
                self.text += text
            case RegionFound(region):
                self.regions += (region,)
            case NotFound():
                self.missing += (event,)
            case MarkupBroken(reason=str(reason)) if reason:
                self.reasons += (reason,)
            case ThoughtEnded(retracts=True):
                self._withdraw()

    def coloured(self) -> Text:
        """The words in their colours, and below them that more is waited for."""
        regions, text = self.regions, Text(printable(self.text))
        colours = colours_of(regions)
        for region in regions:
            if region.span is not None:
                text.stylize(f"bold {colours[region.phrase]}", *region.span)
        waiting = self.waiting()
        return text.append("\n" if text and waiting else "").append_text(waiting)

    def waiting(self) -> Text:
        """That nothing came for long; no text where something did."""
        silent_s = self._clock() - self._heard
        if self.ended or silent_s < self._patience_s:
            return Text()
        what = "for more" if self.text.strip() or self.regions else "for the first word"
        return Text(f"still waiting {what} ({silent_s:.0f} s)", style="dim")
