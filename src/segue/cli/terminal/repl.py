"""The loop of `segue chat`: a line is a question, a line that begins with "/" is a command."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from segue.cli.terminal.screen import printable, show_route, show_stream
from segue.errors import InputError, SegueError, UnknownName

if TYPE_CHECKING:
    from segue.conversation import Conversation
    from segue.pipeline.answer import Answer
    from segue.values.message import Sampling


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done beside asking."""

    usage: str
    help: str
    run: Callable[["Repl", list[str]], None]


class Repl:
    """A conversation, a console, and what the user types."""

    def __init__(
        self,
        conversation: "Conversation",
        console: Console,
        sampling: "Sampling",
        commands: Mapping[str, Command],
        allow_urls: bool = False,
        keep: Path | None = None,
    ) -> None:
        """
        Args:
            conversation: what is talked about.
            console: where it is shown.
            sampling: how the model samples its words.
            commands: what a line that begins with "/" may name.
            allow_urls: let pictures be fetched from http(s) addresses.
            keep: a folder where the conversation is saved after every line.
        """
        self.commands = commands
        self.conversation = conversation
        self.console = console
        self.sampling = sampling
        self.allow_urls = allow_urls
        self.keep = keep
        self.leaving = False

    def run(self, lines: Iterable[str]) -> None:
        """Answer line by line. What goes wrong is said, and the next line is read."""
        count = len(self.conversation.images)
        if self.console.is_terminal:
            self.console.print(f"{count} picture(s). /help lists the commands.", style="dim")
        for line in lines:
            try:
                self.answer(line.strip())
            except SegueError as error:
                self.console.print(printable(str(error)), style="red")
            if self.keep is not None and line.strip():
                self.conversation.save(self.keep)
            if self.leaving:
                return

    def answer(self, line: str) -> None:
        """Ask what stands in a line, or do what it commands.

        Raises:
            SegueError: it could not be done; the conversation is as it was.
        """
        if line.startswith("/"):
            self._command(line)
        elif line:
            self._ask(line)

    def _ask(self, question: str) -> None:
        show_route(self.console, self.conversation, question)
        events = self.conversation.stream(question, self.sampling)
        try:
            show_stream(self.console, events)
        except KeyboardInterrupt:
            self.console.print("stopped", style="dim")
        finally:
            events.close()

    def _command(self, line: str) -> None:
        from segue.runtime.catalog import unknown_name_message

        try:
            name, *arguments = shlex.split(line[1:]) or ["help"]
        except ValueError as error:
            raise InputError(f"Cannot read {line!r}: {error}. Close the quotation mark.") from error
        if name not in self.commands:
            raise UnknownName(unknown_name_message("command", name, self.commands))
        self.commands[name].run(self, arguments)

    def last_answer(self) -> "Answer":
        """Return the last answer, its regions as they are now.

        Raises:
            InputError: nothing was asked yet.
        """
        if not self.conversation.answers:
            raise InputError("Nothing was asked yet. Ask something about the picture first.")
        answer = self.conversation.answers[-1]
        now = {region.id: region for region in self.conversation.regions}
        regions = tuple(now[region.id] for region in answer.regions if region.id in now)
        return replace(answer, regions=regions)

    def say(self, text: str) -> None:
        """Report that something was done."""
        self.console.print(printable(text), style="dim")
