"""`python -m lab`: draw training scenes, train the embedded models and measure them."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from segue.cli.app import exit_code
from segue.errors import InputError, SegueError, UnknownName

app = typer.Typer(
    help="Train and measure the models that are bundled with segue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Part(StrEnum):
    """An embedded model."""

    chat = "chat"
    detector = "detector"
    segmenter = "segmenter"
    all = "all"


class Evaluation(StrEnum):
    """What can be measured: an embedded model, or both routes through all of them."""

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
    """Draw a scene like those the embedded models were trained on, and list its objects."""
    import numpy as np

    from lab.scenes.art import best_bank
    from lab.scenes.backgrounds import NAMES
    from lab.scenes.scene import SceneRecipe, render
    from lab.scenes.vocabulary import nouns
    from segue.cli.terminal.results import save_picture
    from segue.cli.terminal.screen import make_console
    from segue.runtime.catalog import unknown_name_message
    from segue.values.image import Image

    if background is not None and background not in NAMES:
        raise UnknownName(unknown_name_message("background", background, dict.fromkeys(NAMES)))
    recipe = SceneRecipe(height=side, width=side, background=background)
    drawing = render(np.random.default_rng(seed), best_bank(), recipe)
    save_picture(Image(drawing.image).to_pil(), file)
    console = make_console()
    console.print(f"wrote {file}: {drawing.background}")
    for item in drawing.objects:
        box = ", ".join(f"{value:.0f}" for value in item.box)
        noun = nouns()[item.noun]
        console.print(f"  {noun.english} {noun.chinese} ({item.style}): {box}")


@app.command("fetch-art")
def fetch_art(
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch again what is cached.")] = False,
    sheet: Annotated[
        Path | None, typer.Option("--from", help="Read them from what pack-art wrote instead.")
    ] = None,
) -> None:
    """Download the drawings that the training scenes are made of.

    Needs npm and the extra segue\\[train]."""
    from lab.scenes import art
    from segue.cli.terminal.screen import make_console, show_status

    console = make_console()
    with show_status(console, "fetching drawings"):
        file = art.fetch_art(refresh=refresh) if sheet is None else art.unpack_art(sheet)
    console.print(f"the drawings are in {file}", soft_wrap=True)


@app.command("pack-art")
def pack_art(
    folder: Annotated[Path, typer.Argument(help="Where to write sheet.webp and sheet.json.")],
) -> None:
    """Pack the drawings for a machine without npm or network, without those that are held out.

    There: python -m lab fetch-art --from FOLDER."""
    from lab.scenes import art
    from segue.cli.terminal.screen import make_console

    size = art.pack_art(folder)
    make_console().print(f"wrote {folder}, {size / 1e6:.1f} MB", soft_wrap=True)


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
        bool, typer.Option("--fresh", help="Start over; otherwise a stopped training resumes.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: a folder, or embedded/chat and the like; for all models a "
            "folder that holds chat, detector and segmenter, or embedded."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda …; on anything but cpu all are trained at once.")
    ] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that draw; by default 0 on cpu, else one a core."),
    ] = None,
) -> None:
    """Train models on drawn scenes, from scratch or from weights; a stopped training resumes."""
    import os

    from lab.registry import TRAIN, side_by_side_arguments, train_part
    from lab.training.side_by_side import train_side_by_side
    from segue.cli.terminal.screen import make_console

    console = make_console()
    if workers is None:
        workers = 0 if device == "cpu" else max(1, (os.cpu_count() or 1) - 3)
    if part is Part.all and device != "cpu":
        console.print(f"training all models in {folder}, {workers} processes draw scenes")
        arguments = side_by_side_arguments(
            folder,
            minutes=minutes,
            steps=steps,
            resume=not fresh,
            start=start,
            device=device,
            workers=workers,
        )
        train_side_by_side(arguments, folder, lambda line: console.print(line, soft_wrap=True))
        console.print(f"the weights are in {folder}/*/weights", soft_wrap=True)
        return
    for name in TRAIN if part is Part.all else (part.value,):
        console.print(f"training the {name} in {folder / name}; its log is log.jsonl there")
        own_start = f"{start}/{name}" if start is not None and part is Part.all else start
        weights = train_part(
            name,
            folder / name,
            minutes=minutes,
            steps=steps,
            resume=not fresh,
            start=own_start,
            device=device,
            workers=workers,
        )
        console.print(f"its weights are in {weights}", soft_wrap=True)


@app.command("evaluate")
def evaluate(
    part: Annotated[
        Evaluation, typer.Argument(help="What to measure; routes: from the question to the pixels.")
    ] = Evaluation.all,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A folder of weights, for routes one that holds chat, detector and segmenter; "
            "by default the bundled ones."
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

    from lab.registry import EVALUATE, evaluate_part
    from segue.cli.terminal.results import save_picture, write_text
    from segue.cli.terminal.screen import make_console, show_status

    if sheet is not None and part in (Evaluation.detector, Evaluation.segmenter):
        raise InputError(f"--sheet draws chat or routes, not the {part.value}. Name one of them.")
    console = make_console(error=json == "-", quiet=json == "-")
    results = {}
    for name in EVALUATE if part is Evaluation.all else (part.value,):
        with show_status(console, f"measuring the {name}"):
            results[name] = evaluate_part(name, weights, scenes=scenes)
        table = Table(name, "figure", "value", box=None, pad_edge=False)
        for row, figures in results[name].items():
            for figure, value in figures.items():
                table.add_row(row, figure, f"{value:g}")
        console.print(table)
    if sheet is not None:
        from lab.registry import draw_part

        with show_status(console, "drawing results"):
            save_picture(draw_part("chat" if part is Evaluation.chat else "routes", weights), sheet)
        console.print(f"wrote {sheet}", style="dim")
    if json is not None:
        write_text(_json.dumps(results, ensure_ascii=False, indent=2) + "\n", json)


@app.command("photographs")
def photographs(
    folder: Annotated[Path, typer.Argument(help="Photographs to measure on, as .jpg files.")],
    fit_on: Annotated[
        Path | None,
        typer.Option(help="Fit the classifier anew on these photographs, and print it."),
    ] = None,
    n_scenes: Annotated[int, typer.Option("--scenes", min=10, help="Scenes to draw.")] = 500,
) -> None:
    """Measure how well photographs are told from drawn scenes."""
    from lab.photographs import draw_scenes, error_rates, fit, read_photographs

    if fit_on is not None:
        for name, values in fit(read_photographs(fit_on), draw_scenes(150, seed=1000)).items():
            typer.echo(f"{name} = {values}")
    for name, rate in error_rates(read_photographs(folder), n_scenes).items():
        typer.echo(f"{name:32} {rate}")


@app.command("presence")
def presence(
    calibration_file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Fit anew, and write the calibration here.")
    ] = None,
    diagram_file: Annotated[
        Path | None, typer.Option("--diagram", help="Draw reliability diagrams into this file.")
    ] = None,
    n_scenes: Annotated[
        int, typer.Option("--scenes", min=20, help="Scenes of each style to measure on.")
    ] = 300,
    n_fit_scenes: Annotated[
        int, typer.Option("--fit-scenes", min=50, help="Scenes to fit on.")
    ] = 600,
) -> None:
    """Fit or measure the verdicts (present, absent, unsure) of the embedded models."""
    from rich.progress import track

    from lab.presence import CHANGES, FIT_SEED, MEASURE_SEED, collect_samples, names_of
    from segue.assistant import load
    from segue.cli.commands.calibrate import scores_table
    from segue.cli.terminal.results import save_picture
    from segue.cli.terminal.screen import make_console
    from segue.evaluate.calibration import fit_calibration, measure_calibration
    from segue.evaluate.reliability_diagram import draw_reliability
    from segue.files.atomic import write_json

    assistant, console = load("embedded"), make_console()

    def collect(style: str, count: int, seed: int) -> list[Any]:
        samples = collect_samples(assistant, style, count, seed)
        return list(track(samples, f"asking about the {style} style", transient=True, total=None))

    if calibration_file is not None:
        fitted = fit_calibration(
            collect("trained", n_fit_scenes, FIT_SEED),
            names_of(assistant),
            fitted_on={"data": f"{n_fit_scenes} drawn scenes of the trained styles"},
        )
        write_json(calibration_file, fitted.calibration.to_json(), indent=1)
        console.print("trained styles, cross-fitted")
        console.print(scores_table(fitted.scores))
        calibration = fitted.calibration
    else:
        found = assistant.calibration
        if found is None:
            raise InputError("There is no calibration of the embedded models. Fit one: --out FILE")
        calibration = found
    diagrams: dict[str, Any] = {}
    for style in CHANGES:
        report = measure_calibration(calibration, collect(style, n_scenes, MEASURE_SEED))
        console.print(f"{style} style, {n_scenes} scenes")
        console.print(scores_table(report.scores))
        diagrams |= {f"{style}, {key}": value for key, value in report.predictions.items()}
    if diagram_file is not None:
        save_picture(draw_reliability(diagrams), diagram_file)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit.

    Args:
        arguments: what follows `python -m lab`; None: what the program was called with.

    Raises:
        SystemExit: always, with the exit codes of `segue`.
    """
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="python -m lab")
    except SegueError as error:
        typer.echo(f"lab: {error}", err=True)
        raise SystemExit(exit_code(error)) from None


if __name__ == "__main__":
    main()
