"""`segue demo`: the reference questions about the sample scenes, with overlays to look at."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped


@grouped
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to write the pictures.")] = Path("demo-out"),
    *,
    models: options.Models,
) -> None:
    """Ask the sample scenes the reference questions, in both languages; look at the masks."""
    import time

    from rich.table import Table

    from segue.cli.terminal.screen import printable, screen, waiting
    from segue.embedded.demo import PAGE, demonstrate
    from segue.embedded.samples import samples

    console = screen()
    started = time.perf_counter()
    with waiting(console, "loading the models"):
        assistant = models.load()
    loaded = time.perf_counter() - started
    table = Table("picture", "question", "answer", "masks", "seconds", box=None, pad_edge=False)
    with waiting(console, "asking"):
        for shown in demonstrate(assistant, samples(), folder):
            answer = shown.answer
            masks = sum(region.mask is not None for region in answer.regions)
            words = printable(" ".join(answer.text.split()))
            table.add_row(
                shown.overlay.name, answer.question, words, str(masks), f"{shown.seconds:.2f}"
            )
    console.print(table)
    console.print(f"loading {loaded:.1f} s, all {time.perf_counter() - started:.1f} s")
    console.print(f"pictures: {(folder / PAGE).resolve()}", soft_wrap=True)
