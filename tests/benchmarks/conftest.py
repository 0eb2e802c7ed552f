"""Items and answers without files or models."""

from collections.abc import Callable

import numpy as np
import pytest

from segue.benchmarks.item import (
    AnsweredRegion,
    BenchmarkAnswer,
    BenchmarkItem,
    ItemScore,
    MaskTruth,
)
from segue.benchmarks.protocol import EvaluationProtocol
from segue.values.box import Box, Size
from segue.values.mask import rle


def row_of(text: str) -> np.ndarray:
    """A mask of one row: "1100" is two pixels of four."""
    return np.array([[character == "1" for character in text]])


@pytest.fixture
def item() -> Callable[..., BenchmarkItem]:
    """An item with a true mask, as rows of digits, or with true boxes."""

    def make(target: str = "0000", ignore: str = "", overlap: str = "", boxes=()) -> BenchmarkItem:
        truth = MaskTruth(
            row_of(target),
            row_of(ignore) if ignore else None,
            row_of(overlap) if overlap else None,
        )
        return BenchmarkItem(
            id="q",
            image_name="a.png",
            phrases=("it",),
            boxes=tuple(boxes),
            read_truth=lambda size: truth,
        )

    return make


@pytest.fixture
def answer() -> Callable[..., BenchmarkAnswer]:
    """An answer with one region a mask, or a box with a score."""

    def make(*regions: str | Box | tuple[Box, float], error: str | None = None, width: int = 4):
        found = []
        for region in regions:
            if isinstance(region, str):
                mask = rle.encode(row_of(region))
                found.append(AnsweredRegion(0, Box(0, 0, 1, 1), 0.9, mask))
            elif isinstance(region, Box):
                found.append(AnsweredRegion(0, region))
            else:
                found.append(AnsweredRegion(0, *region))
        return BenchmarkAnswer(id="q", size=Size(1, width), regions=tuple(found), error=error)

    return make


@pytest.fixture
def figures() -> Callable[..., dict[str, float]]:
    """The figures of some scores."""

    def compute(protocol: EvaluationProtocol, *scores: ItemScore | None) -> dict[str, float]:
        kept = [score for score in scores if score is not None]
        sums = {
            name: np.array(sum(score.values[name] for score in kept)) for name in kept[0].values
        }
        return {name: float(value) for name, value in protocol.figures(sums).items()}

    return compute
