"""`segue finetune` and `segue merge`: a recipe and dialogues -> an adapter or a full model."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from segue.finetune.data import Selection
    from segue.finetune.preflight import Preflight


def finetune(
    recipe_file: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="A TOML file; see recipes/.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Override a setting of the recipe; may be repeated.",
        ),
    ] = None,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight",
            help="Only check: lengths, memory, samples with boxes drawn. Needs no weights.",
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start again; otherwise an interrupted run is resumed.")
    ] = False,
    json_target: JsonOption = None,
) -> None:
    """Fine-tune a chat model as a recipe says; an interrupted run is resumed.

    On several GPUs: accelerate launch -m segue finetune RECIPE
    """
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console
    from segue.finetune.recipe import read_recipe

    recipe = read_recipe(recipe_file, settings or ())
    console = make_console(error=json_target == "-", quiet=preflight and json_target == "-")
    if preflight:
        _run_preflight(console, recipe, json_target)
        return
    target = _run_training(console, recipe, fresh)
    if target is None:
        return
    console.print(f"fine-tuned weights: {target}", soft_wrap=True)
    write_json({"weights": str(target), "method": recipe.method}, json_target)
    if recipe.method != "full":
        console.print(
            f"use it: segue ask PICTURE QUESTION --route reply --chat {shlex.quote(str(target))}"
        )
        console.print(
            f"merge it into its base: segue merge {shlex.quote(str(target))} --out FOLDER"
        )


def merge(
    adapter_folder: Annotated[
        Path,
        typer.Argument(metavar="ADAPTER", help="The folder of an adapter, or of its training run."),
    ],
    output_folder: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the model.")],
    base: Annotated[
        str | None, typer.Option(help="The base model; by default the one that the adapter names.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16; by default that of the base."),
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Merge an adapter into its base model: a folder that transformers, vLLM and segue load."""
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, show_status
    from segue.finetune.merge import merge as merge_adapter

    console = make_console(quiet=json_target == "-")
    with show_status(console, "merging"):
        target = merge_adapter(adapter_folder, output_folder, base=base, dtype=dtype)
    console.print(f"merged model: {target}", soft_wrap=True)
    write_json({"model": str(target)}, json_target)


def _run_training(console: "Console", recipe: Any, fresh: bool) -> Path | None:
    """Train; return the folder of the weights, in the main one of several processes."""
    from segue.cli.terminal.screen import make_console, say_how_to_go_on
    from segue.errors import SegueError
    from segue.finetune.processes import StoppedElsewhere, find_process_group

    processes = find_process_group()
    is_main = processes.is_main
    if not is_main:
        console = make_console(quiet=True)
    command = ["segue", *sys.argv[1:]]
    how = f"The same command goes on from the last checkpoint in {recipe.output}."
    with say_how_to_go_on(how, quiet=not is_main), _progress(console) as watch:
        from segue.finetune.train import finetune as run_training

        try:
            target = run_training(
                recipe, fresh=fresh, command=command, listener=watch,
                on_selection=lambda name, selection: _print_selection(console, name, selection),
            )  # fmt: skip
        except SegueError as error:
            if processes.count == 1:
                raise
            if is_main or not isinstance(error, StoppedElsewhere):
                typer.echo(f"segue: {error}", err=True)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)  # at once: the other processes wait for this one, or for its end
    return target if is_main else None


def _run_preflight(console: "Console", recipe: Any, json_target: str | None) -> None:
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import show_status
    from segue.finetune.preflight import preflight

    with show_status(console, "checking"):
        results = preflight(recipe)
    _print_preflight(console, results)
    write_json(results.to_json(), json_target)


def _print_preflight(console: "Console", results: "Preflight") -> None:
    for name, selection in (("train", results.train), ("validation", results.validation)):
        if selection is not None:
            _print_selection(console, name, selection)
    console.print(f"tokens per picture: {results.picture_tokens}")
    share = results.trained_parameters / results.parameters
    console.print(
        f"trainable: {results.trained_parameters:,} of {results.parameters:,} parameters "
        f"({share:.2%})"
    )
    console.print(f"optimiser steps: {results.steps:,}")
    parts = ", ".join(f"{name} {value / 1e9:.2f}" for name, value in results.memory.items())
    console.print(f"estimated memory in GB: {parts}")
    if results.findings is not None:
        for problem, count in results.findings.problems.most_common():
            console.print(f"  problem in the data: {problem} {count}", style="yellow")
    if results.pictures is not None and results.findings is not None and results.findings.drawings:
        console.print(f"samples with their boxes: {results.pictures / 'index.html'}")


def _print_selection(console: "Console", name: str, selection: "Selection") -> None:
    tokens = selection.to_json()["tokens"]
    spread = ", ".join(f"{key} {value:,}" for key, value in tokens.items())
    console.print(f"{name}: {len(selection.dialogues):,} of {selection.n_read:,} dialogues")
    console.print(f"  tokens: {spread}")
    for reason, count in selection.dropped.most_common():
        console.print(f"  dropped: {reason} {count:,}", style="yellow")


@contextmanager
def _progress(console: "Console") -> "Iterator[Callable[[Mapping[str, Any]], None]]":
    """Show a progress bar with the loss in a terminal, and evaluations as lines everywhere."""
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

        def watch(line: Mapping[str, Any]) -> None:
            bar.update(task, completed=line["step"], total=line["of"])
            if "loss" in line:
                bar.update(task, loss=f"{line['loss']:.4f}")
            scores = {
                key: value
                for key, value in line.items()
                if key not in ("step", "of", "sample", "loss", "grad_norm", "learning_rate")
            }
            if scores:
                figures = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
                console.print(f"step {line['step']}: {figures}")
            for pair in line.get("sample", ()):
                console.print(f"  {pair['question']!r} -> {pair['reply']!r}", style="dim")

        yield watch
