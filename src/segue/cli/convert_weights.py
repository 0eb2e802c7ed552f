"""`segue convert-weights`: an original checkpoint becomes a safetensors folder."""

from pathlib import Path
from typing import Annotated

import typer


def convert_weights(
    checkpoint: Annotated[
        Path, typer.Argument(help="An original sam_*.pth or groundingdino_*.pth.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write the folder.")],
) -> None:
    """Turn an original SAM or Grounding DINO checkpoint into a folder of safetensors."""
    from segue.weights.convert import convert

    written = convert(checkpoint, folder)
    typer.echo(f"wrote {written}")
