"""How right a run of `segue annotate` is, and what one is better than another, with intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.flywheel.matching import SAME_OBJECT, mask_ious, match
from examples.flywheel.scenes import PictureSet, TrueObject
from segue.runs.store import RunStore
from segue.values.region import Region

COLUMNS = ("objects", "found", "regions", "right", "iou_sum", "misnamed", "absent", "fired")
"""What is counted on each picture; see `count_picture`."""

MEASURES: Mapping[str, tuple[str, str]] = {
    "recall": ("found", "objects"),
    "precision": ("right", "regions"),
    "mean mask IoU": ("iou_sum", "objects"),
    "wrong names": ("misnamed", "regions"),
    "absent classes that fire": ("fired", "absent"),
}
"""Each is the sum of one column over that of another."""

N_RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A figure with the 2.5 and 97.5 % of its bootstrap."""

    value: float
    low: float
    high: float


def count_picture(
    regions: list[Region], objects: list[TrueObject], classes: tuple[str, ...]
) -> list[float]:
    """Count what is right and wrong on a picture.

    Args:
        regions: what was found.
        objects: what is there.
        classes: all that were looked for.

    Returns:
        In the order of `COLUMNS`: true objects; those with a region of their class and an IoU of at
        least .5; regions; those that are such; the sum of the IoU of each object with the best
        region of its class; regions that show an object under another name; classes that are not on
        the picture, and those that have a region all the same.
    """
    ious = mask_ious(regions, objects)
    same = np.array([[r.phrase == o.name for o in objects] for r in regions], bool)
    same_class = np.where(same, ious, 0.0) if ious.size else ious
    n_right = len(match(same_class))
    best = same_class.max(axis=0).sum() if ious.size else 0.0
    misnamed = 0
    for row, region in enumerate(regions):
        shown = int(ious[row].argmax()) if objects else -1
        if shown >= 0 and ious[row, shown] >= SAME_OBJECT:
            misnamed += objects[shown].name != region.phrase
    absent_names = set(classes) - {thing.name for thing in objects}
    fired = absent_names & {region.phrase for region in regions}
    return [
        *(len(objects), n_right, len(regions), n_right, float(best), misnamed),
        *(len(absent_names), len(fired)),
    ]


def count_run(run: Path, pictures: PictureSet) -> NDArray[np.float64]:
    """Count all pictures of a run, (pictures, columns), in the order of their names."""
    results = {result.name: list(result.regions) for result in RunStore(run).results()}
    return np.array(
        [
            count_picture(results[name], objects, pictures.classes)
            for name, objects in pictures.truth.items()
        ]
    )


def measure(counts: NDArray[np.float64]) -> dict[str, Interval]:
    """Return each of `MEASURES` of a run, with the interval over its pictures."""
    return _bootstrap(lambda rows: _figures(counts[rows].sum(axis=0)), len(counts))


def difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Interval]:
    """Return after minus before, of the same pictures, with the interval of the difference."""

    def figures(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return _figures(after[rows].sum(axis=0)) - _figures(before[rows].sum(axis=0))

    return _bootstrap(figures, len(before))


def _figures(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    of = dict(zip(COLUMNS, sums, strict=True))
    return np.array([of[part] / max(1.0, of[whole]) for part, whole in MEASURES.values()])


def _bootstrap(
    figures: Callable[[NDArray[np.int64]], NDArray[np.float64]], count: int
) -> dict[str, Interval]:
    """Return figures of all pictures, with those of pictures drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = np.array([figures(rng.integers(count, size=count)) for _ in range(N_RESAMPLES)])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    values = figures(np.arange(count))
    return {
        name: Interval(*(round(float(v), 4) for v in (values[k], low[k], high[k])))
        for k, name in enumerate(MEASURES)
    }
