"""What a reader of annotation files does with an entry that it cannot use.

By itself a reader stops at the first one and names file, entry and value. Given a list, it goes on,
and the list says of every entry that was left out where it stands and why.
"""

import binascii
import logging
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.errors import InputError
from segue.files.atomic import printable_path

_log = logging.getLogger(__name__)

DAMAGE = (
    InputError,
    LookupError,
    TypeError,
    ValueError,  # UnicodeError too
    ArithmeticError,
    AttributeError,
    OSError,
    MemoryError,
    RecursionError,
    SyntaxError,
    binascii.Error,
    ET.ParseError,
)
"""What values that make no sense raise, in our code and in the libraries beneath."""


class EntryLog:
    """One file that is being read."""

    def __init__(self, source: str | Path, skipped: list[str] | None) -> None:
        """Begin.

        Args:
            source: the file.
            skipped: gets a sentence for each entry that is left out; None: the first ends it all.
        """
        self.source = printable_path(source)
        self._skipped = skipped

    @contextmanager
    def whole(self, kind: str) -> Iterator[None]:
        """Read what the file cannot do without.

        Raises:
            InputError: something in it makes no sense.
        """
        try:
            yield
        except DAMAGE as error:
            if isinstance(error, InputError) and str(error).startswith(self.source):
                raise
            raise InputError(f"{self.source} is not {kind}: {_reason(error)}") from error

    @contextmanager
    def entry(self, place: str) -> Iterator[None]:
        """Read one entry; what is wrong with it is its own.

        Raises:
            InputError: it makes no sense, and the reader was given no list.
        """
        try:
            yield
        except DAMAGE as error:
            is_located = isinstance(error, InputError) and str(error).startswith(f"{self.source}, ")
            message = str(error) if is_located else f"{self.source}, {place}: {_reason(error)}"
            if self._skipped is None:
                raise InputError(message) from error
            self._skipped.append(message)

    def pass_over(self, place: str, reason: str) -> None:
        """Leave out an entry that is sound but cannot be kept here; without a list, say so."""
        message = f"{self.source}, {place}: {reason}"
        if self._skipped is not None:
            self._skipped.append(message)
        else:
            _log.warning("left out: %s", message)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing."
    text = str(error) or type(error).__name__
    return text if text.endswith(".") else f"{text}."
