"""Lines that the user types, with editing and history; or lines of a file or pipe."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console

PROMPT = "you> "
HISTORY_LENGTH = 1000
"""Lines of history that are saved."""


def read_lines(console: Console) -> Iterator[str]:
    """Yield lines until the end of input; ^C discards the line, ^D ends."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    with _line_history(Path(typer.get_app_dir("segue")) / "history"):
        while True:
            try:
                yield input(PROMPT)
            except KeyboardInterrupt:
                console.print("\n(^D or /quit to leave)", style="dim")
            except EOFError:
                console.print()
                return


@contextlib.contextmanager
def _line_history(history_file: Path) -> Iterator[None]:
    """Let arrow keys recall lines of earlier conversations, where Python has readline."""
    try:
        import readline
    except ImportError:  # Windows
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(history_file)
    readline.set_history_length(HISTORY_LENGTH)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            history_file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history_file)
