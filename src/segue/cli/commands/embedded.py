"""`segue embedded`: train and evaluate the bundled models."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from segue.cli.renamed_options import accept_old_names
from segue.errors import InputError, UnknownName

app = typer.Typer(
    help="Train and evaluate the bundled models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class EmbeddedModel(StrEnum):
    """A bundled model, or all of them."""

    chat = "chat"
    detector = "detector"
    segmenter = "segmenter"
    all = "all"


class EvaluationTarget(StrEnum):
    """What can be evaluated: a bundled model, or both routes through all of them."""

    chat = "chat"
    detector = "detector"
    segmenter = "segmenter"
    routes = "routes"
    all = "all"


@app.command("scene", context_settings=accept_old_names({"side": "size"}))
def scene(
    picture_file: Annotated[Path, typer.Argument(metavar="FILE", help="The picture to write.")],
    seed: Annotated[int, typer.Option(help="Seed; the same seed draws the same scene.")] = 0,
    background: Annotated[
        str | None, typer.Option(help="A place or a colour, by default random.")
    ] = None,
    size: Annotated[int, typer.Option(min=64, max=4096, help="Width and height in pixels.")] = 384,
) -> None:
    """Draw a scene like those the bundled models were trained on, and list its objects."""
    import numpy as np

    from segue.cli.terminal.results import save_picture
    from segue.cli.terminal.screen import make_console
    from segue.embedded.backgrounds import NAMES
    from segue.embedded.scenes import SceneRecipe, render
    from segue.embedded.sprites import best_bank
    from segue.embedded.vocabulary import nouns
    from segue.runtime.catalog import unknown
    from segue.values.image import Image

    if background is not None and background not in NAMES:
        raise UnknownName(unknown("background", background, dict.fromkeys(NAMES)))
    recipe = SceneRecipe(height=size, width=size, background=background)
    rendered_scene = render(np.random.default_rng(seed), best_bank(), recipe)
    save_picture(Image(rendered_scene.image).to_pil(), picture_file)
    console = make_console()
    console.print(f"wrote {picture_file}: {rendered_scene.background}")
    for item in rendered_scene.objects:
        box = ", ".join(f"{value:.0f}" for value in item.box)
        noun = nouns()[item.noun]
        console.print(f"  {noun.english} {noun.chinese} ({item.style}): {box}")


@app.command("fetch-art")
def fetch_art(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download again even if present.")
    ] = False,
) -> None:
    """Download the drawings that training scenes consist of. Needs npm and segue\\[art]."""
    from segue.cli.terminal.screen import make_console, show_status
    from segue.embedded import art

    console = make_console()
    with show_status(console, "downloading drawings"):
        art_file = art.fetch_art(refresh=refresh)
    console.print(f"the drawings are in {art_file}", soft_wrap=True)


@app.command("train", context_settings=accept_old_names({"start": "init-from"}))
def train(
    model: Annotated[
        EmbeddedModel, typer.Argument(metavar="MODEL", help="chat, detector, segmenter or all.")
    ] = EmbeddedModel.all,
    output_folder: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for checkpoints, logs and weights, one subfolder per model."
        ),
    ] = Path("runs"),
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Wall-clock time per model; by default as in its recipe."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train for exactly this many steps instead.")
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start again; otherwise an interrupted training is resumed."),
    ] = False,
    init_from: Annotated[
        str | None,
        typer.Option(
            help="Initial weights of the one model: a folder, or a name such as embedded/chat."
        ),
    ] = None,
) -> None:
    """Train models on drawn scenes; an interrupted training is resumed."""
    from segue.cli.terminal.screen import make_console
    from segue.embedded.parts import TRAIN, train_part

    console = make_console()
    if init_from is not None and model is EmbeddedModel.all:
        raise InputError("--init-from gives the weights of one model. Name the model to train.")
    for name in TRAIN if model is EmbeddedModel.all else (model.value,):
        console.print(f"training the {name} in {output_folder / name}; log: log.jsonl")
        weight_folder = train_part(
            name,
            output_folder / name,
            minutes=minutes,
            steps=steps,
            resume=not fresh,
            start=init_from,
        )
        console.print(f"weights: {weight_folder}", soft_wrap=True)


@app.command("evaluate")
def evaluate(
    target: Annotated[
        EvaluationTarget,
        typer.Argument(
            metavar="TARGET",
            help="chat, detector, segmenter, routes (from the question to the mask) or all.",
        ),
    ] = EvaluationTarget.all,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder of weights; for routes, one that holds chat, detector and segmenter. By "
            "default the bundled weights."
        ),
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="Number of held-out scenes.")] = 300,
    json_target: Annotated[
        str | None,
        typer.Option("--json", help="Write the scores as JSON; '-' is standard output."),
    ] = None,
    sheet_file: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            help="Also draw a picture: for chat, the first right and wrong answer of each kind; "
            "for routes or all, the first questions and masks.",
        ),
    ] = None,
) -> None:
    """Evaluate models on held-out scenes."""
    import json

    from rich.table import Table

    from segue.cli.terminal.results import save_picture, write_text
    from segue.cli.terminal.screen import make_console, show_status
    from segue.embedded.parts import EVALUATE, evaluate_part

    if sheet_file is not None and target in (EvaluationTarget.detector, EvaluationTarget.segmenter):
        raise InputError(f"--sheet draws chat or routes, not the {target.value}. Name one of them.")
    console = make_console(error=json_target == "-", quiet=json_target == "-")
    scores = {}
    for name in EVALUATE if target is EvaluationTarget.all else (target.value,):
        with show_status(console, f"evaluating the {name}"):
            scores[name] = evaluate_part(name, weights, scenes=scenes)
        table = Table(name, "score", "value", box=None, pad_edge=False)
        for row_name, row_scores in scores[name].items():
            for score_name, value in row_scores.items():
                table.add_row(row_name, score_name, f"{value:g}")
        console.print(table)
    if sheet_file is not None:
        from segue.embedded.parts import draw_part

        with show_status(console, "drawing results"):
            drawing_name = "chat" if target is EvaluationTarget.chat else "routes"
            save_picture(draw_part(drawing_name, weights), sheet_file)
        console.print(f"wrote {sheet_file}", style="dim")
    if json_target is not None:
        write_text(json.dumps(scores, ensure_ascii=False, indent=2) + "\n", json_target)
