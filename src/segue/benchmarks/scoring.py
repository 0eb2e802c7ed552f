"""Scores of a run: answers and items, one after the other, become figures with intervals."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segue.benchmarks.dataset import BenchmarkDataset
from segue.benchmarks.detection_protocol import ApProtocol
from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem
from segue.benchmarks.journal import SCORES, AnswerIndex
from segue.benchmarks.protocol import EvaluationProtocol
from segue.benchmarks.significance import Interval, column_sums, intervals
from segue.errors import InputError
from segue.files.atomic import json_text, printable_path, replacing
from segue.files.text import open_text

_SMALL, _MEDIUM = 32**2, 96**2
"""COCO's bounds of areas, in pixels."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The score of one item."""

    id: str
    category: str
    subset: str
    size: str
    quality: float
    is_correct: bool
    values: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `read_scores` reads."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class ScoreTable:
    """The scores of a run."""

    rows: list[ScoreRow] = field(default_factory=list)
    n_failed: int = 0
    """Items without an answer; the protocol says what they count as."""
    n_dropped: int = 0
    """Items that the protocol leaves out."""
    n_open: int = 0
    """Items that were not asked yet."""
    unscorable: list[str] = field(default_factory=list)
    """A sentence for each item whose truth makes no sense; they are left out."""
    first_error: str = ""
    seconds: float = 0.0
    """Of all answers together."""

    def columns(self, rows: Sequence[ScoreRow] | None = None) -> dict[str, np.ndarray]:
        """Return the numbers of the rows, (N,) by column."""
        return columns_of(self.rows if rows is None else rows)


def columns_of(rows: Sequence[ScoreRow]) -> dict[str, np.ndarray]:
    """Return the numbers of rows, (N,) by column."""
    names = rows[0].values if rows else ()
    return {name: np.array([row.values[name] for row in rows], float) for name in names}


def size_name(area: float | None) -> str:
    """Name an area as COCO does.

    >>> size_name(500), size_name(5000), size_name(50000), size_name(None)
    ('small', 'medium', 'large', 'none')
    """
    if area is None:
        return "none"
    return "small" if area < _SMALL else "medium" if area < _MEDIUM else "large"


def score_answers(
    items: Sequence[BenchmarkItem],
    answers: AnswerIndex,
    protocol: EvaluationProtocol,
    on_progress: Callable[[], None] = lambda: None,
) -> ScoreTable:
    """Score every item that has an answer; one answer is in memory at a time.

    Raises:
        InputError: a journal is damaged.
    """
    table = ScoreTable()
    for item in items:
        on_progress()
        answer = answers.read(item.id)
        if answer is None:
            table.n_open += 1
            continue
        table.seconds += answer.seconds
        if answer.error is not None:
            table.n_failed += 1
            table.first_error = table.first_error or f"{item.id}: {answer.error}"
            answer = _at_true_size(item, answer)
        try:
            score = protocol.score(item, answer)
        except InputError as error:
            table.unscorable.append(f"{item.id}: {error}")
            continue
        if score is None:
            table.n_dropped += 1
            continue
        table.rows.append(
            ScoreRow(
                item.id, item.category, item.subset, size_name(score.area), score.quality,
                score.is_correct, score.values,
            )
        )  # fmt: skip
    return table


def _at_true_size(item: BenchmarkItem, answer: BenchmarkAnswer) -> BenchmarkAnswer:
    """Return a failed answer with the size that the annotations state, to make its truth."""
    if item.size is None or answer.size == item.size:
        return answer
    return BenchmarkAnswer(id=answer.id, size=item.size, error=answer.error)


def write_scores(folder: Path, table: ScoreTable) -> None:
    """Write the scores of a run, one item a line.

    Raises:
        InputError: they cannot be written.
    """
    with replacing(folder / SCORES) as part, part.open("w", encoding="utf-8") as file:
        for row in table.rows:
            file.write(json_text(row.to_json()) + "\n")


def read_scores(folder: Path) -> list[ScoreRow]:
    """Read what `write_scores` wrote.

    Raises:
        InputError: there are none, or they are damaged.
    """
    path = folder / SCORES
    if not path.is_file():
        raise InputError(
            f"{printable_path(folder)} has no {SCORES}. Name the folder of a benchmark run that "
            "has ended."
        )
    try:
        with open_text(path) as file:
            return [ScoreRow(**json.loads(line)) for line in file]
    except (ValueError, TypeError) as error:
        raise InputError(f"{printable_path(path)} is damaged: {error}. Run it again.") from error


def compute_figures(
    table: ScoreTable,
    protocol: EvaluationProtocol,
    dataset: BenchmarkDataset,
    items: Sequence[BenchmarkItem],
    answers: AnswerIndex,
) -> dict[str, Interval]:
    """Compute the figures of a run; AP has no interval (NaN)."""
    if not table.rows:
        return {}
    figures = intervals(protocol, table.columns())
    if not isinstance(protocol, ApProtocol):
        return figures
    precisions: dict[str, list[float]] = defaultdict(list)
    by_subset: dict[str, float] = {}
    for subset, document in dataset.documents.items():
        truth = document(protocol.kind)
        own = protocol.average_precision(truth, _pairs(items, answers, subset))
        for name, value in own.items():
            if value is not None:
                precisions[name].append(value)
        if len(dataset.documents) > 1 and own["AP"] is not None:
            by_subset[f"AP {subset}"] = own["AP"]
    means = {name: float(np.mean(values)) for name, values in precisions.items()}
    exact = {
        name: Interval(value, math.nan, math.nan) for name, value in (means | by_subset).items()
    }
    return {**exact, **figures}


def _pairs(
    items: Sequence[BenchmarkItem], answers: AnswerIndex, subset: str
) -> Iterator[tuple[BenchmarkItem, BenchmarkAnswer]]:
    for item in items:
        answer = answers.read(item.id) if item.subset == subset else None
        if answer is not None:
            yield item, answer


def group_figures(
    table: ScoreTable, protocol: EvaluationProtocol, key: Callable[[ScoreRow], str]
) -> dict[str, dict[str, float]]:
    """Compute the figures of groups of items, the largest group first; "" is no group."""
    groups: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in table.rows:
        if name := key(row):
            groups[name].append(row)
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {
        name: {
            "items": float(len(rows)),
            **{k: float(v) for k, v in protocol.figures(column_sums(columns_of(rows))).items()},
        }
        for name, rows in ordered
    }
