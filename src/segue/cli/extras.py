"""What to say when the packages of an extra are missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from segue.errors import MissingExtra


@contextmanager
def require_extra(extra: str) -> Iterator[None]:
    """Import packages of an extra within the block.

    Raises:
        MissingExtra: it is not installed; the message names the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "segue":
            raise
        raise MissingExtra(
            f"This needs the {extra!r} extra ({error.name} is not installed). "
            f"Run: pip install 'segue[{extra}]'"
        ) from error
