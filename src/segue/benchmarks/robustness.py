"""How a figure falls as pictures or questions get worse: the curve of a sweep."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.benchmarks.protocol import figure_to_json
from segue.benchmarks.significance import Interval
from segue.files.atomic import write_json, write_text

ROBUSTNESS, CURVE = "robustness.json", "robustness.html"
_WIDTH, _HEIGHT, _MARGIN = 640, 320, 48


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One level of a sweep."""

    level: str
    """ "plain" is the undisturbed run."""
    figure: Interval


def write_curve(folder: Path, title: str, figure: str, points: Sequence[CurvePoint]) -> None:
    """Write the curve as JSON and as a page.

    Args:
        folder: of the sweep.
        title: benchmark, split and protocol.
        figure: what is drawn.
        points: from the undisturbed run to the strongest level.

    Raises:
        InputError: it cannot be written.
    """
    rows = [
        {
            "level": p.level,
            **{name: figure_to_json(getattr(p.figure, name)) for name in ("value", "low", "high")},
        }
        for p in points
    ]
    write_json(folder / ROBUSTNESS, {"title": title, "figure": figure, "points": rows}, indent=1)
    write_text(folder / CURVE, _page(title, figure, points))


def _page(title: str, figure: str, points: Sequence[CurvePoint]) -> str:
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(points) - 1)

    def place(index: int, value: float) -> tuple[float, float]:
        value = 0.0 if value != value else value
        return _MARGIN + index * step, _HEIGHT - _MARGIN - value * (_HEIGHT - 2 * _MARGIN)

    marks, corners = [], []
    for value in (0.0, 0.5, 1.0):
        y = place(0, value)[1]
        marks.append(f'<line class="grid" x1="{_MARGIN}" y1="{y}" x2="{_WIDTH}" y2="{y}"/>')
        marks.append(f'<text x="{_MARGIN - 12}" y="{y + 4}" text-anchor="end">{value:.0%}</text>')
    for index, point in enumerate(points):
        x, y = place(index, point.figure.value)
        corners.append(f"{x:.1f},{y:.1f}")
        if point.figure.low == point.figure.low:
            low, high = place(index, point.figure.low)[1], place(index, point.figure.high)[1]
            marks.append(f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>')
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        marks.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - 20}" text-anchor="middle">'
            f"{html.escape(point.level)}</text>"
        )
        marks.append(
            f'<text x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">'
            f"{100 * point.figure.value:.1f}</text>"
        )
    heading = html.escape(f"{title}: {figure}, with 95 % intervals")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{heading}</title>
<style>body {{ font: 15px system-ui, sans-serif; margin: 2rem; }} text {{ font-size: 11px; }}
line, polyline {{ stroke: #c40; fill: none; }} circle {{ fill: #c40; }}
.grid {{ stroke: #ddd; }}</style>
<h1>{heading}</h1>
<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}">
<polyline points="{" ".join(corners)}"/>
{"".join(marks)}
</svg>
</html>
"""
