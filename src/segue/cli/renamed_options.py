"""Option names of 0.1 that were replaced: they still work for one version, and name the new one."""

from collections.abc import Mapping
from typing import Any

import typer

_EVERYWHERE = {"teach-tag": "tag-prompt"}
"""Options of many commands: old name -> new name, without dashes in front."""


def accept_old_names(new_names: Mapping[str, str] = {}) -> dict[str, Any]:
    """Return context settings with which options are also found under their old names.

    Args:
        new_names: old name -> new name of one command's options, without dashes in front.
    """
    table = {**_EVERYWHERE, **new_names}

    def normalize(name: str) -> str:
        if name not in table:
            return name
        typer.echo(
            f"segue: --{name} is now --{table[name]}; the old name goes with version 0.3.", err=True
        )
        return table[name]

    return {"token_normalize_func": normalize}
