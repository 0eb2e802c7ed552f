"""The folder of a run: append-only, one result a picture, whole after any interruption.

    run.json               settings, models and versions: what the results depend on
    parts/part-00000.parquet   sealed results, PART_SIZE each, never changed again
    journal.jsonl          the results since, one a line

A result is a line in the journal at once. A full journal becomes a part: the part is written beside
and renamed, then the journal is emptied. After a crash between both, results stand in both; readers
take the latest of a name, so each picture has one. A last line that was cut off is dropped, and its
picture is done again.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from segue.errors import InputError, MissingExtra
from segue.files.atomic import printable_path, replacing, unwritable
from segue.files.unicode import well_formed
from segue.runs.manifest import begin_run, read_manifest
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings

FORMAT = 1
PART_SIZE = 256
"""Results in a part."""
SYNC_EVERY = 16
"""After so many results the disk is asked to keep them, against a loss of power."""


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """What a run remembers of a picture."""

    stamp: PictureStamp
    has_failed: bool
    path: str
    """As `PictureResult.path`."""
    question: str | None = None


_FIELDS = {"name", "path", "digest", "size_bytes", "modified_ns", "error"}
MANIFEST, JOURNAL, PARTS, LOCK = "run.json", "journal.jsonl", "parts", "lock"


class RunStore:
    """The results of a run. Reading needs no lock; writing is for one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open a run.

        Args:
            folder: of the run.

        Raises:
            InputError: there is none, or it is damaged.
        """
        self.folder = folder
        self.manifest = read_manifest(folder / MANIFEST, FORMAT, "run")
        try:
            self.settings = RunSettings.from_json(self.manifest["settings"])
        except (KeyError, TypeError) as error:
            raise InputError(f"The settings of {printable_path(folder)} are damaged.") from error
        self._file: IO[bytes] | None = None
        self._n_journal = self._n_unsynced = 0

    @classmethod
    def create(cls, folder: Path, settings: RunSettings, facts: Mapping[str, Any]) -> "RunStore":
        """Begin a run, or open the one that is there, if it is of the same settings.

        Args:
            folder: of the run; made where it is not there.
            settings: of the run.
            facts: what else results depend on, such as the models.

        Raises:
            InputError: there is a run of other settings, or other files are in the folder.
        """
        manifest = {"format": FORMAT, "settings": settings.to_json(), **facts}
        begin_run(folder / MANIFEST, manifest, "run")
        return cls(folder)

    # writing

    def __enter__(self) -> Self:
        """Lock the run for writing, and mend what an interruption left.

        Raises:
            InputError: another process writes to it, or the disk refuses.
        """
        _arrow()
        _lock(self.folder / LOCK)
        try:
            journal = self.folder / JOURNAL
            self._file = journal.open("ab+")
            self._n_journal = _drop_cut_line(self._file)
        except OSError as error:
            self._unlock()
            raise unwritable(self.folder / JOURNAL, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError:  # a full disk; what could not be written is done again
            pass
        finally:
            self._file = None
            self._unlock()

    def _unlock(self) -> None:
        (self.folder / LOCK).unlink(missing_ok=True)

    def append(self, result: PictureResult) -> None:
        """Keep a result.

        Raises:
            InputError: the disk refuses; results before stay.
        """
        assert self._file is not None, "a store is written to inside `with`"
        line = well_formed(json.dumps(result.to_json(), ensure_ascii=False)).encode() + b"\n"
        try:
            if not os.fstat(self._file.fileno()).st_nlink:
                raise InputError(f"{printable_path(self.folder)} was removed during the run.")
            self._file.write(line)
            self._file.flush()
            self._n_journal += 1
            self._n_unsynced += 1
            if self._n_unsynced >= SYNC_EVERY:
                os.fsync(self._file.fileno())
                self._n_unsynced = 0
            if self._n_journal >= PART_SIZE:
                self._seal()
        except OSError as error:
            raise unwritable(self.folder / JOURNAL, error) from error

    def _seal(self) -> None:
        """Turn the journal into a part."""
        assert self._file is not None
        rows = list(_journal_rows(self.folder / JOURNAL))
        # Behind the last, and not by how many there are: one may have been taken away by hand.
        numbers = [int(part.stem.removeprefix("part-")) for part in self._parts()]
        part = self.folder / PARTS / f"part-{max(numbers, default=-1) + 1:05}.parquet"
        _write_part(part, rows)
        self._file.truncate(0)
        os.fsync(self._file.fileno())
        self._n_journal = self._n_unsynced = 0

    # reading

    def _parts(self) -> list[Path]:
        files = (self.folder / PARTS).glob("part-*.parquet")
        return sorted(file for file in files if re.fullmatch(r"part-\d{1,9}", file.stem))

    def stamps(self) -> dict[str, tuple[PictureStamp, bool]]:
        """Return by name how each picture was recognised, and whether it failed.

        Raises:
            InputError: the journal or a part is damaged.
        """
        return {
            name: (known.stamp, known.has_failed) for name, known in self.known_pictures().items()
        }

    def known_pictures(self) -> dict[str, KnownPicture]:
        """Return by name what is remembered of each picture.

        Raises:
            InputError: as `stamps`.
        """
        columns = ["name", "path", "digest", "size_bytes", "modified_ns", "error", "question"]
        rows: list[dict[str, Any]] = []
        for part in self._parts():
            rows += _read_part(part, columns)
        rows += _journal_rows(self.folder / JOURNAL)
        return {
            row["name"]: KnownPicture(
                PictureStamp(row["digest"], row["size_bytes"], row["modified_ns"]),
                row["error"] is not None,
                row["path"],
                row.get("question"),
            )
            for row in rows
        }

    def results(self) -> Iterator[PictureResult]:
        """Yield the result of each picture, part by part, so that memory stays flat.

        Raises:
            InputError: a part is damaged.
        """
        parts = self._parts()
        latest: dict[str, int] = {}
        for number, part in enumerate(parts):
            latest |= dict.fromkeys((row["name"] for row in _read_part(part, ["name"])), number)
        journal = {row["name"]: row for row in _journal_rows(self.folder / JOURNAL)}
        for number, part in enumerate(parts):
            rows = {row["name"]: row for row in _read_part(part, None)}
            for name, row in rows.items():
                if latest[name] == number and name not in journal:
                    yield _result(row, part)
        for row in journal.values():
            yield _result(row, self.folder / JOURNAL)


def _result(row: dict[str, Any], file: Path) -> PictureResult:
    try:
        return PictureResult.from_json(row)
    except (KeyError, TypeError) as error:
        raise InputError(f"{printable_path(file)} is damaged: {error} is missing.") from error


def _journal_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a journal; a last one that was cut off is left out."""
    if not file.is_file():
        return
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                try:
                    row = json.loads(line)
                    if not isinstance(row, dict) or not row.keys() >= _FIELDS:
                        raise ValueError(f"{line[:40]!r} is no result")
                    if not isinstance(row["name"], str) or not isinstance(row["path"], str):
                        raise ValueError(f"{line[:40]!r} is no result")
                except ValueError as error:
                    raise InputError(
                        f"The journal {printable_path(file)} is damaged: {error}."
                    ) from error
                yield row


