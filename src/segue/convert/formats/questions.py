"""Questions for `segue evaluate`: one line for each answer of the assistant.

    {"id": …, "image": "path", "question": …, "expect": "tag" | "box" | "absent" | "plain",
     "phrases": […], "answer": …, "language": …, "history": [[question, answer], …],
     "boxes": [[x0, y0, x1, y1], …] or null, "mask": COCO RLE or null, "width": …, "height": …}

Boxes are in pixels of the upright picture. Answers that follow a tool's report are left out: they
depend on what the tool said. So are dialogues with several pictures or none.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord, detect_language
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import absolute_path, open_json_lines
from segue.dialects import DIALECTS, BoxMention, Dialect
from segue.errors import InputError


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_lines(path, lambda dialogue: to_records(dialogue))


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Questions are not dialogues."""
    raise InputError(f"{path} holds questions for segue evaluate, which are not read back.")


def to_records(dialogue: Dialogue) -> Iterator[dict[str, Any]]:
    """Make one record for each answer."""
    if len(dialogue.images) != 1:
        return
    history: list[list[str]] = []
    question = ""
    previous_role = ""
    for turn in dialogue.turns:
        if turn.role == "user":
            question = turn.text
        if turn.role == "assistant" and previous_role == "user":
            yield {
                "id": f"{dialogue.id}/{len(history) + 1}",
                "image": absolute_path(dialogue.images[0]),
                "question": question,
                "expect": turn.kind,
                "phrases": list(turn.phrases),
                "answer": turn.text,
                "language": detect_language(question),
                "history": [list(pair) for pair in history],
                **_truth(turn, dialogue),
            }
            history.append([question, turn.text])
        previous_role = turn.role


def _truth(turn: DialogueTurn, dialogue: Dialogue) -> dict[str, Any]:
    size = dialogue.size
    boxes = None
    if turn.truth is not None and turn.truth.boxes:
        boxes = [list(box.corners) for box in turn.truth.boxes]
    elif turn.kind == "box" and size is not None:
        reader: Dialect = DIALECTS.load("qwen_vl")
        events = reader.read([turn.text])
        boxes = [list(e.box.to_box(size).corners) for e in events if isinstance(e, BoxMention)]
    return {
        "boxes": boxes,
        "mask": turn.truth.mask if turn.truth is not None else None,
        "width": size.width if size else None,
        "height": size.height if size else None,
    }
