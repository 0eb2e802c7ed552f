"""Who may call a server that a command starts: options, keys, and what is said of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from segue.errors import InputError

if TYPE_CHECKING:
    from segue.server.settings import Settings

PANEL = "Access"

HostOption = Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=PANEL)]
PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen on.", rich_help_panel=PANEL)
]


class AccessKeys(NamedTuple):
    """The keys that a server takes; none: it asks nobody for one."""

    keys: tuple[str, ...]
    is_generated: bool
    """Nobody gave them, so that the address of the page has a login in it."""


@dataclass(frozen=True)
class AccessOptions:
    """Who may call."""

    keys_file: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            help="File of API keys, one per line, in addition to those in SEGUE_KEYS; by default a "
            "key is generated.",
            rich_help_panel=PANEL,
        ),
    ] = None
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Require no key.", rich_help_panel=PANEL)
    ] = False
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="An accepted Host header; may be repeated.", rich_help_panel=PANEL),
    ] = None

    def read_keys(self, data_folder: Path) -> AccessKeys:
        """Read the keys that are given, or else the generated one.

        Args:
            data_folder: where a key is generated and kept, where none is given.

        Raises:
            InputError: the file of keys cannot be read, or holds none.
        """
        from segue.server.settings import load_or_create_key

        user_keys = _given_keys(self.keys_file)
        if self.no_key or user_keys:
            return AccessKeys(() if self.no_key else user_keys, False)
        return AccessKeys((load_or_create_key(data_folder),), True)


def describe_reach(settings: "Settings") -> str:
    """Say from where a server can be reached."""
    return "from this machine only" if settings.is_local else "FROM OTHER MACHINES, unencrypted"


def _given_keys(keys_file: Path | None) -> tuple[str, ...]:
    """Read keys from the environment and a file; empty lines and "# …" are skipped."""
    keys = os.environ.get("SEGUE_KEYS", "").split()
    if keys_file is not None:
        try:
            lines = keys_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the keys in {keys_file}: {error}.") from error
        keys += [line.strip() for line in lines if line.strip() and line[0] != "#"]
        if not keys:
            raise InputError(f"{keys_file} holds no key. Write one per line.")
    return tuple(dict.fromkeys(keys))
