"""Talks about two and three pictures with the embedded models: each turn on the right picture."""

import json
from pathlib import Path

import pytest

import segue
from segue.chat.scripted import Scripted
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
