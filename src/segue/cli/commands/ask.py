"""`segue ask`: one question about one or more pictures."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped
from segue.errors import InputError
from segue.files.unicode import well_formed


@grouped
def ask(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE", help="One or more pictures.", default_factory=list, show_default=False
        ),
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In Chinese or English.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the picture with masks drawn on it.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(help="Write the answer as JSON; '-' is standard output.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Write one PNG a mask into this folder.")
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(help="Keep the conversation in this folder, and go on with what is there."),
    ] = None,
    *,
    models: options.Models,
    ground: Annotated[
        bool,
        typer.Option(
            "--ground", help="Ask in the form that makes the chat model's family point at things."
        ),
    ] = False,
    agreement: Annotated[
        bool,
        typer.Option("--agreement", help="Ask the other route too, and say how far both agree."),
    ] = False,
    allow_urls: options.AllowUrls = False,
    words: options.Words,
) -> None:
    """Ask about pictures; get an answer in words and masks of what it points at."""
    from segue.cli.terminal import results
    from segue.cli.terminal.screen import screen, show_agreement, show_route, show_stream, waiting

    _check(images, question, session)
    question = well_formed(question)
    results.keep_inputs([json, *results.overlay_files(out, len(images))], images)
    results.keep_inputs_from(masks, images)
    to_stdout = json == "-"
    console = screen(error=to_stdout, quiet=to_stdout)
    pictures = options.open_images(images, allow_urls)
    with waiting(console, "loading the models"):
        assistant = models.load()
    conversation = results.begin(assistant, session).add_images(*pictures)
    show_route(console, conversation, question)
    answer = show_stream(console, conversation.stream(question, words.sampling, ground=ground))
    if agreement:
        answer = conversation.cross_check(answer)
        show_agreement(console, answer)
    if out is not None:
        for file in results.write_overlays(answer, out):
            console.print(f"wrote {file}", style="dim")
    if masks is not None:
        count = len(results.write_masks(answer.regions, masks))
        console.print(f"wrote {count} masks to {masks}", style="dim")
    if json is not None:
        results.write_json(answer, json)
    if session is not None:
        conversation.save(session)


def _check(images: list[str], question: str, session: Path | None) -> None:
    example = 'Example: segue ask photo.jpg "Where is the dog?"'
    if Path(question).is_file():
        raise InputError(f"The question must stand last, got the file {question!r}. {example}")
    if not images and session is None:
        raise InputError(f"Give a picture before the question, got only {question!r}. {example}")
