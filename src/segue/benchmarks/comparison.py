"""Two runs over the same items, compared item by item."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.benchmarks import BENCHMARKS
from segue.benchmarks.concept_protocol import mask_library
from segue.benchmarks.dataset import Benchmark
from segue.benchmarks.detection_protocol import ApProtocol
from segue.benchmarks.journal import REPORT, read_run
from segue.benchmarks.protocol import figure_to_json
from segue.benchmarks.scoring import columns_of, read_scores
from segue.benchmarks.significance import Difference, McNemar, mcnemar, paired_differences
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs."""

    benchmark: str
    split: str
    protocol: str
    n_items: int
    """Items that both runs scored."""
    only_first: int
    """Items that only the first run scored; they are left out."""
    only_second: int
    figures: Mapping[str, Difference]
    correct: McNemar
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = ("first", "second", "low", "high", "p_value")
        return {
            "benchmark": self.benchmark,
            "split": self.split,
            "protocol": self.protocol,
            "items": {
                "in both": self.n_items,
                "only in the first": self.only_first,
                "only in the second": self.only_second,
            },
            "figures": {
                figure: {name: figure_to_json(getattr(difference, name)) for name in names}
                for figure, difference in self.figures.items()
            },
            "McNemar": {
                "correct only in the first": self.correct.only_first,
                "correct only in the second": self.correct.only_second,
                "p_value": self.correct.p_value,
            },
            "notes": list(self.notes),
        }


def compare_runs(first: Path, second: Path) -> Comparison:
    """Compare two runs of one benchmark, split and protocol.

    Args:
        first: folder of a run that has a report.
        second: another one.

    Raises:
        MissingExtra: the extra is not installed.
        InputError: one is no such folder, or they are of different data, split or protocol.
    """
    mask_library()  # says what to install
    reports = [_read_report(folder) for folder in (first, second)]
    manifests = [read_run(folder) for folder in (first, second)]
    for what, values in (
        ("benchmarks", [report["benchmark"] for report in reports]),
        ("splits", [report["split"] for report in reports]),
        ("protocols", [report["protocol"]["name"] for report in reports]),
        ("annotation files", [str(manifest.get("data"))[:12] for manifest in manifests]),
    ):
        if values[0] != values[1]:
            raise InputError(
                f"The runs are of different {what}: {values[0]} and {values[1]}. Runs are compared "
                "on the same items, scored by the same rules."
            )
    benchmark: Benchmark = BENCHMARKS.load(reports[0]["benchmark"])
    protocol = benchmark.protocol(reports[0]["protocol"]["name"])
    tables = [{row.id: row for row in read_scores(folder)} for folder in (first, second)]
    ids = [identity for identity in tables[0] if identity in tables[1]]
    if not ids:
        raise InputError("The runs have no item in common. Give both the same --limit.")
    rows = [[table[identity] for identity in ids] for table in tables]
    notes: tuple[str, ...] = ()
    if isinstance(protocol, ApProtocol):
        notes = ("AP is no mean over pictures; the F1 of each picture is compared instead.",)
    return Comparison(
        benchmark=benchmark.name,
        split=reports[0]["split"],
        protocol=protocol.name,
        n_items=len(ids),
        only_first=len(tables[0]) - len(ids),
        only_second=len(tables[1]) - len(ids),
        figures=paired_differences(protocol, columns_of(rows[0]), columns_of(rows[1])),
        correct=mcnemar([row.is_correct for row in rows[0]], [row.is_correct for row in rows[1]]),
        notes=notes,
    )


def _read_report(folder: Path) -> Mapping[str, Any]:
    read_run(folder)
    if not (folder / REPORT).is_file():
        raise InputError(
            f"{printable_path(folder)} has no {REPORT}: its run has not ended. Run it again with "
            "--only-report."
        )
    report = read_json(folder / REPORT)
    keys = {"benchmark", "split", "protocol"}
    if not isinstance(report, Mapping) or not keys <= report.keys():
        raise InputError(f"{printable_path(folder / REPORT)} is damaged. Run it again.")
    return report
