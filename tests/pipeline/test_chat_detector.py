"""A chat model as a detector."""

import numpy as np

from segue.detect import Detection, Detector
from segue.pipeline.chat_detector import ChatDetector
from segue.values.box import Box
from segue.values.image import Image

IMAGE = Image.open(np.zeros((20, 30, 3), np.uint8))


def test_it_is_asked_once_for_each_phrase_as_the_caller_wrote_it():
    asked = []

    def ask(image, phrase):
        asked.append((image, phrase))
        return [Box(1, 2, 8, 9), Box(1, 2, 8, 9), Box(-5, 0, 50, 30)] if "Cat" in phrase else []

    detector = ChatDetector(ask, name="a chat model")
    assert isinstance(detector, Detector)
    found = detector.find(IMAGE, ["the Cat", "dog", "the Cat", " . "])
    assert asked == [(IMAGE, "the Cat"), (IMAGE, "dog")]
    assert found == [
        Detection("the Cat", Box(1, 2, 8, 9), 1.0),
        Detection("the Cat", Box(0, 0, 30, 20), 1.0),
    ]
