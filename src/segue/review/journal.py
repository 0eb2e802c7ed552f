"""The journal of a review: one change a line, appended and kept by the disk before it is confirmed.

The first line says which format it is. A last line that was cut off by a crash was never confirmed
to anybody; it is dropped when the journal is opened for writing, and ignored when it is read. A
damaged line in the middle is an error that names it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from segue.errors import InputError
from segue.files.atomic import json_text, printable_path, unwritable
from segue.review.changes import PictureChange

FORMAT = 1
NAME = "review.jsonl"
"""Of the journal in a folder; one beside a file is called after the file, "x.review.jsonl"."""


def journal_path(source: Path) -> Path:
    """Return where the journal of a data set lies: in its folder, or beside its one file.

    >>> journal_path(Path("coco/instances.json")).as_posix()
    'coco/instances.review.jsonl'
    """
    return source / NAME if source.is_dir() else source.with_name(f"{source.stem}.{NAME}")


def read_changes(file: Path) -> list[PictureChange]:
    """Read all changes of a journal; none where there is no journal.

    Raises:
        InputError: it cannot be read, a line is damaged, or another version of segue wrote it.
    """
    if not file.is_file():
        return []
    try:
        with file.open("rb") as lines:
            return list(_changes_of(lines, file))
    except OSError as error:
        raise InputError(
            f"Cannot read {printable_path(file)}: {error.strerror or error}."
        ) from error


class ReviewJournal:
    """A journal that is open for writing; only one process may have it at a time."""

    def __init__(self, file: Path) -> None:
        """Name a journal; `with` opens it, and makes it where there is none.

        Args:
            file: of the journal.
        """
        self.file = file
        self.changes: list[PictureChange] = []
        """What was in it when it was opened."""
        self.was_cut = False
        """Whether its last line was cut off, and dropped."""
        self._out: IO[bytes] | None = None
        self._end = 0  # behind the last line that was confirmed

    def __enter__(self) -> Self:
        """Lock and read the journal, and drop a last line that was cut off.

        Raises:
            InputError: another process reviews the same, it cannot be written, or it is damaged.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._out = out = self.file.open("ab+")
        except OSError as error:
            raise unwritable(self.file, error) from error
        try:
            self._lock(out)
            out.seek(0)
            self.changes = list(_changes_of(out, self.file))
            self._mend(out)
        except OSError as error:
            self.__exit__(None, None, None)
            raise unwritable(self.file, error) from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def append(self, change: PictureChange) -> None:
        """Write a change, and wait until the disk has it.

        Raises:
            InputError: the disk refuses; the journal is as it was.
        """
        assert self._out is not None, "the journal is not open"
        out = self._out
        try:
            if out.seek(0, os.SEEK_END) > self._end:  # half a line, from a disk that was full
                out.truncate(self._end)
            self._write(out, change.to_json())
        except OSError as error:
            with suppress(OSError):
                out.truncate(self._end)
            raise unwritable(self.file, error) from error
        self._end = out.tell()

    def _write(self, out: IO[bytes], value: dict[str, Any]) -> None:
        out.write(json_text(value).encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())

    def _mend(self, out: IO[bytes]) -> None:
        """Drop what stands behind the last whole line, and write the first line of a new one."""
        size = out.seek(0, os.SEEK_END)
        out.seek(0)
        end = sum(len(line) for line in out if line.endswith(b"\n"))
        self.was_cut = end < size
        if self.was_cut:
            out.truncate(end)
        if end == 0:
            self._write(out, {"review": FORMAT})
            _sync_folder(self.file.parent)
        self._end = out.seek(0, os.SEEK_END)

    def _lock(self, out: IO[bytes]) -> None:
        """Take the journal for this process; the system frees it when the process dies."""
        try:
            import fcntl

            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows has no such thing
            pass
        except BlockingIOError as error:
            raise InputError(
                f"Another process has the review {printable_path(self.file)} open. Use its page "
                "(several people can), or stop it."
            ) from error


def _changes_of(lines: IO[bytes], file: Path) -> Iterator[PictureChange]:
    """Yield the changes of a journal; what stands behind the last line end is left out."""
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            return
        try:
            value = json.loads(line)
            if number == 1:
                _check_first_line(value)
                continue
            yield PictureChange.from_json(value)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"Line {number} of {printable_path(file)} is damaged ({str(error)[:200]}). Repair "
                "or remove the line; the others are not lost."
            ) from error


def _check_first_line(value: Any) -> None:
    if not isinstance(value, dict) or value.get("review") != FORMAT:
        raise InputError(f'it must begin with {{"review": {FORMAT}}}, got {str(value)[:60]!r}')


def _sync_folder(folder: Path) -> None:
    """Let the disk keep the name of a new file; not every system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
