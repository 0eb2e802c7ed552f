"""Standard output whose errors never cost a command its work.

A command whose reader has gone, as in `segue models | head`, or whose output disk is full continues
and writes its files; the failure is reported at the end. Characters that the encoding of the
terminal or pipe does not have become "?".
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class ErrorTolerantOutput(io.RawIOBase):
    """A raw stream that accepts everything; after the first failure it writes nothing more."""

    def __init__(self, raw_stream: Any) -> None:
        super().__init__()
        self._raw_stream = raw_stream
        self.failure: OSError | None = None
        """Why writing stopped; None while everything was written."""

    def write(self, data: Any) -> int:
        """Write as much as possible and drop what is left."""
        remaining = memoryview(data).cast("B")
        while len(remaining) and self.failure is None:
            try:
                remaining = remaining[os.write(self._raw_stream.fileno(), remaining) :]
            except OSError as error:
                self.failure = error
        return len(memoryview(data).cast("B"))

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor of the stream beneath."""
        return int(self._raw_stream.fileno())

    def isatty(self) -> bool:
        """Return whether the output is a terminal."""
        return bool(self._raw_stream.isatty())


@contextmanager
def tolerate_output_errors() -> Iterator[list[ErrorTolerantOutput]]:
    """Make standard output error-tolerant within the block.

    Yields:
        The raw streams, each with its `failure`; none where standard output is not a real file, as
        in a test.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    raw_stream = getattr(buffer, "raw", buffer)  # unbuffered: the buffer is the raw stream itself
    if not isinstance(raw_stream, io.FileIO) or not isinstance(stream, io.TextIOWrapper):
        yield []
        return
    tolerant_output = ErrorTolerantOutput(raw_stream)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(tolerant_output),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering or stream.write_through,
    )
    try:
        yield [tolerant_output]
    finally:
        sys.stdout.flush()
        sys.stdout = stream
