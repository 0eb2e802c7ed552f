"""The JSON of LLaVA, which LLaMA-Factory calls "sharegpt".

    {"id": …, "image": "path", "conversations": [
        {"from": "human", "value": "<image>\\nOutline the tram."},
        {"from": "gpt", "value": "<gsam>tram</gsam>"}]}

Several pictures stand in `images`. A tool's report comes from "observation".
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from segue.annotations.fields import read_list, read_object, read_string
from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord, TurnRole
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import (
    absolute_path,
    assistant_turn,
    open_json_list,
    read_records_of,
)
from segue.convert.formats.image_placeholders import strip_image_placeholders

_SPEAKERS: Mapping[TurnRole, str] = {
    "user": "human",
    "assistant": "gpt",
    "tool": "observation",
    "system": "system",
}
_ROLES: Mapping[str, TurnRole] = {
    **{speaker: role for role, speaker in _SPEAKERS.items()},
    "user": "user",
    "assistant": "assistant",
}


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_list(path, lambda dialogue: [to_record(dialogue)])


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format."""
    return read_records_of(path, to_dialogue)


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """Make one record of a dialogue."""
    image_paths = [absolute_path(image) for image in dialogue.images]
    value: dict[str, Any] = {"id": dialogue.id}
    if image_paths:
        value |= {"image": image_paths[0]} if len(image_paths) == 1 else {"images": image_paths}
    image_prefix = "<image>\n" * len(image_paths)
    turns = []
    for turn in dialogue.turns:
        text_prefix = ""
        if turn.role == "user":
            text_prefix, image_prefix = image_prefix, ""
        turns.append({"from": _SPEAKERS[turn.role], "value": text_prefix + turn.text})
    return value | {"conversations": turns}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """Make a dialogue from one record.

    Raises:
        InputError: pictures stand inside the text, or a turn has another form.
    """
    images = value.get("images", value.get("image")) or []
    images = [images] if isinstance(images, str) else read_list(images, "images")
    turn_objects = [
        read_object(turn, "a turn") for turn in read_list(value["conversations"], "turns")
    ]
    roles = [_ROLES[turn["from"]] for turn in turn_objects]
    role_texts = [
        (role, read_string(turn["value"], "value")) for role, turn in zip(roles, turn_objects)
    ]
    texts = strip_image_placeholders(role_texts, len(images))
    turns = [
        assistant_turn(text) if role == "assistant" else DialogueTurn(role, text)
        for role, text in zip(roles, texts, strict=True)
    ]
    return Dialogue(str(value.get("id") or name), tuple(map(str, images)), tuple(turns))
