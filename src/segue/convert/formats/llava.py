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
from segue.convert.dialogue import Dialogue, Dropped, Role, Turn
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, assistant, json_list, read_with
from segue.convert.formats.image_places import without_image_places

_SPEAKERS: Mapping[Role, str] = {
    "user": "human",
    "assistant": "gpt",
    "tool": "observation",
    "system": "system",
}
_ROLES: Mapping[str, Role] = {
    **{speaker: role for role, speaker in _SPEAKERS.items()},
    "user": "user",
    "assistant": "assistant",
}


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_list(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue | Dropped]:
    """Read a file of this format."""
    return read_with(path, to_dialogue)


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """One record."""
    images = [absolute(image) for image in dialogue.images]
    value: dict[str, Any] = {"id": dialogue.id}
    if images:
        value |= {"image": images[0]} if len(images) == 1 else {"images": images}
    waiting = "<image>\n" * len(images)
    turns = []
    for turn in dialogue.turns:
        shown = ""
        if turn.role == "user":
            shown, waiting = waiting, ""
        turns.append({"from": _SPEAKERS[turn.role], "value": shown + turn.text})
    return value | {"conversations": turns}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """One record read back.

    Raises:
        InputError: pictures stand inside the text, or a turn has another form.
    """
    images = value.get("images", value.get("image")) or []
    images = [images] if isinstance(images, str) else read_list(images, "images")
    spoken = [read_object(turn, "a turn") for turn in read_list(value["conversations"], "turns")]
    roles = [_ROLES[turn["from"]] for turn in spoken]
    said = [(role, read_string(turn["value"], "value")) for role, turn in zip(roles, spoken)]
    texts = without_image_places(said, len(images))
    turns = [
        assistant(text) if role == "assistant" else Turn(role, text)
        for role, text in zip(roles, texts, strict=True)
    ]
    return Dialogue(str(value.get("id") or name), tuple(map(str, images)), tuple(turns))
