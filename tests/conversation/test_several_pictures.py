"""Talks about two and three pictures with the embedded models: each turn on the right picture."""

import json
from pathlib import Path

import numpy as np
import pytest

import segue
from segue.chat.scripted import Scripted
from segue.detect import Detection
from segue.embedded.samples import sample

DIALOGUES = json.loads((Path(__file__).parent / "several_pictures.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def assistant():
    return segue.load("embedded", route="auto")


@pytest.mark.parametrize("number", range(len(DIALOGUES)))
def test_every_turn_is_about_the_picture_that_is_meant(assistant, number):
    scenes = [sample(name) for name in DIALOGUES[number]["pictures"]]
    conversation = assistant.open(*(scene.image for scene in scenes))
    for question, expected, name in DIALOGUES[number]["turns"]:
        answer = conversation.ask(question)
        if expected == "text":
            assert name in answer.text, (question, answer.text)
        elif expected is None:
            assert (answer.regions, len(answer.not_found)) == ((), 1), (question, answer)
        else:
            (region,) = answer.regions
            (truth,) = [o for o in scenes[expected].objects if o.english == name]
            assert region.image == expected, (question, region)
            assert region.box.iou(segue.Box(*truth.box)) > 0.5, (question, region)
            assert region.mask is not None


@pytest.mark.parametrize("route", ["box", "tag"])
@pytest.mark.parametrize(
    "question",
    [
        "Frame the airplane in picture 1.",
        "Where is the airplane in the first image?",
        "Segment the airplane in airport.png",
        "框出图1中飞机的位置",
        "框出第一张图里的飞机",
    ],
)
def test_both_routes_look_at_the_picture_that_is_named(assistant, question, route):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    (region,) = conversation.ask(question, route=route).regions
    assert region.image == 0
    assert region.box.iou(segue.Box(*sample("airport").objects[0].box)) > 0.5


def test_where_something_is_found_in_an_older_picture_is_said(assistant):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    answer = conversation.ask("Segment the airplane.")
    assert answer.notices == ("'airplane' is in picture 1 (airport.png), not in the newest.",)


def test_a_picture_that_does_not_exist_is_an_error_at_the_call(assistant):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    with pytest.raises(segue.InputError, match="There is no picture 3; the conversation has 2"):
        conversation.stream("Segment the airplane in picture 3.")
    assert conversation.turns == ()


def test_a_session_about_several_pictures_can_be_read_again(assistant, tmp_path):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    for question in ("Frame the airplane in picture 1.", "Is there a dog?", "Segment the airplane"):
        conversation.ask(question)
    conversation.save(tmp_path / "talk")
    replay = segue.replay(tmp_path / "talk", assistant)
    assert replay.differences == ()
    assert [r.id for r in replay.conversation.regions] == [r.id for r in conversation.regions]
    resumed = segue.resume(tmp_path / "talk", assistant)
    assert resumed.regions == conversation.regions


def test_a_picture_that_is_shown_again_is_the_same_picture_and_is_meant(assistant):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    copy = segue.Image(sample("airport").image.array, "another name.png")
    conversation.add_images(copy)
    assert len(conversation.images) == 2
    answer = conversation.ask("Segment the dog.")
    assert (answer.not_found, answer.regions) == (("dog",), ())  # it is in the other picture
    assert "picture 1 of the conversation, so it was not added again" in answer.notices[0]
    answer = conversation.ask("Segment the dog.")
    assert ([region.image for region in answer.regions], answer.notices) == ([1], ())


def test_the_newest_picture_shown_again_changes_nothing(assistant):
    conversation = assistant.open(sample("airport").image, sample("meadow").image)
    conversation.add_images(sample("meadow").image)
    assert len(conversation.images) == 2
    answer = conversation.ask("Segment the airplane.")
    assert [region.image for region in answer.regions] == [0]


def test_equal_pictures_that_are_shown_together_or_on_purpose_are_several(assistant):
    meadow = sample("meadow").image
    assert len(assistant.open(meadow, meadow).images) == 2
    assert len(assistant.open(meadow).add_images(meadow, again=True).images) == 2


def test_chat_models_of_many_pictures_are_told_which_one_is_shown_again():
    chat = Scripted(["A plane.", "Yes."])
    conversation = segue.Assistant(chat).open(sample("airport").image, sample("meadow").image)
    conversation.ask("What is it?")
    conversation.add_images(sample("airport").image).ask("Is it red?")
    assert conversation.turns[-1][0].text == "In picture 1: Is it red?"


def test_a_weak_find_in_the_newest_picture_does_not_hide_a_sure_one(assistant):
    conversation = assistant.open(sample("meadow").image, sample("table").image)
    answer = conversation.ask("Segment the sheep.")
    assert [region.image for region in answer.regions] == [0]
    (notice,) = answer.notices
    assert notice.startswith("'sheep' is in picture 1 (meadow.png), where it is likelier than in")
    answer = conversation.ask("Segment the sheep in picture 2.")
    assert [region.image for region in answer.regions] == [1]


class ByPicture:
    """A stand-in: the score of the one thing in each picture, by the picture's name."""

    name = "by picture"

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def find(self, image, phrases, box_threshold=None, text_threshold=None):
        self.asked.append(image.name)
        score = self.scores[image.name]
        box = segue.Box(0, 0, 2, 2)
        return [] if score is None else [Detection(phrases[0], box, score)]


@pytest.mark.parametrize(
    ("scores", "image", "asked", "said"),
    [
        ((0.9, 0.7), 1, 1, None),  # sure: the older one is not looked at
        ((0.9, 0.45), 0, 2, "likelier than in the newest (0.90, not 0.45)"),
        ((0.55, 0.45), 1, 2, None),  # not clearly likelier
        ((None, 0.45), 1, 2, None),
        ((0.3, None), 0, 2, "not in the newest"),
        ((0.9, 0.3, None), 0, 3, "not in the newest"),
        ((0.9, 0.7, 0.3), 1, 2, "likelier than in the newest (0.70, not 0.30)"),
    ],
)
def test_a_find_in_the_newest_picture_wins_unless_it_is_clearly_weaker(scores, image, asked, said):
    names = [f"{number}.png" for number in range(len(scores))]
    images = [
        segue.Image(np.full((4, 4, 3), number, np.uint8), name) for number, name in enumerate(names)
    ]
    detector = ByPicture(dict(zip(names, scores)))
    conversation = segue.Assistant(None, detector).open(*images)
    answer = conversation.ask("Segment the dog.", route="tag")
    assert [region.image for region in answer.regions] == [image]
    assert detector.asked == names[::-1][:asked]
    assert [said in notice for notice in answer.notices] == [True] * (said is not None)
