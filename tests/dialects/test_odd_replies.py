"""Replies as models really write them: after public reports and model cards, in words of our own.

Each is read from question to answer on a picture of 1000 x 1000 pixels, so that a grid, pixels and
per mille are the same numbers. "boxes" are phrase, x0, y0, x1, y1; "points" phrase, x, y.
"""

import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.dialects.recognition.recognize import dialect_of
from segue.pipeline.answer import Answer

CASES = json.loads(Path(__file__).with_name("odd_replies.json").read_text(encoding="utf-8"))
PICTURE = PIL.Image.new("RGB", (1000, 1000), "gray")


def answered(case: dict[str, Any]) -> Answer:
    name = case.get("model")
    dialect = dialect_of(name=name).dialect if name else case["dialect"]
    assistant = Assistant(Scripted([case["reply"]]), dialect=dialect)
    return assistant.open(PICTURE).ask(case.get("question", "Where is it?"))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_an_odd_reply_is_read_as_it_is_meant(case: dict[str, Any]) -> None:
    answer = answered(case)
    boxes = [[r.phrase, *r.box.corners] for r in answer.regions if r.point is None]
    points = [[r.phrase, *r.point] for r in answer.regions if r.point is not None]
    assert [box[0] for box in boxes] == [box[0] for box in case.get("boxes", ())]
    for found, true in zip(boxes, case.get("boxes", ()), strict=True):
        assert found[1:] == pytest.approx(true[1:], abs=1)
    assert [point[0] for point in points] == [point[0] for point in case.get("points", ())]
    for found, true in zip(points, case.get("points", ()), strict=True):
        assert found[1:] == pytest.approx(true[1:], abs=1)
    if "absent" in case:
        assert list(answer.not_found) == case["absent"]
    if "text" in case:
        assert answer.text == case["text"]
    assert all(words in answer.text for words in case.get("shows", ()))
    assert not any(words in answer.text for words in case.get("hides", ()))


def test_the_cases_speak_every_dialect() -> None:
    spoken = {case.get("dialect") for case in CASES}
    assert spoken >= {
        *("qwen_vl", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl", "glm_v", "deepseek_vl2"),
        *("paligemma", "florence2", "kosmos2", "molmo", "gemini", "moondream", "auto"),
    }
