"""`segue chat`: a conversation about pictures in the terminal, or from a file of lines."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped


@grouped
def chat(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]...", help="Pictures; /open adds more.", show_default=False),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(
            help="Keep the conversation in this folder, line by line, and go on with what is there."
        ),
    ] = None,
    *,
    models: options.Models,
    allow_urls: options.AllowUrls = False,
    words: options.Words,
) -> None:
    """Talk about pictures; /help lists what else can be done. One question a line works too."""
    from segue.cli.terminal import results
    from segue.cli.terminal.lines import typed_lines
    from segue.cli.terminal.repl import Repl
    from segue.cli.terminal.repl_commands import COMMANDS
    from segue.cli.terminal.screen import screen, waiting

    console = screen()
    pictures = options.open_images(images or [], allow_urls)
    with waiting(console, "loading the models"):
        assistant = models.load()
    conversation = results.begin(assistant, session).add_images(*pictures)
    repl = Repl(conversation, console, words.sampling, COMMANDS, allow_urls, session)
    repl.run(typed_lines(console))
    if session is not None:
        conversation.save(session)
