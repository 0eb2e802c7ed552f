"""What is pointed at again is the same region again."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import segue
from builders import a_region
from segue.chat.scripted import Scripted
from segue.conversation.register import ObjectRegister, object_overlap
from segue.detect.fixed import Fixed
from segue.export import annotated
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.region import Region

DOG = "<ref>dog</ref><box>(100,100),(500,500)</box>"
ZH_DOG = "<ref>狗</ref><box>(105,100),(505,500)</box>"
CAT = "<ref>cat</ref><box>(100,100),(500,500)</box>"
FAR_DOG = "<ref>dog</ref><box>(600,600),(900,900)</box>"


def talk(*replies, images=1, detector=None):
    assistant = segue.Assistant(Scripted(list(replies)), detector, BoxFill())
    return assistant.open(*[segue.Image.open(picture(n)) for n in range(images)])


def picture(shade):
    return np.full((100, 200, 3), shade, np.uint8)


def ask_all(conversation, count):
    return [conversation.ask(f"question {n}") for n in range(count)]


def test_an_object_keeps_its_id_and_collects_names_and_turns():
    conversation = talk(DOG, ZH_DOG, "words only", DOG)
    answers = ask_all(conversation, 4)
    assert [[r.id for r in answer.regions] for answer in answers] == [["r1"], ["r1"], [], ["r1"]]
    (region,) = conversation.regions
    assert (region.phrase, region.names, region.turns) == ("dog", ("dog", "狗"), (0, 1, 3))
    assert answers[1].regions[0].phrase == "狗"


def test_other_things_and_other_places_are_other_objects():
    conversation = talk(DOG, CAT, FAR_DOG)
    ask_all(conversation, 3)
    assert [region.id for region in conversation.regions] == ["r1", "r2", "r3"]


def test_the_same_place_on_another_picture_is_another_object():
    conversation = talk("Picture 1: " + DOG, "Picture 2: " + DOG, images=2)
    ask_all(conversation, 2)
    assert [(region.id, region.image) for region in conversation.regions] == [("r1", 0), ("r2", 1)]


def test_two_objects_of_one_answer_never_become_one():
    overlap = "<ref>dog</ref><box>(150,100),(550,500)</box>"
    conversation = talk(DOG + overlap, DOG + overlap)
    first, second = ask_all(conversation, 2)
    assert [r.id for r in first.regions] == [r.id for r in second.regions] == ["r1", "r2"]


def test_objects_found_together_go_to_those_that_fit_best():
    near, far = Box(10, 10, 50, 50), Box(20, 10, 60, 50)
    known = [Region("r1", "dog", near, "detector"), Region("r2", "dog", far, "detector")]
    register = ObjectRegister(known, (f"r{n}" for n in count(3)), 1)
    found = [Region("", "dog", far, "detector"), Region("", "dog", near, "detector")]
    assert [region.id for region in register.identify(found)] == ["r2", "r1"]


def test_a_mask_that_the_user_corrected_stays():
    conversation = talk(DOG, DOG)
    conversation.ask("first")
    corrected = conversation.update_region("r1", points=[(40, 40), (90, 90)], labels=[1, 0])
    events = list(conversation.stream("again"))
    (mask_event,) = [event for event in events if isinstance(event, segue.MaskReady)]
    assert mask_event.region.mask == corrected.mask
    assert conversation.region("r1").mask == corrected.mask
    assert conversation.region("r1").turns == (0, 1)


def test_a_region_of_the_user_is_an_object_too():
    conversation = talk(DOG)
    drawn = conversation.add_region(box=(20, 10, 100, 50), phrase="my dog")
    (region,) = conversation.ask("where?").regions
    assert (region.id, region.names, region.found_by) == (drawn.id, ("my dog", "dog"), "user")
    assert conversation.region(drawn.id).phrase == "my dog"


def test_a_new_name_by_the_user_stays_first():
    conversation = talk(DOG, DOG)
    conversation.ask("first")
    conversation.update_region("r1", phrase="Rex")
    conversation.ask("again")
    assert conversation.region("r1").phrase == "Rex"
    assert conversation.region("r1").names == ("Rex", "dog")


def test_undo_takes_a_mention_back():
    conversation = talk(DOG, ZH_DOG)
    ask_all(conversation, 2)
    conversation.undo()
    assert conversation.region("r1").names == ("dog",)
    conversation.redo()
    assert conversation.region("r1").names == ("dog", "狗")


def test_without_later_turns_an_object_is_as_it_was():
    conversation = talk(DOG, ZH_DOG, FAR_DOG)
    ask_all(conversation, 3)
    earlier = conversation.history.now.without_turns_from(1)
    (region,) = earlier.regions
    assert (region.names, region.turns) == (("dog",), (0,))
    assert region.box == conversation.answers[0].regions[0].box


def test_a_deleted_object_does_not_come_back_under_its_id():
    conversation = talk(DOG, DOG)
    conversation.ask("first")
    conversation.delete_region("r1")
    assert [r.id for r in conversation.ask("again").regions] == ["r2"]


def test_what_a_thought_pointed_at_can_be_pointed_at_again():
    conversation = talk(DOG, f"{DOG} hm</think>It is {DOG}")
    ask_all(conversation, 2)
    assert [region.id for region in conversation.regions] == ["r1"]


def test_one_object_is_exported_once():
    conversation = talk(DOG, ZH_DOG, FAR_DOG, DOG)
    ask_all(conversation, 4)
    (image,) = annotated(conversation.answers)
    assert [(r.id, r.phrase) for r in image.regions] == [("r1", "dog"), ("r2", "dog")]


def test_two_conversations_about_one_picture_share_no_object():
    answers = [talk(DOG).ask("x"), talk(DOG).ask("x")]
    (image,) = annotated(answers)
    assert len(image.regions) == 2


def test_the_detectors_instances_keep_their_ids():
    boxes = [(10, 10, 60, 60), (100, 10, 160, 60)]
    detector = Fixed({"dogs": boxes, "dog": boxes[::-1]})
    conversation = talk("<gsam>dogs</gsam>", "<gsam>dog</gsam>", detector=detector)
    first, second = ask_all(conversation, 2)
    assert [r.id for r in first.regions] == ["r1", "r2"]
    assert {r.id: r.box for r in second.regions} == {r.id: r.box for r in first.regions}


@pytest.mark.parametrize(
    ("names", "phrase", "iou", "same"),
    [
        (("dog",), "dog", 0.6, True),
        (("dog",), "dog", 0.4, False),
        (("dog",), "狗", 0.6, True),
        (("dog",), "cat", 0.99, False),
        (("gizmo",), "thing", 0.9, True),
        (("gizmo",), "thing", 0.7, False),
        (("dog",), "", 0.9, True),
    ],
)
def test_names_and_overlap_decide(names, phrase, iou, same):
    known = replace(a_region(), names=names, phrase=names[0], box=Box(0, 0, 100, 100), image=0)
    found = Region("", phrase, Box(0, 0, 100, 100 * iou), "chat")
    assert (object_overlap(known, found) is not None) is same


@given(
    st.lists(
        st.tuples(st.sampled_from(["dog", "狗", "cat"]), st.integers(0, 6), st.integers(0, 6)),
        max_size=12,
    )
)
def test_ids_are_unique_within_each_answer(mentions):
    register_ids = (f"r{n}" for n in count(1))
    regions: list[Region] = []
    for turn in range(3):
        register = ObjectRegister(regions, register_ids, turn)
        found = [
            Region("", phrase, Box(10 * x, 10 * y, 10 * x + 40, 10 * y + 40), "chat")
            for phrase, x, y in mentions
        ]
        identified = [register.identify([region])[0] for region in found]
        ids = [region.id for region in identified]
        assert len(set(ids)) == len(ids)
        known = {region.id: region for region in regions}
        regions = list({**known, **{region.id: region for region in identified}}.values())
    if mentions:
        assert all(region.turns[0] == 0 for region in regions[: len(mentions)])
