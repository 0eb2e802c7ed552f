"""The report of a run as one HTML page: figures, breakdowns, and pictures from worst to best.

Pictures are part of the page, so it can be sent as one file; of a video the middle frame is. The
answer is tinted, the truth has a white outline (masks) or frame (boxes).
"""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import PIL.Image

from segue.benchmarks.dataset import open_picture
from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, MaskTruth, VideoTruth
from segue.benchmarks.journal import PAGE, AnswerIndex
from segue.benchmarks.run import BenchmarkReport
from segue.benchmarks.scoring import ScoreRow
from segue.errors import InputError
from segue.files.atomic import write_text
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import rle

N_PICTURES = 6
"""Of the worst, of the median and of the best."""
_SIDE = 360
"""Pixels of the longer side of a picture on the page."""
_TINT, _FRAME = np.array([255, 90, 0]), np.array([255, 255, 255])
_STYLE = """
  body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem;
    max-width: 1200px; color: #222; }
  table { border-collapse: collapse; margin: 1rem 0; }
  td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
  td:first-child, th:first-child { text-align: left; }
  .pictures { display: grid; gap: 1rem;
    grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); }
  figure { margin: 0; } img { width: 100%; } figcaption { overflow-wrap: anywhere; }
  .note { color: #8a4b00; }
"""


def write_page(report: BenchmarkReport) -> None:
    """Write the page into the folder of the run.

    Raises:
        InputError: it cannot be written.
    """
    write_text(report.run.folder / PAGE, page(report))


def page(report: BenchmarkReport) -> str:
    """Return the page."""
    run, rows = report.run, sorted(report.table.rows, key=lambda row: row.quality)
    title = f"{run.benchmark.title} {run.dataset.split}, protocol {run.protocol.name}"
    middle = max(0, len(rows) // 2 - N_PICTURES // 2)
    figures = [
        [name, _percent(figure.value), f"{_percent(figure.low)} to {_percent(figure.high)}"]
        for name, figure in report.figures.items()
    ]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(run.protocol.source)}</p>",
        *(f'<p class="note">{html.escape(sentence)}</p>' for sentence in report.sentences()),
        _table(["figure", "%", "95 % interval"], figures),
        _published(report.published),
        *_pictures("Worst", rows[:N_PICTURES], report),
        *_pictures("Median", rows[middle : middle + N_PICTURES], report),
        *_pictures("Best", rows[::-1][:N_PICTURES], report),
        _groups("By size", report.by_size),
        _groups("By part", report.by_subset if len(report.by_subset) > 1 else {}),
        _groups("By category", report.by_category),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    lines = [
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _published(rows: Sequence[Mapping[str, Any]]) -> str:
    if len(rows) < 2:
        return ""
    cells = [
        [row["model"], str(row["year"] or ""), _percent(row["value"]), row["source"]]
        for row in rows
    ]
    return _table(["model", "year", rows[0]["figure"], "source"], cells)


def _groups(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    if not groups or list(groups) == ["none"]:
        return ""
    names = [name for name in next(iter(groups.values())) if name != "items"]
    rows = [
        [group, f"{figures['items']:.0f}", *(_percent(figures[name]) for name in names)]
        for group, figures in groups.items()
    ]
    return f"<h2>{title}</h2>" + _table(["", "items", *names], rows)


def _pictures(title: str, rows: Sequence[ScoreRow], report: BenchmarkReport) -> Iterator[str]:
    answers = AnswerIndex.of(report.run.folder)
    row_ids = {row.id for row in rows}
    items = {item.id: item for item in report.run.items if item.id in row_ids}
    yield f'<h2>{title}</h2><div class="pictures">'
    for row in rows:
        answer = answers.read(row.id)
        if answer is not None:
            yield _figure(row, items[row.id], answer, report)
    yield "</div>"


def _figure(
    row: ScoreRow, item: BenchmarkItem, answer: BenchmarkAnswer, report: BenchmarkReport
) -> str:
    phrases = ", ".join(item.phrases[:8]) + ("…" if len(item.phrases) > 8 else "")
    caption = f"<figcaption>{html.escape(phrases)}<br>{_percent(row.quality)}"
    if answer.raw:
        caption += f"<br><code>{html.escape(answer.raw[:200])}</code>"
    if answer.error is not None:
        caption += f'<br><span class="note">{html.escape(answer.error)}</span>'
    try:
        frame = len(item.frame_names) // 2
        dataset = report.run.dataset
        place = dataset.locate_frames(item)[frame] if item.frame_names else dataset.locate(item)
        data = _data_url(_draw(open_picture(place), item, answer, frame))
    except InputError as error:
        return f"<figure>{html.escape(str(error))}{caption}</figcaption></figure>"
    return f'<figure><img src="{data}" alt="{html.escape(phrases)}">{caption}</figcaption></figure>'


def _draw(picture: Image, item: BenchmarkItem, answer: BenchmarkAnswer, frame: int) -> np.ndarray:
    """Return the picture, or a frame of the video, with answer and truth, (H, W, 3) uint8."""
    array = picture.array.astype(float)
    size = picture.size
    for region in answer.regions:
        if answer.size != size or region.frame != frame:
            continue
        if region.rle is not None:
            mask = rle.decode(region.rle, expected_size=size)
            array[mask] = 0.5 * array[mask] + 0.5 * _TINT
        else:
            _frame(array, region.box, _TINT)
    truth = item.read_truth(size) if item.read_truth is not None else None
    if isinstance(truth, MaskTruth):
        array[_outline(truth.target)] = _FRAME
    elif isinstance(truth, VideoTruth):
        for target in truth.read_frame(frame):
            array[_outline(target)] = _FRAME
    elif truth is not None:
        for instance in truth[0]:
            array[_outline(rle.decode(instance, expected_size=size))] = _FRAME
    else:
        for box in item.boxes:
            _frame(array, box, _FRAME)
    return array.astype(np.uint8)


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask within two pixels of its edge."""
    import cv2

    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2)
    return mask & (eroded == 0)


def _frame(array: np.ndarray, box: Box, colour: np.ndarray) -> None:
    """Draw the edges of a box, three pixels wide."""
    height, width = array.shape[:2]
    x0, x1 = (int(np.clip(x, 0, width)) for x in (box.x0, box.x1))
    y0, y1 = (int(np.clip(y, 0, height)) for y in (box.y0, box.y1))
    for rows, columns in (
        (slice(y0, y0 + 3), slice(x0, x1)),
        (slice(max(y1 - 3, 0), y1), slice(x0, x1)),
        (slice(y0, y1), slice(x0, x0 + 3)),
        (slice(y0, y1), slice(max(x1 - 3, 0), x1)),
    ):
        array[rows, columns] = colour


def _data_url(array: np.ndarray) -> str:
    picture = PIL.Image.fromarray(array)
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
