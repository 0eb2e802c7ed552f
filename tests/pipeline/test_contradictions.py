"""Words that say the opposite of what was found are pointed out, in one line."""

import pytest

import segue
from builders import an_image
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.pipeline.answer import Notice
from segue.presence import PresenceCalibration
from segue.presence.calibration import PresenceModel
from segue.segment.box_fill import BoxFill

SCORE_IS_PROBABILITY = PresenceModel(0.0, (1.0, 0.0, 0.0, 0.0))


def an_assistant(reply, score=0.9, *, calibrated=True):
    chat, detector = Scripted([reply] * 3), Fixed({"dog": [[8, 6, 24, 18, score]]})
    stages = {"chat": chat, "detect": detector, "segment": BoxFill()}
    names = {kind: getattr(stage, "name", None) for kind, stage in stages.items()}
    models = dict.fromkeys(("detector", "chat", "both"), SCORE_IS_PROBABILITY)
    return segue.Assistant(
        *stages.values(),
        box_threshold=0.5,
        calibration=PresenceCalibration(names, models) if calibrated else None,
        route="auto",
    )


def contradictions(answer):
    return [notice for notice in answer.notices if "contradict" in notice or "矛盾" in notice]


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize(
    ("question", "reply", "expected"),
    [
        ("Is there a cat?", "Yes, there is a cat.", "says that 'cat' is there, but it was not"),
        ("Is there a cat?", "Yes.", "says that 'cat' is there, but it was not found"),
        ("Is there a dog?", "There is no dog.", "says that 'dog' is not there, but it was found"),
        ("Is there a dog?", "No.", "says that 'dog' is not there, but it was found (r1"),
        ("图片里有猫吗?", "有一只猫。", "回答说有“猫”,但没有找到它"),
        ("How many cats are there?", "There are two cats.", "says that 'cats' is there, but"),
    ],
)
def test_a_contradiction_is_one_notice(question, reply, expected, calibrated):
    assistant = an_assistant(reply, calibrated=calibrated)
    events = list(assistant.open(an_image()).stream(question))
    answer = events[-1].answer
    (sentence,) = contradictions(answer)
    assert expected in sentence
    assert Notice(sentence) in events
    assert sentence in answer.to_json()["notices"]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("Is there a cat?", "There is no cat."),
        ("Is there a cat?", "I am not sure."),
        ("Is there a dog?", "Yes, a dog."),
        ("Segment the cat.", ""),
        ("What is it?", "It is a picture."),
    ],
)
def test_words_that_agree_or_say_nothing_are_no_contradiction(question, reply):
    assert contradictions(an_assistant(reply).open(an_image()).ask(question)) == []


def test_a_verdict_against_what_the_words_point_at_is_said():
    reply = "There is a <ref>dog</ref><box>(125,125),(375,375)</box>."
    assistant = an_assistant(reply)
    assistant.calibration = PresenceCalibration(
        assistant.calibration.names, {"chat": PresenceModel(-3.0, (0.0, 0.1, 0.0, 0.0))}
    )
    answer = assistant.open(an_image()).ask("What is it?")
    assert answer.regions[0].verdict.presence == "absent"
    (sentence,) = contradictions(answer)
    assert "says that 'dog' is there (r1), but the verdict is absent (5 %)" in sentence


def test_what_is_marked_later_is_compared_too():
    conversation = an_assistant("There is a cat.").open(an_image())
    assert contradictions(conversation.ask("What is it?")) == []
    assert contradictions(conversation.mark("cat"))
