"""`segue finetune`: a recipe and conversations -> an adapter, or a whole model."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.finetune.data import Selection
    from segue.finetune.preflight import Preflight


def finetune(
    recipe: Annotated[Path, typer.Argument(help="A TOML file; see recipes/.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", "-s", metavar="KEY=VALUE", help="Override the recipe. May be given many times."
        ),
    ] = None,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight", help="Dry run: lengths, memory, drawn samples. No weights needed."
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over instead of resuming an interrupted run.")
    ] = False,
    json: Annotated[
        str | None,
        typer.Option(help="With --preflight: write its result here; '-' is standard output."),
    ] = None,
) -> None:
    """Fine-tune a chat model by a recipe; an interrupted run is resumed."""
    from segue.finetune.recipe import read_recipe

    loaded_recipe = read_recipe(recipe, settings or ())
    if json is not None and not preflight:
        raise InputError(
            "--json writes the result of --preflight. Add --preflight, or omit --json."
        )
    console = make_console(error=json == "-", quiet=json == "-")
    if preflight:
        _look(console, loaded_recipe, json)
        return
    from segue.finetune.train import finetune as run

    command = ["segue", *sys.argv[1:]]
    with _progress(console) as watch:
        target = run(
            loaded_recipe, fresh=fresh, command=command, listener=watch,
            on_selection=lambda name, selection: _show_selection(console, name, selection),
        )  # fmt: skip
    console.print(f"the result is in {target}", soft_wrap=True)
    if loaded_recipe.method != "full":
        console.print(f"use it: segue ask PICTURE QUESTION --chat {shlex.quote(str(target))}")
        console.print(
            f"merge it into its base: segue merge {shlex.quote(str(target))} --out FOLDER"
        )


def merge(
    adapter: Annotated[Path, typer.Argument(help="The folder of an adapter, or of its run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the model.")],
    base: Annotated[
        str | None,
        typer.Option(help="The base, if it has moved; by default where the adapter says."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16; by default as the base is stored."),
    ] = None,
) -> None:
    """Merge an adapter into its base: one folder that transformers, vLLM and segue load."""
    from segue.cli.terminal.screen import make_console, show_status
    from segue.finetune.merge import merge as join

    console = make_console()
    with show_status(console, "merging"):
        target = join(adapter, out, base=base, dtype=dtype)
    console.print(f"the model is in {target}", soft_wrap=True)


def _look(console: "Console", recipe: Any, json: str | None) -> None:
    from segue.cli.terminal.results import write_text
    from segue.cli.terminal.screen import show_status
    from segue.files.atomic import json_text
    from segue.finetune.preflight import preflight

    with show_status(console, "measuring"):
        report = preflight(recipe)
    _show(console, report)
    if json is not None:
        write_text(json_text(report.to_json(), indent=2) + "\n", json)


def _show(console: "Console", report: "Preflight") -> None:
    for name, selection in (("train", report.train), ("validation", report.validation)):
        if selection is not None:
            _show_selection(console, name, selection)
    console.print(f"a picture takes {report.picture_tokens}")
    share = report.trained_parameters / report.parameters
    console.print(
        f"trained: {report.trained_parameters:,} of {report.parameters:,} parameters ({share:.2%})"
    )
    console.print(f"steps of the optimiser: {report.steps:,}")
    parts = ", ".join(f"{name} {value / 1e9:.2f}" for name, value in report.memory.items())
    console.print(f"memory, estimated, GB: {parts}")
    if report.findings is not None:
        for problem, count in report.findings.problems.most_common():
            console.print(f"  problem in the data: {problem} {count}", style="yellow")
    if report.pictures is not None and report.findings is not None and report.findings.drawings:
        console.print(f"samples with their boxes: {report.pictures / 'index.html'}")


def _show_selection(console: "Console", name: str, selection: "Selection") -> None:
    tokens = selection.to_json()["tokens"]
    spread = ", ".join(f"{key} {value:,}" for key, value in tokens.items())
    console.print(f"{name}: {len(selection.dialogues):,} of {selection.n_read:,} dialogues")
    console.print(f"  tokens: {spread}")
    for reason, count in selection.dropped.most_common():
        console.print(f"  dropped: {reason} {count:,}", style="yellow")


@contextmanager
def _progress(console: "Console") -> "Iterator[Callable[[Mapping[str, Any]], None]]":
    """Show a progress bar with the loss on a terminal, and print evaluations as lines."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, loss="")

        def show_progress(line: Mapping[str, Any]) -> None:
            bar.update(task, completed=line["step"], total=line["of"])
            if "loss" in line:
                bar.update(task, loss=f"{line['loss']:.4f}")
            scores = {
                key: value
                for key, value in line.items()
                if key not in ("step", "of", "sample", "loss", "grad_norm", "learning_rate")
            }
            if scores:
                score_text = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
                console.print(f"step {line['step']}: {score_text}")
            for pair in line.get("sample", ()):
                console.print(f"  {pair['question']!r} -> {pair['reply']!r}", style="dim")

        yield show_progress
