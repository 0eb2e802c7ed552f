"""Standard output that never costs the work: it says what it can, and remembers what went wrong.

A command whose reader has gone, as in `segue models | head`, or whose output disk is full goes on
and writes its files; only at the end does it say so. What the encoding of the terminal or pipe does
not know becomes "?".
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class PatientOutput(io.RawIOBase):
    """A raw stream that takes everything; after the first failure it writes nothing more."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self.failure: OSError | None = None
        """Why the rest was not written; None: all was."""

    def write(self, data: Any) -> int:
        """Write as much as can be; the rest is dropped, never refused."""
        left = memoryview(data).cast("B")
        while len(left) and self.failure is None:
            try:
                left = left[os.write(self._raw.fileno(), left) :]
            except OSError as error:
                self.failure = error
        return len(memoryview(data).cast("B"))

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """That of the stream beneath."""
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return bool(self._raw.isatty())


@contextmanager
def patient_output() -> Iterator[list[PatientOutput]]:
    """Make standard output patient within the block.

    Yields:
        The raw streams, to be asked for their failure; none where standard output is no real file,
        as under a test.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # without buffering the buffer is the raw stream itself
    if not isinstance(raw, io.FileIO) or not isinstance(stream, io.TextIOWrapper):
        yield []
        return
    patient = PatientOutput(raw)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(patient),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering or stream.write_through,
    )
    try:
        yield [patient]
    finally:
        sys.stdout.flush()
        sys.stdout = stream
