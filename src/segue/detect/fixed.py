"""The stand-in detector: boxes from a table. For tests and for machines without weights."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from segue.detect import Detection
from segue.detect.captions import normalize_phrase
from segue.detect.suppression import detections_of, group_by_phrase, read_phrases, score_floor
from segue.errors import InputError
from segue.values.box import Box
from segue.values.image import Image

Row = Box | Sequence[float]
"""A `Box`, or x0 y0 x1 y1 and, if wanted, a score."""


class Fixed:
    """Finds in every picture what its table says, clipped to the picture."""

    name = "fixed"

    def __init__(self, table: Mapping[str, Iterable[Row]] | str | Path = "") -> None:
        """Set up the table.

        Args:
            table: phrase -> rows in pixels of the upright picture, or the path of a JSON file
                with such an object; empty: nothing is ever found.

        Raises:
            InputError: there is no such file, or a row has neither four nor five numbers.
        """
        if isinstance(table, str | Path):
            table = _read_table(Path(table)) if str(table) else {}
        self.table = {
            normalize_phrase(phrase): np.array([_five_numbers(row) for row in rows]).reshape(-1, 5)
            for phrase, rows in table.items()
        }

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Look the phrases up. See `segue.detect.Detector.find`."""
        floor = score_floor(box_threshold, text_threshold)
        wanted_phrases, answers = read_phrases(phrases), {}
        for phrase in wanted_phrases:
            rows = self.table.get(normalize_phrase(phrase), np.zeros((0, 5)))
            rows = rows[rows[:, 4] > floor]
            answers[phrase] = detections_of(
                phrase, rows[:, :4], rows[:, 4], image.size, max_iou=1.0
            )
        return group_by_phrase(wanted_phrases, answers)


def _five_numbers(row: Row) -> list[float]:
    numbers = [*row.corners] if isinstance(row, Box) else [float(number) for number in row]
    if len(numbers) not in (4, 5):
        raise InputError(f"A row must be x0 y0 x1 y1 and perhaps a score, got {row!r}.")
    return [*numbers, 1.0][:5]


def _read_table(path: Path) -> Mapping[str, Iterable[Row]]:
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The table of boxes must be a JSON file, but {error}.") from error
    if not isinstance(table, dict):
        raise InputError(f"The table of boxes in {path} must be a JSON object, phrase -> rows.")
    return table
