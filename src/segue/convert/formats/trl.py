"""Messages as TRL's SFTTrainer takes them for vision-language models.

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
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import (
    absolute_path,
    open_json_lines,
    read_records_of,
    turn_of_role,
)
from segue.convert.formats.image_placeholders import IMAGE_PLACEHOLDER, strip_image_placeholders
from segue.errors import InputError


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_lines(path, lambda dialogue: [to_record(dialogue)])


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format."""
    return read_records_of(path, to_dialogue)


def messages(dialogue: Dialogue) -> list[dict[str, Any]]:
    """Make the messages; the pictures are parts of the first question."""
    n_pending_images = len(dialogue.images)
    message_list = []
    for turn in dialogue.turns:
        parts: list[dict[str, str]] = []
        if turn.role == "user":
            parts, n_pending_images = [{"type": "image"}] * n_pending_images, 0
        message_list.append(
            {"role": turn.role, "content": [*parts, {"type": "text", "text": turn.text}]}
        )
    return message_list


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """Make one record of a dialogue."""
    images = [absolute_path(image) for image in dialogue.images]
    return {"id": dialogue.id, "messages": messages(dialogue), "images": images}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """Make a dialogue from one record; a content may also be plain text.

    Raises:
        InputError: pictures stand inside the text, or a message has another form.
    """
    images = read_list(value.get("images") or [], "images")
    roles, texts = [], []
    for message in read_list(value["messages"], "messages"):
        roles.append(read_object(message, "a message")["role"])
        texts.append(_text_of(message["content"]))
    clean_texts = strip_image_placeholders(list(zip(roles, texts)), len(images))
    turns = [turn_of_role(role, text) for role, text in zip(roles, clean_texts, strict=True)]
    return Dialogue(str(value.get("id") or name), tuple(map(str, images)), tuple(turns))


def _text_of(content: Any) -> str:
    """Return the text of a content, with `<image>` for each part that is a picture."""
    if isinstance(content, str):
        return content
    parts = []
    for part in read_list(content, "a content"):
        kind = read_object(part, "a part")["type"]
        if kind not in ("image", "text"):
            raise InputError(f"a part of the type {kind!r} cannot be kept")
        parts.append(IMAGE_PLACEHOLDER if kind == "image" else read_string(part["text"], "text"))
    return "".join(parts)
