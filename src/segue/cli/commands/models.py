"""`segue models`: which weights and presets have a name."""

from typing import Annotated

import typer

from segue.errors import UnknownName


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show one model or preset in full; 'dialects' lists the dialects.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the models and presets that have a nickname; hub ids and folders work as well."""
    from segue.assistant.presets import CARDS, PRESETS
    from segue.runtime.catalog import unknown_name_message

    if name is None:
        _list()
    elif name == "dialects":
        _list_dialects()
    elif name in CARDS or name in PRESETS:
        _show(name)
    else:
        raise UnknownName(unknown_name_message("model or preset", name, {**CARDS, **PRESETS}))


def _list() -> None:
    from rich.table import Table

    from segue.assistant.presets import CARDS, PRESETS
    from segue.cli.terminal.screen import screen

    console = screen()
    table = Table("nickname", "stage", "from", "size", "licence", "gated", box=None)
    for nickname, card in CARDS.items():
        gated = "yes" if card.gated else "no"
        table.add_row(nickname, card.kind, card.source, card.parameters, card.licence, gated)
    console.print(table)
    presets = Table("preset", "what it is", box=None)
    for nickname, preset in PRESETS.items():
        presets.add_row(nickname, preset.summary)
    console.print()
    console.print(presets)


def _list_dialects() -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import screen
    from segue.dialects import DIALECTS

    table = Table("dialect", "models and markup", box=None)
    for name, entry in DIALECTS.items():
        table.add_row(name, entry.summary)
    screen().print(table)


def _show(name: str) -> None:
    from rich.table import Table

    from segue.assistant.presets import CARDS, PRESETS, STAGES
    from segue.cli.terminal.screen import screen

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
        table.add_row("gated", "yes: the hub asks for an account" if card.gated else "no")
        table.add_row("note", card.note)
        if card.scores:
            table.add_row("scores", card.scores)
    if name in PRESETS:
        preset = PRESETS[name]
        table.add_row("preset", f"{name}: {preset.summary}")
        for stage, chosen in (
            ("chat", preset.chat),
            ("detect", preset.detect),
            ("segment", preset.segment),
        ):
            table.add_row(stage, chosen or "none")
            if chosen is not None and CARDS[chosen].scores:
                table.add_row("", CARDS[chosen].scores)
    screen().print(table)
