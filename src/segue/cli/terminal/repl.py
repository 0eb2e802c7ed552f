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
class ReplCommand:
    """A command of `segue chat`."""

    usage: str
    help_text: str
    run: Callable[["Repl", list[str]], None]


class Repl:
    """A conversation, a console, and what the user types."""

    def __init__(
        self,
        conversation: "Conversation",
        console: Console,
        sampling: "Sampling",
        commands: Mapping[str, ReplCommand],
        allow_urls: bool = False,
        session_folder: Path | None = None,
    ) -> None:
        """
        Args:
            conversation: what is asked and answered.
            console: where answers are shown.
            sampling: how the model samples its replies.
            commands: the commands that a line beginning with "/" may name.
            allow_urls: allow pictures to be fetched from http(s) URLs.
            session_folder: where the conversation is saved after every line.
        """
        self.commands = commands
        self.conversation = conversation
        self.console = console
        self.sampling = sampling
        self.allow_urls = allow_urls
        self.session_folder = session_folder
        self.is_finished = False

    def run(self, lines: Iterable[str]) -> None:
        """Answer line by line. Errors are shown, and the loop continues."""
        count = len(self.conversation.images)
        if self.console.is_terminal:
            self.console.print(f"{count} picture(s). /help lists the commands.", style="dim")
        for line in lines:
            try:
                self.handle_line(line.strip())
            except SegueError as error:
                self.console.print(printable(str(error)), style="red")
            if self.session_folder is not None and line.strip():
                self.conversation.save(self.session_folder)
            if self.is_finished:
                return

    def handle_line(self, line: str) -> None:
        """Ask the question of a line, or run its command.

        Raises:
            SegueError: it failed; the conversation is unchanged.
        """
        if line.startswith("/"):
            self._run_command(line)
        elif line:
            self._ask_question(line)

    def _ask_question(self, question: str) -> None:
        show_route(self.console, self.conversation, question)
        edits = self.conversation.edits
        events = self.conversation.stream(question, self.sampling)
        try:
            show_stream(self.console, events)
        except KeyboardInterrupt:
            self.console.print("stopped", style="dim")
        finally:
            events.close()
        if self.conversation.edits != edits:
            count = len(self.conversation.edits)
            self.print_status(f"{count} edit(s) so far; /edited FILE.png writes the picture")

    def _run_command(self, line: str) -> None:
        from segue.runtime.catalog import unknown_name_message

        try:
            name, *arguments = shlex.split(line[1:]) or ["help"]
        except ValueError as error:
            raise InputError(f"Cannot read {line!r}: {error}. Close the quotation mark.") from error
        if name not in self.commands:
            raise UnknownName(unknown_name_message("command", name, self.commands))
        self.commands[name].run(self, arguments)

    def last_answer(self) -> "Answer":
        """Return the last answer, with its regions as they are now.

        Raises:
            InputError: there is no answer yet.
        """
        if not self.conversation.answers:
            raise InputError("There is no answer yet. Ask a question about the picture first.")
        answer = self.conversation.answers[-1]
        current_regions = {region.id: region for region in self.conversation.regions}
        regions = tuple(
            current_regions[region.id] for region in answer.regions if region.id in current_regions
        )
        return replace(answer, regions=regions)

    def print_status(self, message: str) -> None:
        """Print that something was done."""
        self.console.print(printable(message), style="dim")
