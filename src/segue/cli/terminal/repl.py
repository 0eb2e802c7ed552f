"""The loop of `segue chat`: a line is a question, a line that begins with "/" is a command."""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from segue.cli import options
from segue.cli.terminal import corrections, results
from segue.cli.terminal.screen import printable, region_table, show_route, show_stream
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
    """A conversation, a console, and what a person typed."""

    def __init__(
        self,
        conversation: "Conversation",
        console: Console,
        sampling: "Sampling",
        allow_urls: bool = False,
        keep: Path | None = None,
    ) -> None:
        """`keep` is a folder where the conversation is saved after every line."""
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
        from segue.runtime.catalog import unknown

        try:
            name, *arguments = shlex.split(line[1:]) or ["help"]
        except ValueError as error:
            raise InputError(f"Cannot read {line!r}: {error}. Close the quotation mark.") from error
        if name not in COMMANDS:
            raise UnknownName(unknown("command", name, COMMANDS))
        COMMANDS[name].run(self, arguments)

    def _last(self) -> "Answer":
        """The last answer, its regions as they were corrected since."""
        if not self.conversation.answers:
            raise InputError("Nothing was asked yet. Ask something about the picture first.")
        answer = self.conversation.answers[-1]
        now = {region.id: region for region in self.conversation.regions}
        kept = tuple(now[region.id] for region in answer.regions if region.id in now)
        return replace(answer, regions=kept)

    def say(self, text: str) -> None:
        """Report that something was done."""
        self.console.print(printable(text), style="dim")


def _one(arguments: list[str], usage: str) -> str:
    if len(arguments) != 1:
        raise InputError(f"Expected {usage}, got {len(arguments)} arguments.")
    return arguments[0]


def _help(repl: Repl, _arguments: list[str]) -> None:
    for command in COMMANDS.values():
        repl.console.print(f"  {command.usage:<38}{command.help}")


def _open(repl: Repl, arguments: list[str]) -> None:
    if not arguments:
        raise InputError("Expected /open PICTURE..., got no picture.")
    repl.conversation.add_images(*options.open_images(arguments, repl.allow_urls))
    repl.say(f"{len(repl.conversation.images)} picture(s); the newest is talked about")


def _undo(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.undo()
    repl.say("nothing to take back" if step is None else f"took back: {step}")


def _redo(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.redo()
    repl.say("nothing to do again" if step is None else f"did again: {step}")


def _regions(repl: Repl, _arguments: list[str]) -> None:
    several = len(repl.conversation.images) > 1
    repl.console.print(region_table(repl.conversation.regions, several=several))


def _draw(repl: Repl, arguments: list[str]) -> None:
    target = Path(_one(arguments, "/draw FILE.png"))
    for file in results.write_overlays(repl._last(), target):
        repl.say(f"wrote {file}")


def _masks(repl: Repl, arguments: list[str]) -> None:
    folder = Path(_one(arguments, "/masks FOLDER"))
    repl.say(f"wrote {len(results.write_masks(repl._last().regions, folder))} masks to {folder}")


def _edit(repl: Repl, arguments: list[str]) -> None:
    from segue.cli.commands.edit import read_edit, read_settings

    if len(arguments) < 3:
        raise InputError(
            f"Expected {COMMANDS['edit'].usage}, as in /edit r1 blur out.png strength=12; "
            f"got {len(arguments)} arguments."
        )
    name, operation, target, *settings = arguments
    if name not in {region.id for region in repl.conversation.regions}:
        raise InputError(f"There is no region {name!r}. /regions lists them.")
    edit, pictures = read_edit([name], operation, read_settings(settings))
    results.save_picture(repl.conversation.edit(edit, pictures), Path(target))
    repl.say(f"wrote {target}; {len(repl.conversation.edits)} edit(s) so far")


def _edits(repl: Repl, _arguments: list[str]) -> None:
    for number, edit in enumerate(repl.conversation.edits, 1):
        parameters = " ".join(f"{name}={value}" for name, value in edit.parameters.items())
        named = f"{', '.join(edit.regions)} {edit.operation} {parameters}"
        repl.say(f"{number}. {named}".rstrip())
    if not repl.conversation.edits:
        repl.say("no edits so far")


def _unedit(repl: Repl, _arguments: list[str]) -> None:
    if not repl.conversation.edits:
        raise InputError("There is no edit to take back. /edit makes one.")
    edit = repl.conversation.edits[-1]
    repl.conversation.delete_edit(len(repl.conversation.edits) - 1)
    repl.say(f"took back: {edit.operation} of {', '.join(edit.regions)}")


def _save(repl: Repl, arguments: list[str]) -> None:
    folder = repl.conversation.save(_one(arguments, "/save FOLDER"))
    repl.say(f"saved to {folder}; segue chat --session {folder} goes on with it")


def _quit(repl: Repl, _arguments: list[str]) -> None:
    repl.leaving = True


COMMANDS = {
    "help": Command("/help", "this list", _help),
    "open": Command("/open PICTURE...", "show more pictures", _open),
    "undo": Command("/undo", "take the last change back", _undo),
    "redo": Command("/redo", "do again what was taken back", _redo),
    "regions": Command("/regions", "everything that was pointed at so far", _regions),
    "add": Command("/add X0,Y0,X1,Y1|X,Y... [PHRASE]", "a region by hand", corrections.add),
    "refine": Command("/refine REGION X,Y[,0]...", "click on it, or beside", corrections.refine),
    "rename": Command("/rename REGION PHRASE", "call it something else", corrections.rename),
    "merge": Command("/merge REGION REGION...", "make several one", corrections.merge),
    "delete": Command("/delete REGION...", "take it away", corrections.delete),
    "draw": Command("/draw FILE.png", "the last answer's masks, drawn on the picture", _draw),
    "masks": Command("/masks FOLDER", "the last answer's masks, one PNG each", _masks),
    "edit": Command(
        "/edit REGION OPERATION FILE.png",
        "cutout, blur, recolour, erase, background; on top of earlier edits",
        _edit,
    ),
    "edits": Command("/edits", "the edits so far; the picture itself stays as it is", _edits),
    "unedit": Command("/unedit", "take the last edit back", _unedit),
    "save": Command("/save FOLDER", "keep the conversation", _save),
    "quit": Command("/quit", "leave; so does ^D", _quit),
}