def _drop_cut_line(file: IO[bytes]) -> int:
    """Cut a journal behind its last whole line, and return how many lines it has."""
    file.seek(0)
    count = end = 0
    for line in file:
        if line.endswith(b"\n"):
            count, end = count + 1, end + len(line)
    file.truncate(end)
    return count


def _write_part(file: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as Parquet; nested values as JSON, so that every reader can have them."""
    arrow = _arrow()
    from pyarrow import parquet

    schema = arrow.schema(
        [
            ("name", arrow.string()), ("path", arrow.string()), ("digest", arrow.string()),
            ("size_bytes", arrow.int64()), ("modified_ns", arrow.int64()),
            ("height", arrow.int32()), ("width", arrow.int32()), ("regions", arrow.string()),
            ("not_found", arrow.list_(arrow.string())), ("notices", arrow.list_(arrow.string())),
            ("error", arrow.string()), ("seconds", arrow.float64()),
            ("question", arrow.string()),
        ]
    )  # fmt: skip
    flat = [{**row, "regions": json.dumps(row["regions"], ensure_ascii=False)} for row in rows]
    with replacing(file) as part:
        parquet.write_table(arrow.Table.from_pylist(flat, schema), part)
        with part.open("rb") as written:
            os.fsync(written.fileno())


def _read_part(file: Path, columns: list[str] | None) -> list[dict[str, Any]]:
    arrow = _arrow()
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(file, columns=columns).to_pylist()
        for row in rows:
            if "regions" in row:
                row["regions"] = json.loads(row["regions"])
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise InputError(f"{printable_path(file)} is damaged: {error}.") from error
    return rows


def _arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "A run needs the 'annotate' extra (pyarrow is not installed). "
            "Run: pip install 'segue[annotate]'"
        ) from error
    return pyarrow


def _lock(file: Path) -> None:
    """Take the lock of a run; one whose process is gone does not count.

    Raises:
        InputError: another process has it, or it cannot be made.
    """
    import psutil

    for _ in range(2):
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            owner = _owner_of(file)
            if owner is not None:
                raise InputError(
                    f"Process {owner} is writing to {printable_path(file.parent)}. Wait for it, or "
                    "stop it."
                ) from None
            file.unlink(missing_ok=True)
            continue
        except OSError as error:
            raise unwritable(file, error) from error
        with os.fdopen(descriptor, "w") as out:
            out.write(f"{os.getpid()} {psutil.Process().create_time()}")
        return
    raise InputError(f"The lock {printable_path(file)} cannot be taken. Try again.")


def _owner_of(file: Path) -> int | None:
    """Return the process that holds a lock; None where it is gone, or is this one.

    The number of a process is given again to another one, so the lock says when it was started.
    """
    import psutil

    try:
        number, *started = file.read_text(encoding="utf-8").split()
        process = psutil.Process(int(number))
        is_another = bool(started) and abs(process.create_time() - float(started[0])) > 1
    except (OSError, ValueError, psutil.Error):
        return None
    return None if is_another or process.pid == os.getpid() else process.pid
