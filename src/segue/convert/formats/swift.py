"""JSON lines of ms-swift. Boxes become placeholders, and ms-swift writes them as each model likes.

    {"messages": [{"role": "user", "content": "<image>Where is the tram?"},
                  {"role": "assistant", "content": "<ref-object><bbox>"}],
     "images": ["path"],
     "objects": {"ref": ["tram"], "bbox": [[0.12, 0.3, 0.81, 0.77]], "bbox_type": "norm1"}}

Boxes are fractions, as precise as the 0-999 grid they come from.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import repeat
from pathlib import Path
from typing import Any

from segue.box import Frame, FramedBox
from segue.convert.dialogue import Dialogue, Turn, grid
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, assistant, json_lines, read_with

_MARKUP = re.compile(r"<ref>(?P<phrase>.*?)</ref>|<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>")
_HOLES = re.compile("<ref-object>|<bbox>")


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_lines(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue]:
    """Read a file of this format."""
    return read_with(path, to_dialogue)


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """One record."""
    refs: list[str] = []
    boxes: list[list[float]] = []

    def hole(match: re.Match[str]) -> str:
        if match["phrase"] is not None:
            refs.append(match["phrase"])
            return "<ref-object>"
        boxes.append([int(number) / 1000 for number in match.groups()[1:]])
        return "<bbox>"

    made = []
    waiting = "<image>" * len(dialogue.images)
    for turn in dialogue.turns:
        text = _MARKUP.sub(hole, turn.text) if turn.role == "assistant" else turn.text
        if turn.role == "user":
            text, waiting = waiting + text, ""
        made.append({"role": turn.role, "content": text})
    images = [absolute(image) for image in dialogue.images]
    value: dict[str, Any] = {"id": dialogue.id, "messages": made, "images": images}
    if boxes:
        objects = {"ref": refs, "bbox": boxes, "bbox_type": "norm1", "image_id": [0] * len(boxes)}
        value["objects"] = objects
    return value


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """One record read back; boxes in pixels ("real") cannot be, for that needs the pictures."""
    objects = value.get("objects") or {}
    refs = iter(objects.get("ref") or ())
    frame = {"norm1": Frame(1, 1), "norm1000": Frame(1000, 1000)}.get(objects.get("bbox_type", ""))
    if objects.get("bbox") and frame is None:
        raise ValueError("boxes in pixels; expected bbox_type 'norm1'")
    boxes = zip(objects.get("bbox") or (), repeat(frame or Frame(1, 1)))

    def fill(match: re.Match[str]) -> str:
        if match[0] == "<ref-object>":
            return f"<ref>{next(refs)}</ref>"
        corners, in_frame = next(boxes)
        left, top, right, bottom = map(float, corners)
        x0, y0, x1, y1 = grid(FramedBox(left, top, right, bottom, in_frame))
        return f"<box>({x0},{y0}),({x1},{y1})</box>"

    turns = []
    for message in value["messages"]:
        text, role = message["content"].replace("<image>", ""), message["role"]
        if role == "assistant":
            turns.append(assistant(_HOLES.sub(fill, text)))
        else:
            turns.append(Turn(role, text))
    images = tuple(map(str, value.get("images") or ()))
    return Dialogue(str(value.get("id") or name), images, tuple(turns))
