"""Answers in Qwen-VL's markup, said as other models say them."""

import json
from collections.abc import Callable

from segue.dialects import DIALECTS, BoxMention, DetectRequest, PlainText
from segue.values.box import Size

_QWEN2_VL = {
    "<ref>": "<|object_ref_start|>",
    "</ref>": "<|object_ref_end|>",
    "<box>": "<|box_start|>",
    "</box>": "<|box_end|>",
}
_GRID = Size(1000, 1000)


def say(text: str, dialect: str, seen: Callable[[], Size | None]) -> str | None:
    """An answer in another dialect; tags and words stay as they are.

    Args:
        text: in the dialect `qwen_vl`.
        dialect: what the model speaks.
        seen: the size at which the picture reaches the network.

    Returns:
        None where there are boxes and the dialect has no way here to write them: Qwen2-VL has
        special tokens for it; Qwen2.5-VL writes JSON in pixels of the picture it sees, Qwen3-VL
        on a grid of 1000. Tags and boxes in one answer cannot be said in JSON.

    Example:
        >>> say("<ref>cup</ref><box>(100,200),(300,999)</box>", "qwen3_vl", lambda: None)
        '```json\\n[{"bbox_2d": [100, 200, 300, 999], "label": "cup"}]\\n```'
    """
    events = list(DIALECTS.load("qwen_vl").read([text]))
    boxes = [event for event in events if isinstance(event, BoxMention)]
    if not boxes or dialect == "qwen_vl":
        return text
    if dialect == "qwen2_vl":
        for ours, theirs in _QWEN2_VL.items():
            text = text.replace(ours, theirs)
        return text
    size = {"qwen3_vl": lambda: _GRID, "qwen2_5_vl": seen}.get(dialect, lambda: None)()
    if size is None or any(isinstance(event, DetectRequest) for event in events):
        return None
    listed = [
        {
            "bbox_2d": [round(value) for value in event.box.to_box(size).corners],
            "label": event.phrase,
        }
        for event in boxes
    ]
    named = {event.phrase for event in boxes}
    words = "".join(event.text for event in events if isinstance(event, PlainText)).strip()
    spoken = "" if words in named or not words.strip(" ,.") else f"{words}\n"
    return f"{spoken}```json\n{json.dumps(listed, ensure_ascii=False)}\n```"
