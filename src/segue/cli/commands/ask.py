"""`segue ask`: one question about one or more pictures."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.errors import InputError
from segue.files.unicode import well_formed


@expand_option_groups
def ask(
    image_sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="One or more pictures; sample:airport is a bundled scene.",
            default_factory=list,
            show_default=False,
        ),
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In Chinese or English.")],
    overlay_file: options.OverlayOption = None,
    json_target: options.JsonOption = None,
    mask_folder: options.MaskFolderOption = None,
    session_folder: Annotated[
        Path | None,
        typer.Option(
            "--session",
            help="Save the conversation in this folder; resume it if it is already there.",
        ),
    ] = None,
    *,
    models: options.ModelOptions,
    ground: Annotated[
        bool,
        typer.Option(
            "--ground", help="Ask for boxes, with the grounding prompt of the chat model's family."
        ),
    ] = False,
    cross_check: Annotated[
        bool,
        typer.Option(
            "--cross-check", help="Ask the other route too, and print how well both agree (IoU)."
        ),
    ] = False,
    allow_urls: options.AllowUrlsOption = False,
    fail_if_empty: options.FailIfEmptyOption = False,
    sampling: options.SamplingOptions,
) -> None:
    """Ask about pictures; get an answer in words, and masks of what it mentions."""
    from segue.cli.terminal import results
    from segue.cli.terminal.screen import (
        make_console,
        show_agreement,
        show_route,
        show_status,
        show_stream,
    )
    from segue.files.counts import count_noun

    _check_arguments(image_sources, question, session_folder)
    question = well_formed(question)
    overlay_files = results.overlay_files(overlay_file, len(image_sources))
    results.check_picture_targets(overlay_files)
    results.refuse_overwriting([json_target, *overlay_files], image_sources)
    results.refuse_overwriting_by_masks(mask_folder, image_sources)
    to_stdout = results.check_standard_output(json_target, overlay_file)
    console = make_console(error=to_stdout, quiet=json_target == "-")
    pictures = options.open_images(image_sources, allow_urls)
    with show_status(console, "loading the models"):
        assistant = models.load()
    conversation = results.open_conversation(assistant, session_folder).add_images(*pictures)
    show_route(console, conversation, question)
    events = conversation.stream(question, sampling.to_sampling(), ground=ground)
    answer = show_stream(console, events)
    if cross_check:
        answer = conversation.cross_check(answer)
        show_agreement(console, answer)
    if conversation.edits:
        if overlay_file is None:
            console.print("--out FILE writes the picture with its edits", style="dim")
        else:
            for file in results.write_edited_pictures(conversation, overlay_file):
                console.print(f"wrote {file}, with the edits", style="dim")
    elif overlay_file is not None:
        for file in results.write_overlays(answer, overlay_file):
            console.print(f"wrote {file}", style="dim")
    if mask_folder is not None:
        count = len(results.write_masks(answer.regions, mask_folder))
        console.print(f"wrote {count_noun(count, 'mask')} to {mask_folder}", style="dim")
    results.write_json(answer.to_json(), json_target)
    if session_folder is not None:
        conversation.save(session_folder)
    results.fail_if_empty(fail_if_empty, answer.regions, answer.not_found)


def _check_arguments(image_sources: list[str], question: str, session_folder: Path | None) -> None:
    from segue.cli.terminal.phrases import is_file

    example = 'Example: segue ask photo.jpg "Where is the dog?"'
    if is_file(question):
        raise InputError(
            f"The question must come last, got the file {question!r}. {example} To annotate many "
            "pictures, use segue annotate."
        )
    if not image_sources and session_folder is None:
        raise InputError(f"Give a picture before the question, got only {question!r}. {example}")
