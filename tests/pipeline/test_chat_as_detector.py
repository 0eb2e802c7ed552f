"""A chat model as a detector, from the question to the boxes."""

import pytest

from builders import an_image
from segue.chat.scripted import Scripted
from segue.detect import Detector
from segue.errors import InputError
from segue.pipeline.chat_detector import chat_as_detector
from segue.values.box import Box

REPLIES = {
    "Find the dog in the picture.": "<ref>dog</ref><box>(0,0),(500,500)</box>",
    "框出图片中飞机的位置": "<ref>飞机</ref><box>(0,0),(250,500)</box><box>(500,0),(999,999)</box>",
    "Find the cow in the picture.": "There is no cow.",
    "Point: dog": "<box>(0,0),(1000,1000)</box>",
}


def test_each_phrase_is_asked_in_its_language_and_the_boxes_are_read():
    image = an_image()
    size = image.size
    detector = chat_as_detector(Scripted(REPLIES))
    assert isinstance(detector, Detector)
    found = detector.find(image, ["The dog.", "cow", "飞机"])
    assert [one.phrase for one in found] == ["The dog.", "飞机", "飞机"]
    assert found[0].box == Box(0, 0, size.width / 2, size.height / 2)
    assert found[2].box == Box(size.width / 2, 0, size.width * 0.999, size.height * 0.999)


def test_a_model_without_boxes_is_refused():
    with pytest.raises(InputError, match="gives no boxes"):
        chat_as_detector(Scripted(REPLIES), dialect="molmo")


def test_every_family_is_asked_in_its_own_form():
    image = an_image()
    asked = "Locate every instance that belongs to the following categories: dog. "
    asked += 'Report bbox coordinates in JSON: [{"bbox_2d": [x1, y1, x2, y2], "label": "…"}]'
    reply = '[{"bbox_2d": [0, 0, 500, 500], "label": "dog"}]'
    detector = chat_as_detector(Scripted({asked: reply}), dialect="qwen3_vl")
    (found,) = detector.find(image, ["the dog"])
    assert found.box == Box(0, 0, image.size.width / 2, image.size.height / 2)


def test_the_question_can_be_chosen():
    image = an_image()
    detector = chat_as_detector(Scripted(REPLIES), question="Point: {}")
    assert detector.find(image, ["dog"])[0].box == Box.whole(image.size)
