"""Draws reliability diagrams: how often it was true, against how likely it was said to be."""

from collections.abc import Mapping

import numpy as np
import PIL.Image
from PIL import ImageDraw

from segue.draw.lettering import font_for
from segue.evaluate.calibration import N_BINS, Floats, expected_calibration_error, reliability_bins

SIDE = 300
"""Width and height of one diagram in pixels, without its margin."""
MARGIN = 62
_GREY, _INK, _BAR, _LINE = (205, 205, 205), (40, 40, 40), (150, 185, 225), (30, 80, 160)


def draw_reliability(
    predictions: Mapping[str, tuple[Floats, np.ndarray]], columns: int = 3
) -> PIL.Image.Image:
    """Draw a diagram for each set of predictions.

    The diagonal is where a perfect calibration lies. Bars say how many predictions each bin has.

    Args:
        predictions: by title, probabilities (N,) in [0, 1] and what was true (N,) bool.
        columns: how many stand side by side.

    Returns:
        A picture, mode RGB.
    """
    across, height = SIDE + MARGIN, SIDE + 2 * MARGIN
    rows = -(-len(predictions) // columns)
    size = across * min(columns, len(predictions)) + MARGIN // 2, height * rows
    picture = PIL.Image.new("RGB", size, "white")
    for number, (title, (probabilities, truth)) in enumerate(predictions.items()):
        left, top = number % columns * across + MARGIN, number // columns * height + MARGIN
        _draw_one(ImageDraw.Draw(picture), left, top, title, probabilities, truth)
    return picture


def _draw_one(
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    title: str,
    probabilities: Floats,
    truth: np.ndarray,
) -> None:
    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * SIDE, top + (1 - y) * SIDE

    bins = reliability_bins(probabilities, truth)
    max_count = max(bin.count for bin in bins)
    for bin in bins:
        first = min(int(bin.probability * N_BINS), N_BINS - 1) / N_BINS
        corners = [place(first + 0.01, bin.count / max_count * 0.25), place(first + 0.09, 0)]
        draw.rectangle([*corners[0], *corners[1]], fill=_BAR)
    draw.rectangle([left, top, left + SIDE, top + SIDE], outline=_GREY)
    draw.line([place(0, 0), place(1, 1)], fill=_GREY, width=2)
    points = [place(bin.probability, bin.frequency) for bin in bins]
    draw.line(points, fill=_LINE, width=3)
    for x, y in points:
        draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=_LINE)
    _write(draw, (left, top - 42), title, 17)
    error = expected_calibration_error(probabilities, truth)
    _write(draw, (left, top - 20), f"{len(truth)} phrases, ECE {error:.3f}", 13)
    for value in (0, 0.5, 1):
        x, y = place(value, value)
        _write(draw, (x - 8, top + SIDE + 6), f"{value:g}", 13)
        _write(draw, (left - 26, y - 9), f"{value:g}", 13)
    _write(draw, (left + SIDE / 2 - 60, top + SIDE + 26), "said to be present", 13)


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int) -> None:
    draw.text(place, text, fill=_INK, font=font_for(text, size))
