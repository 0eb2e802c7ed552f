"""`segue chat`: a conversation about pictures in the terminal, or from a file of lines."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups


@expand_option_groups
def chat(
    image_sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="Pictures; /open adds more.", show_default=False),
    ] = None,
    session_folder: Annotated[
        Path | None,
        typer.Option(
            "--session",
            help="Save the conversation in this folder after every line; resume it if it is "
            "already there.",
        ),
    ] = None,
    *,
    models: options.ModelOptions,
    allow_urls: options.AllowUrlsOption = False,
    sampling: options.SamplingOptions,
) -> None:
    """Talk about pictures in the terminal; /help lists the commands. Piped lines work too."""
    from segue.cli.terminal import results
    from segue.cli.terminal.input_lines import read_lines
    from segue.cli.terminal.repl import Repl
    from segue.cli.terminal.repl_commands import COMMANDS
    from segue.cli.terminal.screen import make_console, show_status

    console = make_console()
    pictures = options.open_images(image_sources or [], allow_urls)
    with show_status(console, "loading the models"):
        assistant = models.load()
    conversation = results.open_conversation(assistant, session_folder).add_images(*pictures)
    repl = Repl(conversation, console, sampling.to_sampling(), COMMANDS, allow_urls, session_folder)
    repl.run(read_lines(console))
    if session_folder is not None:
        conversation.save(session_folder)
