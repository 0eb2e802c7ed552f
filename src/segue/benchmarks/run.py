"""One run over a benchmark: asks what is not answered yet, then scores everything."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.benchmarks.dataset import Benchmark, BenchmarkDataset
from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem
from segue.benchmarks.journal import REPORT, AnswerIndex, Journal, open_run
from segue.benchmarks.protocol import EvaluationProtocol, figure_to_json
from segue.benchmarks.published import published_rows
from segue.benchmarks.respondent import LocatedItem, RunRespondent
from segue.benchmarks.scoring import (
    ScoreTable,
    compute_figures,
    group_figures,
    score_answers,
    write_scores,
)
from segue.benchmarks.significance import Interval
from segue.errors import InputError
from segue.files.atomic import write_json


@dataclass(frozen=True, slots=True)
class Shard:
    """Every n-th item, beginning with the i-th."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str | None) -> "Shard":
        """Read "2/4"; None: everything.

        Raises:
            InputError: it is anything else.

        >>> Shard.parse("2/4")
        Shard(number=2, of=4)
        """
        if text is None:
            return cls()
        number, _, total = text.partition("/")
        if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
            raise InputError(f"--shard must be i/n with 1 <= i <= n, like 2/4, got {text!r}.")
        return cls(int(number), int(total))

    @property
    def name(self) -> str:
        """For the name of a journal; "" where there is one shard only."""
        return "" if self.of == 1 else f"{self.number}-of-{self.of}"


@dataclass(slots=True, kw_only=True)
class BenchmarkRun:
    """A run that can be interrupted, resumed, and split into shards."""

    benchmark: Benchmark
    dataset: BenchmarkDataset
    protocol: EvaluationProtocol
    folder: Path
    limit: int | None = None
    """Only the first so many items."""
    notes: list[str] = field(default_factory=list)
    """What readers of the report must know."""
    checks_counts: bool = True
    """Compare the files with what is published; a stand-in is smaller."""

    @property
    def items(self) -> Sequence[BenchmarkItem]:
        """The items of the run, all shards together."""
        return self.dataset.items[: self.limit]

    def start(self, respondent: RunRespondent, distortion: str = "") -> None:
        """Create the folder, or check that it belongs to the same run.

        Raises:
            InputError: it holds something else, or videos have nothing that follows through them.
        """
        facts: dict[str, Any] = {
            "benchmark": self.benchmark.name,
            "split": self.dataset.split,
            "data": self.dataset.digest(),
            **respondent.facts(),
            **({"distortion": distortion} if distortion else {}),
        }
        if self.benchmark.is_video and "tracker" not in facts:
            raise InputError("Its items are about videos: a tracker is needed.")
        open_run(self.folder, facts)

    def open_items(self, shard: Shard) -> list[BenchmarkItem]:
        """Return the items of a shard that have no answer yet."""
        answer_places = AnswerIndex.of(self.folder).places
        own = self.items[shard.number - 1 :: shard.of]
        return [item for item in own if item.id not in answer_places]

    def ask(
        self, respondent: RunRespondent, items: Sequence[BenchmarkItem], shard: Shard
    ) -> Iterator[BenchmarkAnswer]:
        """Ask items, and yield each answer after it was written."""
        with Journal(self.folder, shard.name) as journal:
            for answer in respondent.answer_all(map(self._located, items)):
                journal.append(answer)
                yield answer

    def _located(self, item: BenchmarkItem) -> LocatedItem:
        """Find the picture of an item, or the frames of its video."""
        try:
            if item.frame_names:
                return LocatedItem(item, self.dataset.locate_frames(item))
            return LocatedItem(item, [self.dataset.locate(item)])
        except InputError as error:
            return LocatedItem(item, problem=str(error))

    def report(self, on_progress: Callable[[], None] = lambda: None) -> "BenchmarkReport":
        """Score all answers, and write scores and report into the folder.

        Raises:
            InputError: there is no answer yet, or a journal is damaged.
        """
        answers = AnswerIndex.of(self.folder)
        table = score_answers(self.items, answers, self.protocol, on_progress)
        if table.n_open == len(self.items):
            raise InputError("There is no answer yet. Run it without --only-report first.")
        figures = compute_figures(table, self.protocol, self.dataset, self.items, answers)
        report = BenchmarkReport(run=self, table=table, figures=figures)
        write_scores(self.folder, table)
        write_json(self.folder / REPORT, report.to_json(), indent=1)
        return report


