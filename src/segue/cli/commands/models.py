"""`segue models`: which weights and presets have a name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.options import JsonOption
from segue.errors import UnknownName

if TYPE_CHECKING:
    from segue.pipeline.presets import Preset
    from segue.runtime.machine import MemoryPool


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show the details of one model or preset; 'dialects' lists the dialects.",
            show_default=False,
        ),
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """List models and presets that have a nickname; hub ids and folders work too.

    Of each preset it says whether it fits into the memory that is free on this machine: weights,
    the cache of a talk of 8192 tokens, and the work on a picture.
    """
    from segue.cli.terminal.results import write_json
    from segue.pipeline.presets import CARDS, PRESETS
    from segue.runtime.catalog import unknown_name_message

    if name not in (None, "dialects") and name not in CARDS and name not in PRESETS:
        raise UnknownName(unknown_name_message("model or preset", str(name), {**CARDS, **PRESETS}))
    if json_target is not None:
        write_json(_to_json(name), json_target)
    if json_target == "-":
        return
    if name is None:
        _print_models()
    elif name == "dialects":
        _print_dialects()
    else:
        _print_details(str(name))


def _to_json(name: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return what a name stands for; None: all models and presets."""
    from dataclasses import asdict

    from segue.dialects import DIALECTS
    from segue.pipeline.presets import CARDS, PRESETS
    from segue.runtime.machine import memory_pools

    pools = memory_pools()

    def is_meant(nickname: str) -> bool:
        return name in (None, nickname)

    def model(nickname: str) -> dict[str, Any]:
        fields = asdict(CARDS[nickname])
        return {"name": nickname, "stage": fields.pop("kind"), **fields}

    dialects = DIALECTS.items() if name == "dialects" else ()
    return {
        "models": [model(nickname) for nickname in CARDS if is_meant(nickname)],
        "presets": [
            {"name": nickname, **asdict(preset), "memory": _memory_to_json(preset, pools)}
            for nickname, preset in PRESETS.items()
            if is_meant(nickname)
        ],
        "dialects": [{"name": key, "summary": entry.summary} for key, entry in dialects],
    }


def _memory_to_json(preset: "Preset", pools: "Sequence[MemoryPool]") -> dict[str, Any]:
    """Return whether a preset fits this machine, in bytes."""
    from dataclasses import asdict

    from segue.pipeline.preset_memory import fit_of_preset

    fit = fit_of_preset(preset, pools)
    return {
        "verdict": fit.verdict,
        "device": fit.pool.device,
        "need_bytes": {**asdict(fit.need), "total": fit.need.total},
        "free_bytes": fit.pool.free_bytes,
        "quantize": fit.quantize,
    }


def _print_models() -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import make_console
    from segue.pipeline.preset_memory import fit_of_preset
    from segue.pipeline.presets import CARDS, PRESETS
    from segue.runtime.machine import memory_pools

    console = make_console()
    table = Table("nickname", "stage", "from", "size", "licence", "gated", box=None)
    for nickname, card in CARDS.items():
        gated = "yes" if card.gated else "no"
        table.add_row(nickname, card.kind, card.source, card.parameters, card.licence, gated)
    console.print(table)
    pools = memory_pools()
    preset_table = Table("preset", "description", "on this machine", box=None)
    for nickname, preset in PRESETS.items():
        preset_table.add_row(nickname, preset.summary, fit_of_preset(preset, pools).sentence)
    console.print()
    console.print(preset_table)
    console.print()
    console.print(f"free: {'; '.join(pool.sentence for pool in pools)}")


def _print_dialects() -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import make_console
    from segue.dialects import DIALECTS

    table = Table("dialect", "models and markup", box=None)
    for name, entry in DIALECTS.items():
        table.add_row(name, entry.summary)
    make_console().print(table)


def _print_details(name: str) -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import make_console
    from segue.pipeline.preset_memory import fit_of_preset
    from segue.pipeline.presets import CARDS, PRESETS, STAGES
    from segue.runtime.machine import memory_pools

    table = Table(box=None, show_header=False)
    if name in CARDS:
        card = CARDS[name]
        backend = STAGES[card.kind][card.backend]
        table.add_row("model", name)
        table.add_row("stage", card.kind)
        table.add_row("from", card.source)
        table.add_row("backend", f"{card.backend}: {backend.summary}")
        table.add_row("size", card.parameters)
        table.add_row("licence", card.licence)
        table.add_row("gated", "yes: needs a hub account" if card.gated else "no")
        table.add_row("note", card.note)
        if card.scores:
            table.add_row("scores", card.scores)
    if name in PRESETS:
        preset = PRESETS[name]
        table.add_row("preset", f"{name}: {preset.summary}")
        pools = memory_pools()
        table.add_row("memory", fit_of_preset(preset, pools).details)
        for stage, card_name in (
            ("chat", preset.chat),
            ("detect", preset.detect),
            ("segment", preset.segment),
        ):
            table.add_row(stage, card_name or "none")
            if card_name is not None and CARDS[card_name].scores:
                table.add_row("", CARDS[card_name].scores)
    make_console().print(table)
