"""Flame graphs of sampled stacks: which code the processor was in, and for how much of the time.

The roots are above. Our own functions are shown one by one, and below them the library that they
call, which stands for all that it calls itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

Stack = tuple[str, ...]
"""Frames from the root on, each "function (file:line)"."""

WIDTH, ROW, MARGIN = 1500, 22, 8
SMALLEST = 0.004
"""Frames with a smaller share are left out."""
COLOURS = {
    "segue/chat": "#7fb3e6",
    "segue/models": "#7fb3e6",
    "segue/dialects": "#7fb3e6",
    "segue/detect": "#f2a65a",
    "segue/segment": "#8fce8f",
    "segue/conversation": "#e6d27f",
    "segue/pipeline": "#e6d27f",
    "segue/runtime": "#e6d27f",
    "segue/server": "#d79be0",
    "segue/runs": "#d79be0",
    "segue/values": "#f2b8b8",
}
OTHER_COLOUR = "#dcdcdc"


@dataclass
class Node:
    """A frame below its callers, with the samples that it was in."""

    count: int = 0
    children: dict[str, "Node"] = field(default_factory=dict)


def read_folded(text: str) -> Counter[Stack]:
    """Read folded stacks, "root;…;leaf count" a line, as py-spy's raw format writes them."""
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        stacks[tuple(frames.split(";"))] += int(count)
    return stacks


def shorten(stack: Sequence[str]) -> Stack:
    """Keep our own frames, and the library that the innermost of them called."""
    ours = [frame for frame in stack if _package(frame) == "segue"]
    if not ours:
        return ("elsewhere",)
    inner = stack[len(stack) - stack[::-1].index(ours[-1]) :]
    libraries = [_package(frame) for frame in inner if "/" in frame]
    kept = [_label(frame) for frame in ours if "/cli/" not in frame]
    return (*kept, libraries[0]) if libraries else tuple(kept)


def shares(stacks: Mapping[Stack, int]) -> dict[str, float]:
    """Share of the samples in each part of the package: that of the innermost frame of ours."""
    total = sum(stacks.values())
    parts: Counter[str] = Counter()
    for stack, count in stacks.items():
        ours = [frame for frame in stack if _package(frame) == "segue"]
        parts[_part(ours[-1]) if ours else "elsewhere"] += count
    return {part: count / total for part, count in parts.most_common()}


def draw(stacks: Mapping[Stack, int], file: Path) -> None:
    """Draw a flame graph, WebP."""
    root = Node()
    for stack, count in stacks.items():
        node = root
        node.count += count
        for frame in shorten(stack):
            node = node.children.setdefault(frame, Node())
            node.count += count
    height = ROW * _depth(root, SMALLEST * root.count) + 2 * MARGIN
    picture = PIL.Image.new("RGB", (WIDTH, height), "white")
    pen = PIL.ImageDraw.Draw(picture)
    _draw_children(pen, root, MARGIN, MARGIN, (WIDTH - 2 * MARGIN) / root.count)
    picture.save(file, quality=85, method=6)


def _draw_children(
    pen: PIL.ImageDraw.ImageDraw, node: Node, left: float, top: int, scale: float
) -> None:
    """Draw what a frame calls, `scale` pixels a sample, the most frequent first."""
    font = PIL.ImageFont.load_default(13)
    for frame, child in sorted(node.children.items(), key=lambda item: -item[1].count):
        width = child.count * scale
        if width < SMALLEST * WIDTH:
            continue
        box = (left, top, left + width - 1, top + ROW - 2)
        pen.rectangle(box, fill=_colour(frame))
        share = child.count * scale / (WIDTH - 2 * MARGIN)
        text = f"{frame.partition(' ')[0]}  {share:.0%}"
        while text and pen.textlength(text, font) > width - 6:
            text = text[:-1]
        if len(text) > 3:
            pen.text((left + 3, top + 2), text, "black", font)
        _draw_children(pen, child, left, top + ROW, scale)
        left += width


def _depth(node: Node, least: float) -> int:
    deeper = [_depth(child, least) for child in node.children.values() if child.count >= least]
    return 1 + max(deeper) if deeper else 0


def _colour(frame: str) -> str:
    return next((colour for part, colour in COLOURS.items() if f"({part}" in frame), OTHER_COLOUR)


def _package(frame: str) -> str:
    return frame.rpartition("(")[2].partition("/")[0]


def _part(frame: str) -> str:
    return "/".join(frame.rpartition("(")[2].split("/")[:2]).partition(":")[0]


def _label(frame: str) -> str:
    """Return "function (file", without the line."""
    return frame.replace(".<locals>", "").rpartition(":")[0]
