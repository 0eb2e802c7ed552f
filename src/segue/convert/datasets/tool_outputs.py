"""The turns of LLaVA-Plus with a tool's report, written as if the user had said it.

Three forms are recognised:

    X model outputs: {…}\\n\\nsummarize the model outputs and answer my first answer: Q
    X output: {…}\\n\\nAnswer my first question: Q
    X model outputs: {…}\\n\\nPlease summarize the model outputs and answer my first question: Q

`{…}` is the repr of a Python dict, not JSON. Boxes are x0, y0, x1, y1 in fractions of the picture.

Source: the data and the generating scripts of LLaVA-Plus, arXiv:2311.05437.
"""

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.values.frames import Frame, FramedBox

_HEAD = re.compile(r"(?P<tool>[\w+./-][\w+./ -]{0,59}?)\s+(?:model\s+)?outputs?\s*:", re.IGNORECASE)
_TAIL = re.compile(
    r"(?:please\s+)?(?:summari[sz]e\s+the\s+model\s+outputs?\s+and\s+)?"
    r"answer\s+my\s+first\s+(?:question|answer)\s*:",
    re.IGNORECASE,
)
_REPORT_HINTS = re.compile(r"model outputs?:|\boutput: ?\{|answer my first |^\s*\{", re.IGNORECASE)
_MAX_LITERAL_LENGTH = 200_000
"""Characters; a longer dict is not parsed."""
_FRACTIONS = Frame(1, 1)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """The report of a tool."""

    tool: str = ""
    """As the turn names it; "" when it names none."""
    detections: tuple[tuple[str, FramedBox], ...] | None = None
    """(phrase, box) in order; empty: nothing detected; None: no boxes, or unreadable ones."""
    text: str = ""
    """The report in compact JSON, or as it was when it could not be read."""
    readable: bool = True
    """False when there was a dict that could not be parsed."""


def read_tool_output(text: str) -> ToolOutput | None:
    """Read a turn; None when it has none of the three forms."""
    text = text.strip()
    head = _HEAD.match(text)
    tail = _TAIL.search(text, head.end()) if head else None
    if head is None or tail is None:
        return None
    return _parse_report(head["tool"], text[head.end() : tail.start()].strip())


def read_unknown_report(text: str) -> ToolOutput | None:
    """Read a turn in the place of a tool's report, though its form is unknown.

    Returns:
        None when nothing in it looks like a report; then it is the user's next question.
    """
    if _REPORT_HINTS.search(text) is None:
        return None
    start, end = text.find("{"), text.rfind("}")
    return _parse_report("", text[start : end + 1] if 0 <= start < end else "")


def _parse_report(tool: str, dict_text: str) -> ToolOutput:
    value = _parse_literal(dict_text)
    if not isinstance(value, Mapping):
        return ToolOutput(tool, None, dict_text, readable=False)
    json_text = json.dumps(value, ensure_ascii=False, default=str)
    if "boxes" not in value:
        return ToolOutput(tool, None, json_text)
    detections = _read_detections(value)
    return ToolOutput(tool, detections, json_text, readable=detections is not None)


def _parse_literal(dict_text: str) -> Any:
    if len(dict_text) > _MAX_LITERAL_LENGTH:
        return None
    try:
        return ast.literal_eval(dict_text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(dict_text)
    except (ValueError, RecursionError):
        return None


def _read_detections(value: Mapping[str, Any]) -> tuple[tuple[str, FramedBox], ...] | None:
    boxes, phrases = value.get("boxes"), value.get("phrases", [])
    if not isinstance(boxes, list | tuple) or not isinstance(phrases, list | tuple):
        return None
    if len(phrases) != len(boxes):
        return None
    detections = []
    for phrase, box in zip(phrases, boxes, strict=True):
        corners = _read_corners(box)
        if corners is None:
            return None
        detections.append((str(phrase), FramedBox(*corners, _FRACTIONS)))
    return tuple(detections)


def _read_corners(box: Any) -> tuple[float, float, float, float] | None:
    """Read four fractions; slightly outside [0, 1] is rounding, more is another frame."""
    if not isinstance(box, list | tuple) or len(box) != 4:
        return None
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in box):
        return None
    x0, y0, x1, y1 = (float(v) for v in box)
    if min(x0, y0) < -0.05 or max(x1, y1) > 1.05 or x0 > x1 or y0 > y1:
        return None
    return x0, y0, x1, y1
