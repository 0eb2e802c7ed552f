"""`segue convert-weights`: an original checkpoint becomes a safetensors folder."""

from pathlib import Path
from typing import Annotated

import typer


def convert_weights(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="IN.pth", help="An original sam_*.pth or groundingdino_*.pth.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write the folder.")],
    vocabulary: Annotated[
        str | None,
        typer.Option(help="Grounding DINO: the BERT vocabulary, a folder, vocab.txt or hub id."),
    ] = None,
) -> None:
    """Turn an original SAM or Grounding DINO checkpoint into a folder of safetensors."""
    from segue.cli.terminal.screen import screen, waiting
    from segue.convert.weights import convert_weights as convert

    console = screen()
    with waiting(console, "converting"):
        backend = convert(checkpoint, folder, vocabulary=vocabulary)
    console.print(f"wrote {folder}, read by the backend {backend}", soft_wrap=True)
