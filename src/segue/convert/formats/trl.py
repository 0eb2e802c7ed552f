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

from segue.annotations.fields import read_list, read_object, read_string
from segue.convert.dialogue import Dialogue, Dropped
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, json_lines, read_with, turn_of_role
from segue.convert.formats.image_places import IMAGE, without_image_places
from segue.errors import InputError


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_lines(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue | Dropped]:
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
    """One record read back; a content may also be plain text.

    Raises:
        InputError: pictures stand inside the text, or a message has another form.
    """
    images = read_list(value.get("images") or [], "images")
    roles, texts = [], []
    for message in read_list(value["messages"], "messages"):
        roles.append(read_object(message, "a message")["role"])
        texts.append(_text_of(message["content"]))
    made = without_image_places(list(zip(roles, texts)), len(images))
    turns = [turn_of_role(role, text) for role, text in zip(roles, made, strict=True)]
    return Dialogue(str(value.get("id") or name), tuple(map(str, images)), tuple(turns))


def _text_of(content: Any) -> str:
    """The text of a content, `<image>` where a part is a picture."""
    if isinstance(content, str):
        return content
    parts = []
    for part in read_list(content, "a content"):
        kind = read_object(part, "a part")["type"]
        if kind not in ("image", "text"):
            raise InputError(f"a part of the type {kind!r} cannot be kept")
        parts.append(IMAGE if kind == "image" else read_string(part["text"], "text"))
    return "".join(parts)
