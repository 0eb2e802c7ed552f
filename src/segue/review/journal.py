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
from segue.files.append_only import AppendOnlyFile
from segue.files.atomic import printable_path
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
        self._lines: AppendOnlyFile | None = None

    def __enter__(self) -> Self:
        """Lock and read the journal, and drop a last line that was cut off.

        Raises:
            InputError: another process reviews the same, it cannot be written, or it is damaged.
        """
        self._lines = lines = AppendOnlyFile(
            self.file,
            f"Another process has the review {printable_path(self.file)} open. Use its page "
            "(several people can), or stop it.",
        )
        self.was_cut = lines.was_cut
        try:
            if lines.is_empty:
                lines.append({"review": FORMAT})
                _sync_folder(self.file.parent)
            self.changes = read_changes(self.file)
        except InputError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def append(self, change: PictureChange) -> None:
        """Write a change, and wait until the disk has it.

        Raises:
            InputError: the disk refuses; the journal is as it was.
        """
        assert self._lines is not None, "the journal is not open"
        self._lines.append(change.to_json())


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
