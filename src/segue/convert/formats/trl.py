"""Messages as TRL's SFTTrainer takes them for models that see.

    {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": …}]},
                  {"role": "assistant", "content": [{"type": "text", "text": …}]}],
     "images": ["path"]}

Every content is a list of parts, since Arrow refuses columns that mix lists and strings.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from segue.convert.dialogue import Dialogue, Turn
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, assistant, json_lines, read_with


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_lines(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue]:
    """Read a file of this format."""
    return read_with(path, to_dialogue)


def messages(dialogue: Dialogue) -> list[dict[str, Any]]:
    """The turns; the pictures are parts of the first question."""
    waiting = len(dialogue.images)
    made = []
    for turn in dialogue.turns:
        parts: list[dict[str, str]] = []
        if turn.role == "user":
            parts, waiting = [{"type": "image"}] * waiting, 0
        made.append({"role": turn.role, "content": [*parts, {"type": "text", "text": turn.text}]})
    return made


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """One record."""
    images = [absolute(image) for image in dialogue.images]
    return {"id": dialogue.id, "messages": messages(dialogue), "images": images}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """One record read back."""
    turns = []
    for message in value["messages"]:
        parts = message["content"]
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        role = message["role"]
        turns.append(assistant(text) if role == "assistant" else Turn(role, text))
    images = tuple(map(str, value.get("images") or ()))
    return Dialogue(str(value.get("id") or name), images, tuple(turns))
