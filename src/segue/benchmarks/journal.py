"""The folder of a benchmark run: append-only journals, one answer a line, whole after any crash.

    benchmark.json         what the answers depend on: data, models, prompt, thresholds, versions
    answers.jsonl          answers, one a line; answers-2-of-4.jsonl of a shard
    scores.jsonl           of the last report, one item a line
    report.json, index.html

Shards write to journals of their own in one folder and may run at the same time. A last line that
was cut off is dropped, and its item is asked again. A lock of the operating system, which a killed
process loses, keeps two processes from one journal.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from segue.benchmarks.item import BenchmarkAnswer
from segue.errors import InputError
from segue.files.append_only import AppendOnlyFile
from segue.files.atomic import json_text, printable_path, write_json
from segue.files.text import read_json

MANIFEST, SCORES, REPORT, PAGE = "benchmark.json", "scores.jsonl", "report.json", "index.html"
FORMAT = 1
_SYNC_EVERY = 16


def open_run(folder: Path, facts: Mapping[str, Any]) -> None:
    """Begin a run, or check that the one in the folder depends on the same.

    Raises:
        InputError: the folder holds another run, or other files.
    """
    manifest = json.loads(json.dumps({"format": FORMAT, **facts}))
    path = folder / MANIFEST
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{printable_path(folder)} holds other files. Name an empty or a new folder."
            )
        write_json(path, manifest, indent=1)
        return
    earlier = read_run(folder)
    changes = [
        f"{key}: {_short(earlier.get(key))} there, {_short(manifest.get(key))} now"
        for key in dict.fromkeys((*earlier, *manifest))
        if earlier.get(key) != manifest.get(key)
    ]
    if changes:
        raise InputError(
            f"{printable_path(folder)} is a run of other settings: {'; '.join(changes)}. Use the "
            "same, or name another folder."
        )


def _short(value: Any) -> str:
    text = json_text(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def read_run(folder: Path) -> Mapping[str, Any]:
    """Read what a run depends on.

    Raises:
        InputError: the folder holds no run.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{printable_path(folder)} is no benchmark run: it has no {MANIFEST}. Name the folder "
            "given to --out."
        )
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, Mapping) or manifest.get("format") != FORMAT:
        raise InputError(f"{printable_path(folder)} is no benchmark run of format {FORMAT}.")
    return manifest


@dataclass(slots=True)
class AnswerIndex:
    """Where each answer of a run lies, so that one at a time is read."""

    folder: Path
    places: dict[str, tuple[Path, int]] = field(default_factory=dict)
    """By id: the journal, and the byte at which the line begins."""

    @classmethod
    def of(cls, folder: Path) -> "AnswerIndex":
        """Index all journals of a folder; a last line that was cut off is left out.

        Raises:
            InputError: a journal is damaged.
        """
        index = cls(folder)
        for path in sorted(folder.glob("answers*.jsonl")):
            for start, line in _whole_lines(path):
                index.places[_id_of(line, path)] = (path, start)
        return index

    def read(self, identity: str) -> BenchmarkAnswer | None:
        """Return one answer; None: there is none yet.

        Raises:
            InputError: the journal is damaged.
        """
        if identity not in self.places:
            return None
        path, start = self.places[identity]
        try:
            with path.open("rb") as file:
                file.seek(start)
                return BenchmarkAnswer.from_json(json.loads(file.readline()))
        except (OSError, ValueError) as error:
            raise InputError(f"The journal {printable_path(path)} is damaged: {error}") from error


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    start = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield start, line
            start += len(line)


def _id_of(line: bytes, path: Path) -> str:
    """Return the id of a line, which stands first."""
    try:
        return str(json.loads(line)["id"])
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"The journal {printable_path(path)} is damaged at {line[:40]!r}. Remove this line; "
            "its item is asked again."
        ) from error


class Journal:
    """The journal that one process appends to."""

    def __init__(self, folder: Path, shard: str = "") -> None:
        """Name the journal.

        Args:
            folder: of the run.
            shard: "2-of-4"; "": the run has no shards.
        """
        self.path = folder / (f"answers-{shard}.jsonl" if shard else "answers.jsonl")
        self._lines: AppendOnlyFile | None = None
        self._n_appended = 0

    def __enter__(self) -> Self:
        """Lock the journal, and cut a last line that was not finished.

        Raises:
            InputError: another process writes to it, or the disk refuses.
        """
        self._lines = AppendOnlyFile(
            self.path,
            f"Another process is writing to {printable_path(self.path)}. Wait for it, or use "
            "--shard.",
        )
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

    def append(self, answer: BenchmarkAnswer) -> None:
        """Keep an answer; it is in the file when this returns.

        Raises:
            InputError: the disk refuses; earlier answers stay, and the same command resumes there.
        """
        assert self._lines is not None, "a journal is written to inside `with`"
        self._n_appended += 1
        self._lines.append(answer.to_json(), durable=self._n_appended % _SYNC_EVERY == 0)
