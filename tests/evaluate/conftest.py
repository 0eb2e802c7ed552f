"""Predictions without models."""

from collections.abc import Callable

import pytest

from builders import a_box, a_mask, a_region
from segue.evaluate.predictions import Prediction
from segue.evaluate.questions import Question
from segue.values.box import Box

Predict = Callable[..., Prediction]


@pytest.fixture
def predicted() -> Predict:
    """One prediction: the fields of its question and of itself, told apart by name."""

    def make(raw: str = "", **fields) -> Prediction:
        own = {
            name: fields.pop(name)
            for name in ("regions", "not_found", "broken", "finish", "error")
            if name in fields
        }
        question = Question(**{"id": "q", "image": "a.jpg", "text": "?", **fields})
        return Prediction(question, raw, **own)

    return make


@pytest.fixture
def region() -> Callable[..., object]:
    def make(found_by: str = "detector", box: Box | None = None, masked: bool = True):
        mask = a_mask(box or a_box()) if masked else None
        return a_region(box=box, found_by=found_by, mask=mask)

    return make
