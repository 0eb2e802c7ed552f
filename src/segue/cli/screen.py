"""What a person sees of an answer: words with coloured phrases, and a table of regions.

In a terminal the words are redrawn as they come, since a phrase gets its colour only when its box
is known; into a pipe or file they are written once and plain.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from segue.conversation import Conversation
    from segue.message import Answer, Event, NotFound
    from segue.region import Region


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


def show_stream(console: Console, events: "Iterable[Event]") -> "Answer":
    """Show an answer while it is written, then the table of its regions.

    Returns:
        The answer.
    """
    from segue.message import Done, MarkupBroken, NotFound, TextAdded

    words = _Words()
    missing: list[NotFound] = []
    reasons: dict[str, None] = {}  # in order, each once
    answer: Answer | None = None
    live = Live(console=console, refresh_per_second=12) if console.is_terminal else None
    with live or _nothing():
        for event in events:
            words.add(event)
            if isinstance(event, NotFound):
                missing.append(event)
            if isinstance(event, MarkupBroken) and event.reason:
                reasons[event.reason] = None
            if isinstance(event, Done):
                answer = event.answer
            elif live is not None:
                live.update(words.coloured())
            elif isinstance(event, TextAdded):
                console.out(printable(event.text), end="", highlight=False)
                console.file.flush()
    if live is None:
        console.out("")
    if answer is None:
        raise AssertionError("a stream ends with Done")
    show_findings(console, answer, missing)
    for reason in reasons:
        console.print(printable(reason), style="dim")
    return answer


def show_route(console: Console, conversation: "Conversation", question: str) -> None:
    """Which route the question takes, and why, where a policy chose it."""
    if conversation.assistant.route == "auto":
        chosen = conversation.choose(question)
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


class _Words:
    """The clean text so far and the regions that were found."""

    def __init__(self) -> None:
        self.text = ""
        self.regions: list[Region] = []

    def add(self, event: "Event") -> None:
        from segue.message import RegionFound, TextAdded

        if isinstance(event, TextAdded):
            self.text += event.text
        elif isinstance(event, RegionFound):
            self.regions.append(event.region)

    def coloured(self) -> Text:
        text = Text(printable(self.text))
        colours = colours_of(self.regions)
        for region in self.regions:
            if region.span is not None:
                text.stylize(f"bold {colours[region.phrase]}", *region.span)
        return text


@contextmanager
def _nothing() -> Iterator[None]:
    yield
