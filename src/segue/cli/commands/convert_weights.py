"""`segue convert-weights`: an original checkpoint -> a safetensors folder."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli.options import JsonOption


def convert_weights(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="IN.pth", help="An original sam_*.pth or groundingdino_*.pth.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    vocabulary: Annotated[
        str | None,
        typer.Option(help="BERT vocabulary of Grounding DINO: a folder, vocab.txt or hub id."),
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Convert an original SAM or Grounding DINO checkpoint to a safetensors folder."""
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, show_status
    from segue.convert.weights import convert_weights as convert

    console = make_console(quiet=json_target == "-")
    with show_status(console, "converting"):
        backend = convert(checkpoint, folder, vocabulary=vocabulary)
    console.print(f"wrote {folder}; backend: {backend}", soft_wrap=True)
    write_json({"folder": str(folder), "backend": backend}, json_target)
