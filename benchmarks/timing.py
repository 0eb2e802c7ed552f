"""Fair timing: the two sides take turns, and medians are compared."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Ratio:
    """How the alternative compares with ours."""

    name: str
    ours: str
    theirs: str
    ours_s: float
    theirs_s: float

    @property
    def factor(self) -> float:
        """Above 1: ours is faster."""
        return self.theirs_s / self.ours_s

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.ours} {1000 * self.ours_s:.1f} ms, "
            f"{self.theirs} {1000 * self.theirs_s:.1f} ms -> {self.factor:.2f}x"
        )


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_after(prepare: Callable[[], object], run: Callable[[], object], rounds: int) -> float:
    """Median time of `run`, each time after `prepare`, which is not counted."""
    times = []
    for _ in range(rounds):
        prepare()
        times.append(seconds(run))
    return statistics.median(times)


def compare(
    name: str,
    ours: tuple[str, Callable[[], object]],
    theirs: tuple[str, Callable[[], object]],
    rounds: int = 7,
) -> Ratio:
    """Run both sides in turn, once to warm up and then `rounds` times; compare medians."""
    ours[1](), theirs[1]()
    times = [(seconds(ours[1]), seconds(theirs[1])) for _ in range(rounds)]
    mine, other = (statistics.median(column) for column in zip(*times))
    return Ratio(name, ours[0], theirs[0], mine, other)


def heading() -> str:
    """Date, machine, commit: without them a figure is not worth printing."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    import os

    import torch

    return (
        f"{date.today()}  {platform.machine()}  {os.cpu_count()} cores  "
        f"torch {torch.__version__}  commit {commit or 'unknown'}"
    )
