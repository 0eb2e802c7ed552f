"""How sure a figure is: bootstrap intervals, paired differences of two runs, McNemar's test.

Items are resampled with replacement (Efron 1979). Two runs are compared on the items that both
scored, with the same resamples for both, so that what makes an item hard cancels out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.benchmarks.protocol import EvaluationProtocol

N_RESAMPLES = 2000
_CELLS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float


def resample_counts(n_items: int, n_resamples: int, seed: int) -> np.ndarray:
    """Return how often each item is in each resample, (n_resamples, n_items) float32."""
    rng = np.random.default_rng(seed)
    counts = np.empty((n_resamples, n_items), np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_items, n_items), minlength=n_items)
    return counts


def column_sums(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the plain sums of the columns."""
    return {name: np.asarray(values.sum()) for name, values in columns.items()}


def resampled_figures(
    protocol: EvaluationProtocol,
    columns: Mapping[str, np.ndarray],
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return each figure of each resample, (n_resamples,).

    Args:
        protocol: computes the figures.
        columns: (N,) numbers by name, one an item.
        n_resamples: how many.
        seed: the same seed gives the same resamples for the same number of items.
    """
    names = list(columns)
    table = np.stack([columns[name] for name in names], 1)  # (N, columns)
    n_items = len(table)
    step = max(1, _CELLS_AT_ONCE // max(n_items, 1))
    parts = []
    for number, start in enumerate(range(0, n_resamples, step)):
        size = min(step, n_resamples - start)
        parts.append(resample_counts(n_items, size, seed + number) @ table)
    sums = np.concatenate(parts)  # (resamples, columns)
    return protocol.figures({name: sums[:, index] for index, name in enumerate(names)})


def intervals(
    protocol: EvaluationProtocol,
    columns: Mapping[str, np.ndarray],
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Interval]:
    """Return all figures with their percentile intervals; NaN where there is nothing to divide."""
    figures = protocol.figures(column_sums(columns))
    resamples = resampled_figures(protocol, columns, n_resamples)
    result = {}
    for name, value in figures.items():
        low, high = _percentiles(resamples[name], level)
        result[name] = Interval(float(value), low, high)
    return result


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    valid = values[np.isfinite(values)]
    if not valid.size:
        return math.nan, math.nan
    low, high = np.percentile(valid, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher a figure of the second run is."""

    first: float
    second: float
    low: float
    """Of the interval of second minus first."""
    high: float
    p_value: float
    """Two-sided share of resamples in which the sign is the other one."""


def paired_differences(
    protocol: EvaluationProtocol,
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Difference]:
    """Compare two runs item by item; the columns must be in the same order of items."""
    a, b = protocol.figures(column_sums(first)), protocol.figures(column_sums(second))
    resampled = [resampled_figures(protocol, columns, n_resamples) for columns in (first, second)]
    result = {}
    for name in a:
        differences = resampled[1][name] - resampled[0][name]
        differences = differences[np.isfinite(differences)]
        low, high = _percentiles(differences, level)
        tails = [np.mean(differences <= 0), np.mean(differences >= 0)] if differences.size else [1]
        p_value = min(1.0, 2 * float(min(tails)))
        result[name] = Difference(float(a[name]), float(b[name]), low, high, p_value)
    return result


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's exact test of how often only one of two runs is correct."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Test whether two runs are correct equally often; two-sided and exact (binomial).

    Source: McNemar 1947, Psychometrika 12.

    >>> mcnemar([True] * 6, [False] * 6)
    McNemar(only_first=6, only_second=0, p_value=0.03125)
    """
    from scipy.stats import binomtest

    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    n_different = only_first + only_second
    p_value = float(binomtest(only_first, n_different).pvalue) if n_different else 1.0
    return McNemar(only_first, only_second, p_value)
