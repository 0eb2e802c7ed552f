"""The JSON of the fine-tuning script published with Qwen-VL.

    {"id": …, "conversations": [
        {"from": "user", "value": "Picture 1: <img>path</img>\\nOutline the tram."},
        {"from": "assistant", "value": "<gsam>tram</gsam>"}]}

It knows two speakers only: a tool's report is written as the user's, after "Observation: ".
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from segue.annotations.fields import read_string
from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import (
    absolute_path,
    assistant_turn,
    open_json_list,
    read_records_of,
)
from segue.errors import InputError

OBSERVATION = "Observation: "
_PICTURE = re.compile(r"Picture \d+: ?<img>(.*?)</img>\n?", re.DOTALL)
_PICTURES = re.compile(rf"(?:{_PICTURE.pattern})*", re.DOTALL)


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_list(path, lambda dialogue: [to_record(dialogue)])


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format."""
    return read_records_of(path, to_dialogue)


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """Make one record of a dialogue."""
    image_prefix = "".join(
        f"Picture {number}: <img>{absolute_path(image)}</img>\n"
        for number, image in enumerate(dialogue.images, 1)
    )
    turns = []
    for turn in dialogue.turns:
        if turn.role == "assistant":
            turns.append({"from": "assistant", "value": turn.text})
            continue
        text = OBSERVATION + turn.text if turn.role == "tool" else turn.text
        if turn.role == "system":
            turns.append({"from": "system", "value": text})
            continue
        turns.append({"from": "user", "value": image_prefix + text})
        image_prefix = ""
    return {"id": dialogue.id, "conversations": turns}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """Make a dialogue from one record."""
    images: list[str] = []
    turns: list[DialogueTurn] = []
    for turn in value["conversations"]:
        speaker, text = turn["from"], read_string(turn["value"], "value")
        if speaker == "assistant":
            turns.append(assistant_turn(text))
        elif speaker == "system":
            turns.append(DialogueTurn("system", text))
        elif speaker == "user":
            image_match = _PICTURES.match(text)
            image_paths = _PICTURE.findall(image_match[0]) if image_match else []
            if image_paths and any(earlier.role == "user" for earlier in turns):
                raise InputError(f"a picture stands in a later turn: {text[:60]!r}")
            images += image_paths
            text = text[image_match.end() :] if image_match else text
            if "<img>" in text:
                raise InputError(f"a picture stands inside a sentence: {text[:60]!r}")
            tool = text.startswith(OBSERVATION)
            turns.append(
                DialogueTurn("tool", text[len(OBSERVATION) :])
                if tool
                else DialogueTurn("user", text)
            )
        else:
            raise ValueError(f"a turn is from {speaker!r}, expected 'user' or 'assistant'")
    return Dialogue(str(value.get("id") or name), tuple(images), tuple(turns))
