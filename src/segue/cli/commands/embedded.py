"""`segue embedded`: train, measure and feed the models that are on board."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from segue.errors import InputError, UnknownName

app = typer.Typer(
    help="Train and measure the models that are on board.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Part(StrEnum):
    """A model on board."""

    chat = "chat"
    detector = "detector"
    segmenter = "segmenter"
    all = "all"


class Measured(StrEnum):
    """What can be measured: a model on board, or both routes through all of them."""

    chat = "chat"
    detector = "detector"
    segmenter = "segmenter"
    routes = "routes"
    all = "all"


@app.command("scene")
def scene(
    file: Annotated[Path, typer.Argument(help="Where to write the picture.")],
    seed: Annotated[int, typer.Option(help="The same seed draws the same scene.")] = 0,
    background: Annotated[str | None, typer.Option(help="A place or a colour.")] = None,
    side: Annotated[int, typer.Option(min=64, max=4096, help="Width and height, pixels.")] = 384,
) -> None:
    """Draw a scene as the models on board were trained on, and say what is in it."""
    import numpy as np

    from segue.cli.terminal.results import save_picture
    from segue.cli.terminal.screen import screen
    from segue.embedded.backgrounds import NAMES
    from segue.embedded.scenes import SceneRecipe, render
    from segue.embedded.sprites import best_bank
    from segue.embedded.vocabulary import nouns
    from segue.runtime.catalog import unknown_name_message
    from segue.values.image import Image

    if background is not None and background not in NAMES:
        raise UnknownName(unknown_name_message("background", background, dict.fromkeys(NAMES)))
    recipe = SceneRecipe(height=side, width=side, background=background)
    drawn = render(np.random.default_rng(seed), best_bank(), recipe)
    save_picture(Image(drawn.image).to_pil(), file)
    console = screen()
    console.print(f"wrote {file}: {drawn.background}")
    for placed in drawn.objects:
        box = ", ".join(f"{value:.0f}" for value in placed.box)
        noun = nouns()[placed.noun]
        console.print(f"  {noun.english} {noun.chinese} ({placed.style}): {box}")


@app.command("fetch-art")
def fetch_art(
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what is there.")] = False,
) -> None:
    """Download the drawings that the training scenes are made of. Needs npm and segue\\[art]."""
    from segue.cli.terminal.screen import screen, waiting
    from segue.embedded import art

    console = screen()
    with waiting(console, "fetching drawings"):
        file = art.fetch_art(refresh=refresh)
    console.print(f"the drawings are in {file}", soft_wrap=True)


@app.command("train")
def train(
    part: Annotated[Part, typer.Argument(help="What to train.")] = Part.all,
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Checkpoints, logs and weights, a folder a part.")
    ] = Path("runs"),
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Wall clock for each part; by default its recipe's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train exactly this many steps instead.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew; otherwise a stopped training goes on.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights of the one part to begin with: a folder, or embedded/chat and the like."
        ),
    ] = None,
) -> None:
    """Train models on drawn scenes, from nothing or from weights; a stopped training goes on."""
    from segue.cli.terminal.screen import screen
    from segue.embedded.parts import TRAIN, train_part

    console = screen()
    if start is not None and part is Part.all:
        raise InputError("--start gives the weights of one model. Name the model to train.")
    for name in TRAIN if part is Part.all else (part.value,):
        console.print(f"training the {name} in {folder / name}; its log is log.jsonl there")
        weights = train_part(
            name, folder / name, minutes=minutes, steps=steps, resume=not fresh, start=start
        )
        console.print(f"its weights are in {weights}", soft_wrap=True)


@app.command("evaluate")
def evaluate(
    part: Annotated[
        Measured, typer.Argument(help="What to measure; routes: from the question to the pixels.")
    ] = Measured.all,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A folder of weights, for routes one that holds chat, detector and segmenter; "
            "by default those on board."
        ),
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="How many held-out scenes.")] = 300,
    json: Annotated[
        str | None, typer.Option(help="Write the figures as JSON; '-' is standard output.")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Also draw a picture: of chat, the first right and wrong answer of each kind; of "
            "routes or all, questions and masks as they come."
        ),
    ] = None,
) -> None:
    """Measure models on scenes they were not trained on."""
    import json as _json

    from rich.table import Table

    from segue.cli.terminal.results import save_picture, write_text
    from segue.cli.terminal.screen import screen, waiting
    from segue.embedded.parts import EVALUATE, evaluate_part

    if sheet is not None and part in (Measured.detector, Measured.segmenter):
        raise InputError(f"--sheet draws chat or routes, not the {part.value}. Name one of them.")
    console = screen(error=json == "-", quiet=json == "-")
    measured = {}
    for name in EVALUATE if part is Measured.all else (part.value,):
        with waiting(console, f"measuring the {name}"):
            measured[name] = evaluate_part(name, weights, scenes=scenes)
        table = Table(name, "figure", "value", box=None, pad_edge=False)
        for row, figures in measured[name].items():
            for figure, value in figures.items():
                table.add_row(row, figure, f"{value:g}")
        console.print(table)
    if sheet is not None:
        from segue.embedded.parts import draw_part

        with waiting(console, "drawing results"):
            save_picture(draw_part("chat" if part is Measured.chat else "routes", weights), sheet)
        console.print(f"wrote {sheet}", style="dim")
    if json is not None:
        write_text(_json.dumps(measured, ensure_ascii=False, indent=2) + "\n", json)
