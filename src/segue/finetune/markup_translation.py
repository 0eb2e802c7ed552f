"""Translation of answers from Qwen-VL's markup to that of other models."""

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


def translate_markup(
    text: str, dialect: str, network_size: Callable[[], Size | None]
) -> str | None:
    """Translate an answer to another dialect; tags and words stay as they are.

    Args:
        text: in the dialect `qwen_vl`.
        dialect: of the model.
        network_size: the size at which the picture reaches the network.

    Returns:
        None where boxes cannot be written in the dialect. Qwen2-VL has special tokens for boxes;
        Qwen2.5-VL writes JSON in pixels of the picture as the network sees it, Qwen3-VL
        on a grid of 1000. JSON cannot mix tags and boxes in one answer.

    Example:
        >>> answer = "<ref>cup</ref><box>(100,200),(300,999)</box>"
        >>> translate_markup(answer, "qwen3_vl", lambda: None)
        '```json\\n[{"bbox_2d": [100, 200, 300, 999], "label": "cup"}]\\n```'
    """
    events = list(DIALECTS.load("qwen_vl").read([text]))
    box_mentions = [event for event in events if isinstance(event, BoxMention)]
    if not box_mentions or dialect == "qwen_vl":
        return text
    if dialect == "qwen2_vl":
        for source_token, target_token in _QWEN2_VL.items():
            text = text.replace(source_token, target_token)
        return text
    box_frame = {"qwen3_vl": lambda: _GRID, "qwen2_5_vl": network_size}.get(dialect, lambda: None)()
    if box_frame is None or any(isinstance(event, DetectRequest) for event in events):
        return None
    box_records = [
        {
            "bbox_2d": [round(value) for value in event.box.to_box(box_frame).corners],
            "label": event.phrase,
        }
        for event in box_mentions
    ]
    box_phrases = {event.phrase for event in box_mentions}
    plain_text = "".join(event.text for event in events if isinstance(event, PlainText)).strip()
    text_before = (
        "" if plain_text in box_phrases or not plain_text.strip(" ,.") else f"{plain_text}\n"
    )
    return f"{text_before}```json\n{json.dumps(box_records, ensure_ascii=False)}\n```"
