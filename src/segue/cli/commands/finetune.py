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
            "--preflight", help="Only look: lengths, memory, samples drawn. No weights needed."
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew; otherwise a stopped run goes on.")
    ] = False,
    json: Annotated[
        str | None,
        typer.Option(help="With --preflight: write what it found; '-' is standard output."),
    ] = None,
) -> None:
    """Teach a chat model, as a recipe says; a stopped run goes on where it was."""
    from segue.cli.terminal.screen import screen
    from segue.finetune.recipe import read_recipe

    read = read_recipe(recipe, settings or ())
    if json is not None and not preflight:
        raise InputError("--json writes what --preflight finds. Add --preflight, or leave it out.")
    console = screen(error=json == "-", quiet=json == "-")
    if preflight:
        _look(console, read, json)
        return
    from segue.finetune.train import finetune as run

    command = ["segue", *sys.argv[1:]]
    with _progress(console) as watch:
        target = run(
            read, fresh=fresh, command=command, watch=watch,
            chosen=lambda name, selection: _show_selection(console, name, selection),
        )  # fmt: skip
    console.print(f"what was learned is in {target}", soft_wrap=True)
    if read.method != "full":
        console.print(f"use it: segue ask PICTURE QUESTION --chat {shlex.quote(str(target))}")
        console.print(f"one model of it: segue merge {shlex.quote(str(target))} --out FOLDER")


def merge(
    adapter: Annotated[Path, typer.Argument(help="The folder of an adapter, or of its run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the model.")],
    base: Annotated[
        str | None, typer.Option(help="Another place of the base; by default as the adapter says.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16; by default as the base is stored."),
    ] = None,
) -> None:
    """Add an adapter to its base: one folder that transformers, vLLM and segue load."""
    from segue.cli.terminal.screen import screen, waiting
    from segue.finetune.merge import merge as join

    console = screen()
    with waiting(console, "merging"):
        target = join(adapter, out, base=base, dtype=dtype)
    console.print(f"the model is in {target}", soft_wrap=True)


def _look(console: "Console", recipe: Any, json: str | None) -> None:
    from segue.cli.terminal.results import write_text
    from segue.cli.terminal.screen import waiting
    from segue.files.atomic import json_text
    from segue.finetune.preflight import preflight

    with waiting(console, "measuring"):
        found = preflight(recipe)
    _show(console, found)
    if json is not None:
        write_text(json_text(found.to_json(), indent=2) + "\n", json)


def _show(console: "Console", found: "Preflight") -> None:
    for name, selection in (("train", found.train), ("validation", found.validation)):
        if selection is not None:
            _show_selection(console, name, selection)
    console.print(f"a picture takes {found.picture_tokens}")
    share = found.trained / found.parameters
    console.print(f"trained: {found.trained:,} of {found.parameters:,} parameters ({share:.2%})")
    console.print(f"steps of the optimiser: {found.steps:,}")
    parts = ", ".join(f"{name} {value / 1e9:.2f}" for name, value in found.memory.items())
    console.print(f"memory, estimated, GB: {parts}")
    if found.findings is not None:
        for problem, count in found.findings.problems.most_common():
            console.print(f"  problem in the data: {problem} {count}", style="yellow")
    if found.pictures is not None and found.findings is not None and found.findings.drawn:
        console.print(f"samples with their boxes: {found.pictures / 'index.html'}")


def _show_selection(console: "Console", name: str, selection: "Selection") -> None:
    tokens = selection.to_json()["tokens"]
    spread = ", ".join(f"{key} {value:,}" for key, value in tokens.items())
    console.print(f"{name}: {len(selection.dialogues):,} of {selection.read:,} dialogues")
    console.print(f"  tokens: {spread}")
    for reason, count in selection.dropped.most_common():
        console.print(f"  left out: {reason} {count:,}", style="yellow")


@contextmanager
def _progress(console: "Console") -> "Iterator[Callable[[Mapping[str, Any]], None]]":
    """A bar with the loss where somebody watches; evaluations as lines, everywhere."""
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
            told = {
                key: value
                for key, value in line.items()
                if key not in ("step", "of", "sample", "loss", "grad_norm", "learning_rate")
            }
            if told:
                figures = ", ".join(f"{key} {value:.3f}" for key, value in told.items())
                console.print(f"step {line['step']}: {figures}")
            for pair in line.get("sample", ()):
                console.print(f"  {pair['asked']!r} -> {pair['said']!r}", style="dim")

        yield watch