@dataclass(slots=True, kw_only=True)
class BenchmarkReport:
    """The figures of a run, with all that a reader must know to trust them."""

    run: BenchmarkRun
    table: ScoreTable
    figures: Mapping[str, Interval]

    @property
    def by_category(self) -> dict[str, dict[str, float]]:
        """Figures by category, the largest first."""
        return group_figures(self.table, self.run.protocol, lambda row: row.category)

    @property
    def by_size(self) -> dict[str, dict[str, float]]:
        """Figures by the size of what is asked for, COCO's bounds."""
        return group_figures(self.table, self.run.protocol, lambda row: row.size)

    @property
    def by_subset(self) -> dict[str, dict[str, float]]:
        """Figures by part of the benchmark, where there are several."""
        return group_figures(self.table, self.run.protocol, lambda row: row.subset)

    @property
    def published(self) -> list[dict[str, Any]]:
        """Published rows and this run among them, the best first."""
        run = self.run
        rows: list[dict[str, Any]] = [
            {
                "model": row.model, "year": row.year, "figure": row.figure, "value": row.value,
                "source": row.source,
            }
            for row in published_rows(run.benchmark.name, run.dataset.split, run.protocol.name)
        ]  # fmt: skip
        headline = self.figures.get(run.protocol.headline)
        if headline is not None:
            rows.append(
                {
                    "model": "this run", "year": None, "figure": run.protocol.headline,
                    "value": figure_to_json(headline.value),
                    "source": f"{len(self.table.rows)} items",
                }
            )  # fmt: skip
        return sorted(rows, key=lambda row: -(row["value"] or 0.0))

    def sentences(self) -> list[str]:
        """Return what was left out, failed or differs from what is published."""
        run, table = self.run, self.table
        sentences = [*run.notes, *run.dataset.notes]
        if table.n_open:
            sentences.append(f"{table.n_open} of {len(run.items)} items are not asked yet.")
        if len(run.items) < len(run.dataset.items):
            sentences.append(f"Only the first {len(run.items)} of {len(run.dataset.items)} items.")
        if table.n_failed:
            sentences.append(f"{table.n_failed} items failed; the first: {table.first_error}")
        if table.n_dropped:
            sentences.append(f"{table.n_dropped} items are dropped by the protocol.")
        if table.unscorable:
            sentences.append(
                f"{len(table.unscorable)} items cannot be scored and are left out; the first: "
                f"{table.unscorable[0]}"
            )
        if run.dataset.skipped:
            sentences.append(
                f"{len(run.dataset.skipped)} entries of the files were skipped; the first: "
                f"{run.dataset.skipped[0]}"
            )
        if run.checks_counts:
            sentences += run.benchmark.count_sentences(run.dataset)
        return sentences

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; figures in [0, 1], null where there is nothing to count."""
        run, table = self.run, self.table
        return {
            "benchmark": run.benchmark.name,
            "split": run.dataset.split,
            "protocol": {"name": run.protocol.name, "source": run.protocol.source},
            "headline": run.protocol.headline,
            "items": {
                "in the split": len(run.dataset.items),
                "scored": len(table.rows),
                "failed": table.n_failed,
                "dropped by the protocol": table.n_dropped,
                "cannot be scored": len(table.unscorable),
                "not asked yet": table.n_open,
                "entries skipped": len(run.dataset.skipped),
            },
            "counts": dict(run.dataset.counts),
            "notes": self.sentences(),
            "figures": {
                name: {
                    "value": figure_to_json(figure.value),
                    "low": figure_to_json(figure.low),
                    "high": figure_to_json(figure.high),
                }
                for name, figure in self.figures.items()
            },
            "by category": _plain_groups(self.by_category),
            "by size": _plain_groups(self.by_size),
            "by subset": _plain_groups(self.by_subset),
            "published": self.published,
            "seconds": round(table.seconds, 2),
        }


def _plain_groups(groups: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {figure: figure_to_json(value) for figure, value in figures.items()}
        for name, figures in groups.items()
    }
