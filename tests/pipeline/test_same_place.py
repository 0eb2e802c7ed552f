"""One place under two names is said, in a conversation and without one."""

from dataclasses import replace

import numpy as np
import pytest

import segue
from builders import a_region
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.pipeline.answer import Notice
from segue.pipeline.same_place import better_of, same_place_notice, same_places
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.image import Image
from segue.values.presence import PresenceVerdict

PLACES = {"dog": [[10, 10, 50, 50, 0.9]], "cat": [[11, 10, 51, 50, 0.6]], "cup": [[60, 5, 80, 20]]}
NOTICE = "One place under two names: dog r1 and cat r2 (IoU 0.95). "


@pytest.fixture
def assistant():
    return segue.Assistant(Scripted(["words"] * 9), Fixed(PLACES), BoxFill(), route="auto")


def picture() -> Image:
    return Image.open(np.full((100, 100, 3), 90, "uint8"))


def notices(answer):
    return [notice for notice in answer.notices if notice.startswith("One place")]


def test_a_second_name_for_a_place_is_said_once_as_an_event(assistant):
    conversation = assistant.open(picture())
    conversation.ask("segment the dog", route="tag")
    conversation.ask("segment the cup", route="tag")
    events = list(conversation.stream("segment the cat", route="tag"))
    assert [e for e in events if isinstance(e, Notice) and e.text.startswith("One place")]
    assert notices(conversation.answers[0]) == notices(conversation.answers[1]) == []
    (sentence,) = notices(conversation.answers[2])
    assert sentence.startswith(NOTICE.replace("r2", "r3"))
    assert notices(conversation.ask("segment the cat", route="tag")) == []


def test_two_names_in_one_answer_are_said(assistant):
    (sentence,) = notices(assistant.open(picture()).ask("segment the dog and the cat", route="tag"))
    assert sentence.startswith(NOTICE)


def test_what_is_found_for_an_edit_or_marked_later_is_said(assistant):
    conversation = assistant.open(picture())
    conversation.ask("segment the dog", route="tag")
    assert notices(conversation.ask("blur the cat"))
    conversation.undo()
    assert notices(conversation.mark("cat"))


def test_without_a_conversation_it_is_said(assistant):
    _, sentences = assistant.segment_with_notices(picture(), "dog, cat, cup")
    assert len(sentences) == 1
    assert sentences[0].startswith(NOTICE)
    assert assistant.segment_with_notices(picture(), "dog, cup")[1] == []


def test_other_pictures_equal_names_and_regions_without_names_are_no_pairs():
    dog = a_region("r1", "dog")
    others = [
        replace(dog, id="r2"), replace(dog, id="r3", phrase="Dog"),
        replace(dog, id="r4", phrase=""),
        replace(dog, id="r5", phrase="cat", image=1),
        replace(dog, id="r6", phrase="cat", mask=None, box=Box(0, 0, 2, 2)),
    ]  # fmt: skip
    assert same_places([dog, *others]) == []
    assert same_place_notice([dog, *others], {"r1"}) is None


def test_the_likelier_name_is_better():
    dog = replace(a_region("r1", "dog"), score=0.5, verdict=PresenceVerdict(0.2, "absent"))
    cat = replace(dog, id="r2", phrase="cat", score=0.4, verdict=PresenceVerdict(0.8, "present"))
    (pair,) = same_places([dog, cat])
    assert better_of(pair) is cat
    (pair,) = same_places([replace(dog, found_by="user"), cat])
    assert better_of(pair).phrase == "dog"
