"""The turns of LLaVA-Plus in which a tool reports, written as if a person had said them.

Three forms are known:

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
_HINTS = re.compile(r"model outputs?:|\boutput: ?\{|answer my first |^\s*\{", re.IGNORECASE)
_LONGEST = 200_000
"""Characters of a dict that are still parsed."""
_FRACTIONS = Frame(1, 1)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool reported."""

    tool: str = ""
    """As the turn names it; "" when it names none."""
    found: tuple[tuple[str, FramedBox], ...] | None = None
    """(phrase, box) in order; empty: nothing was found; None: no boxes, or unreadable ones."""
    text: str = ""
    """The report in compact JSON, or as it was when it could not be read."""
    readable: bool = True
    """False when there was a dict that made no sense."""


def read_tool_output(text: str) -> ToolOutput | None:
    """Read a turn; None when it has none of the three forms."""
    text = text.strip()
    head = _HEAD.match(text)
    tail = _TAIL.search(text, head.end()) if head else None
    if head is None or tail is None:
        return None
    return _report(head["tool"], text[head.end() : tail.start()].strip())


def read_loosely(text: str) -> ToolOutput | None:
    """Read a turn that stands where a tool reports, though its form is unknown.

    Returns:
        None when nothing in it looks like a report; then it is a person's next question.
    """
    if _HINTS.search(text) is None:
        return None
    start, end = text.find("{"), text.rfind("}")
    return _report("", text[start : end + 1] if 0 <= start < end else "")


def _report(tool: str, written: str) -> ToolOutput:
    value = _literal(written)
    if not isinstance(value, Mapping):
        return ToolOutput(tool, None, written, readable=False)
    as_json = json.dumps(value, ensure_ascii=False, default=str)
    if "boxes" not in value:
        return ToolOutput(tool, None, as_json)
    found = _found(value)
    return ToolOutput(tool, found, as_json, readable=found is not None)


def _literal(written: str) -> Any:
    if len(written) > _LONGEST:
        return None
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None


def _found(value: Mapping[str, Any]) -> tuple[tuple[str, FramedBox], ...] | None:
    boxes, phrases = value.get("boxes"), value.get("phrases", [])
    if not isinstance(boxes, list | tuple) or not isinstance(phrases, list | tuple):
        return None
    if len(phrases) != len(boxes):
        return None
    found = []
    for phrase, box in zip(phrases, boxes, strict=True):
        corners = _corners(box)
        if corners is None:
            return None
        found.append((str(phrase), FramedBox(*corners, _FRACTIONS)))
    return tuple(found)


def _corners(box: Any) -> tuple[float, float, float, float] | None:
    """Four fractions; a little outside [0, 1] is rounding, more is another frame."""
    if not isinstance(box, list | tuple) or len(box) != 4:
        return None
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in box):
        return None
    x0, y0, x1, y1 = (float(v) for v in box)
    if min(x0, y0) < -0.05 or max(x1, y1) > 1.05 or x0 > x1 or y0 > y1:
        return None
    return x0, y0, x1, y1
