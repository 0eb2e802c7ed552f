"""Lines that a person types, with editing and history; or lines of a file or pipe."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console

PROMPT = "you> "
KEPT = 1000
"""Lines of history that are remembered."""


def typed_lines(console: Console) -> Iterator[str]:
    """Lines until the end of input; ^C gives up the line, ^D ends."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    with _history(Path(typer.get_app_dir("segue")) / "history"):
        while True:
            try:
                yield input(PROMPT)
            except KeyboardInterrupt:
                console.print("\n(^D or /quit leaves)", style="dim")
            except EOFError:
                console.print()
                return


@contextlib.contextmanager
def _history(file: Path) -> Iterator[None]:
    """Arrow keys recall lines of earlier conversations, where Python has readline."""
    try:
        import readline
    except ImportError:  # Windows
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(KEPT)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)
