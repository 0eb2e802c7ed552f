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
from segue.convert.dialogue import Dialogue, Dropped, Turn
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, assistant, json_list, read_with
from segue.errors import InputError

OBSERVATION = "Observation: "
_PICTURE = re.compile(r"Picture \d+: ?<img>(.*?)</img>\n?", re.DOTALL)
_PICTURES = re.compile(rf"(?:{_PICTURE.pattern})*", re.DOTALL)


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_list(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue | Dropped]:
    """Read a file of this format."""
    return read_with(path, to_dialogue)


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """One record."""
    shown = "".join(
        f"Picture {number}: <img>{absolute(image)}</img>\n"
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
        turns.append({"from": "user", "value": shown + text})
        shown = ""
    return {"id": dialogue.id, "conversations": turns}


def to_dialogue(value: Mapping[str, Any], name: str) -> Dialogue:
    """One record read back."""
    images: list[str] = []
    turns: list[Turn] = []
    for turn in value["conversations"]:
        speaker, text = turn["from"], read_string(turn["value"], "value")
        if speaker == "assistant":
            turns.append(assistant(text))
        elif speaker == "system":
            turns.append(Turn("system", text))
        elif speaker == "user":
            front = _PICTURES.match(text)
            found = _PICTURE.findall(front[0]) if front else []
            if found and any(earlier.role == "user" for earlier in turns):
                raise InputError(f"a picture stands in a later turn: {text[:60]!r}")
            images += found
            text = text[front.end() :] if front else text
            if "<img>" in text:
                raise InputError(f"a picture stands inside a sentence: {text[:60]!r}")
            tool = text.startswith(OBSERVATION)
            turns.append(Turn("tool", text[len(OBSERVATION) :]) if tool else Turn("user", text))
        else:
            raise ValueError(f"a turn is from {speaker!r}, expected 'user' or 'assistant'")
    return Dialogue(str(value.get("id") or name), tuple(images), tuple(turns))
