"""What an evaluation protocol is: how an answer becomes numbers, and numbers become figures.

A protocol gives each item some numbers. The figures are functions of the sums of these numbers, so
one definition gives the figure itself, its confidence interval, differences between two runs, and
the breakdown by category and size.
"""

import math
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, ItemScore

Respondent = Literal["chat", "detector"]
"""Which models answer: the chat model, to a question; or the detector, to the phrases alone."""
Sums = Mapping[str, np.ndarray]
"""Column -> its sum; an array, so that many resamples are computed at once."""


class EvaluationProtocol(Protocol):
    """How one paper scores; tests/benchmarks hold each to hand-made examples."""

    @property
    def name(self) -> str:
        """As `--protocol` takes it."""

    @property
    def source(self) -> str:
        """Paper and rule, in a sentence."""

    @property
    def respondent(self) -> Respondent:
        """Who is asked unless the user says otherwise."""

    @property
    def prompt(self) -> str:
        """The question to a chat model, in which {sent} stands for the phrase."""

    @property
    def headline(self) -> str:
        """The figure that papers quote first."""

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore | None:
        """Score one answer.

        Returns:
            None where the protocol drops the item; dropped items are counted.

        Raises:
            InputError: the truth makes no sense.
        """

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """Compute the figures from sums over items; NaN where there is nothing to divide by."""


def figure_to_json(value: float) -> float | None:
    """Return a figure as reports have it: six digits behind the point, None for NaN.

    >>> figure_to_json(2 / 3), figure_to_json(float("nan"))
    (0.666667, None)
    """
    return None if math.isnan(value) else round(float(value), 6)


def ratio(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Divide; NaN where the total is 0."""
    part, total = np.asarray(part, float), np.asarray(total, float)
    return np.divide(
        part, total, out=np.full(np.broadcast(part, total).shape, np.nan), where=total != 0
    )
