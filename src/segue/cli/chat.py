"""`segue chat`: a conversation about pictures in the terminal, or from a file of lines."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options


def chat(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]...", help="Pictures; /open adds more.", show_default=False),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(help="Keep the conversation in this folder, and go on with what is there."),
    ] = None,
    preset: options.Preset = "embedded",
    chat: options.Chat = None,
    detect: options.Detect = None,
    segment: options.Segment = None,
    dialect: options.Dialect = None,
    teach_tag: options.TeachTag = False,
    route: options.Route = "reply",
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    allow_urls: options.AllowUrls = False,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    max_new_tokens: options.MaxNewTokens = None,
) -> None:
    """Talk about pictures; /help lists what else can be done. One question a line works too."""
    from segue.cli import results
    from segue.cli.lines import typed_lines
    from segue.cli.repl import Repl
    from segue.cli.screen import screen, waiting

    console = screen()
    pictures = options.open_images(images or [], allow_urls)
    with waiting(console, "loading the models"):
        assistant = options.load_assistant(
            preset, device, dtype, chat=chat, detect=detect, segment=segment,
            dialect=dialect, teach_tag=teach_tag, route=route,
        )  # fmt: skip
    conversation = results.begin(assistant, session).show(*pictures)
    how = options.sampling(seed, temperature, max_new_tokens)
    repl = Repl(conversation, console, how, allow_urls)
    repl.run(typed_lines(console))
    if session is not None:
        conversation.save(session)
