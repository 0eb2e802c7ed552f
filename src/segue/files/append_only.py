"""Files of JSON lines that one process appends to, whole after any crash.

A last line that was cut off, by a crash or a full disk, is dropped before the next one is written.
A lock of the operating system, which a killed process loses, keeps two processes from one file.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from segue.errors import InputError
from segue.files.atomic import json_text, unwritable


class FileBusy(InputError):
    """Another process, or another part of this one, writes to a file."""


def lock_file(file: IO[Any], refusal: str) -> None:
    """Take an open file for this process; where the system has no such locks, nothing happens.

    Args:
        file: it is freed when it is closed.
        refusal: a sentence for when another process has it.

    Raises:
        FileBusy: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise FileBusy(refusal) from error


class AppendOnlyFile:
    """A file of JSON lines, locked for as long as it is open."""

    def __init__(self, path: Path, refusal: str) -> None:
        """Open the file, lock it, and drop what stands behind its last whole line.

        Args:
            path: the file; made with its folder where necessary.
            refusal: a sentence for when another process has it.

        Raises:
            FileBusy: another process has it.
            InputError: the disk refuses.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file: IO[bytes] = path.open("ab+")
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            lock_file(self.file, refusal)
            size = self.file.seek(0, os.SEEK_END)
            self.file.seek(0)
            self._end = sum(len(line) for line in self.file if line.endswith(b"\n"))
            self.was_cut = self._end < size
            """Whether the last line was cut off."""
            if self.was_cut:
                self.file.truncate(self._end)
        except OSError as error:
            self.close()
            raise unwritable(path, error) from error
        except InputError:
            self.close()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether there is no line yet."""
        return self._end == 0

    def append(self, value: Any, *, durable: bool = True) -> None:
        """Write a line.

        Args:
            value: a JSON value.
            durable: wait until the disk has it and all lines before it.

        Raises:
            InputError: the disk refuses; the file is as it was.
        """
        try:
            if self.file.seek(0, os.SEEK_END) > self._end:  # half a line, from a disk that was full
                self.file.truncate(self._end)
            self.file.write(json_text(value).encode() + b"\n")
            self.file.flush()
            if durable:
                os.fsync(self.file.fileno())
        except OSError as error:
            with suppress(OSError):
                self.file.truncate(self._end)
            raise unwritable(self.path, error) from error
        self._end = self.file.tell()

    def close(self) -> None:
        """Close the file and free it."""
        self.file.close()
