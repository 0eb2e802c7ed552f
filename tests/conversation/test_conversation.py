"""What a person does to a conversation after the answer; asking itself is in test_assistant.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.conversation.editing import PREVIEW
from segue.conversation.session.read import resume
from segue.detect.fixed import Fixed
from segue.edit import Edit
from segue.errors import InputError, UnknownName
from segue.segment.box_fill import BoxFill
from segue.values.box import Box

PICTURE = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
REPLY = "<ref>飞机</ref><box>(100,100),(300,300)</box> <ref>dog</ref><box>(500,500),(900,900)</box>"


def a_talk(*replies: str):
    return Assistant(Scripted(list(replies or [REPLY] * 9)), Fixed({}), BoxFill()).open(PICTURE)


def asked():
    conversation = a_talk()
    conversation.ask("where?")
    return conversation


def state(conversation):
    return conversation.turns, conversation.regions, conversation.edits


def test_a_drawn_box_becomes_a_region_of_the_newest_picture():
    conversation = asked()
    region = conversation.add_region(box=Box(10, 10, 20, 30), phrase="wing")
    assert (region.id, region.phrase, region.found_by, region.image) == ("r3", "wing", "user", 0)
    assert region.mask.area == 200
    assert conversation.regions[-1] == region
    assert len(conversation.answers[0].regions) == 2


def test_clicks_alone_make_a_region_and_are_kept_with_it():
    region = a_talk().add_region(points=[(20, 20), (40, 40)], labels=[1, 0])
    assert region.clicks == ((20.0, 20.0, 1), (40.0, 40.0, 0))
    assert region.box == region.mask.box


def test_a_preview_keeps_nothing():
    conversation = asked()
    before = state(conversation)
    assert conversation.add_region(box=Box(0, 0, 5, 5), preview=True).id == PREVIEW
    assert conversation.update_region("r1", points=[(70, 50)], preview=True).box.x1 == 70
    conversation.edit(Edit("blur", ["r1"]), preview=True)
    assert state(conversation) == before
    assert conversation.add_region(box=Box(0, 0, 5, 5)).id == "r3"


def test_a_click_outside_its_box_widens_a_region():
    conversation = asked()
    before = conversation.region("r1")
    after = conversation.update_region("r1", points=[(60, 40), (1, 1)], labels=[1, 0])
    assert after.box == Box(before.box.x0, before.box.y0, 60, 40)
    assert (after.phrase, after.span) == (before.phrase, before.span)
    assert conversation.region("r1") == after


def test_renaming_keeps_the_mask():
    conversation = asked()
    mask = conversation.region("r1").mask
    assert conversation.update_region("r1", phrase="plane").mask == mask
    assert conversation.region("r1").phrase == "plane"


def test_deleting_a_region_takes_its_edits_along():
    conversation = asked()
    conversation.edit(Edit("blur", ["r1", "r2"]))
    conversation.edit(Edit("erase", ["r2"]))
    conversation.delete_region("r1")
    assert [region.id for region in conversation.regions] == ["r2"]
    assert [edit.operation for edit in conversation.edits] == ["erase"]


def test_merging_unites_masks_and_renames_edits():
    conversation = asked()
    areas = [region.mask.area for region in conversation.regions]
    conversation.edit(Edit("blur", ["r2"]))
    merged = conversation.merge_regions(["r1", "r2"], "both")
    assert (merged.id, merged.phrase, merged.mask.area) == ("r1", "both", sum(areas))
    assert conversation.regions == (merged,)
    assert [tuple(edit.regions) for edit in conversation.edits] == [("r1",)]


def test_what_does_not_fit_is_refused_and_changes_nothing():
    conversation = asked()
    before = state(conversation)
    with pytest.raises(UnknownName, match="Known: r1, r2"):
        conversation.delete_region("r9")
    with pytest.raises(InputError, match="box, or points"):
        conversation.add_region()
    with pytest.raises(InputError, match="no picture 3"):
        conversation.add_region(3, box=Box(0, 0, 5, 5))
    with pytest.raises(InputError, match="one label for each point"):
        conversation.add_region(points=[(1, 1)], labels=[1, 0])
    with pytest.raises(InputError, match="Nothing to change"):
        conversation.update_region("r1")
    with pytest.raises(InputError, match="at least two"):
        conversation.merge_regions(["r1", "r1"])
    with pytest.raises(InputError, match="no edit 0"):
        conversation.delete_edit(0)
    assert state(conversation) == before


CHANGES = {
    "ask": lambda c: c.ask("again"),
    "add": lambda c: c.add_region(box=Box(1, 1, 9, 9)),
    "rename": lambda c: c.update_region(c.regions[0].id, phrase="x" * len(c.regions)),
    "refine": lambda c: c.update_region(c.regions[0].id, points=[(30, 30)]),
    "delete": lambda c: c.delete_region(c.regions[-1].id),
    "merge": lambda c: c.merge_regions([region.id for region in c.regions[:2]]),
    "edit": lambda c: c.edit(Edit("recolour", [c.regions[0].id], {"colour": "red"})),
    "drop edit": lambda c: c.delete_edit(0),
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=8))
def test_every_change_is_undone_and_redone_exactly(tmp_path_factory, names):
    conversation = a_talk()
    states = [state(conversation)]
    for name in names:
        try:
            CHANGES[name](conversation)
        except (InputError, IndexError):
            continue
        states.append(state(conversation))
    for before in reversed(states[:-1]):
        assert conversation.undo() is not None
        assert state(conversation) == before
    assert conversation.undo() is None
    for after in states[1:]:
        assert conversation.redo() is not None
        assert state(conversation) == after
    assert conversation.redo() is None
    ids = [region.id for region in conversation.regions]
    assert len(ids) == len(set(ids))


def test_a_change_forgets_what_was_undone():
    conversation = asked()
    conversation.undo()
    conversation.add_region(box=Box(1, 1, 9, 9))
    assert conversation.redo() is None


def test_regions_that_are_made_during_a_reply_keep_their_names():
    conversation = a_talk()
    stream = conversation.stream("where?")
    next(stream)
    by_hand = conversation.add_region(box=Box(1, 1, 9, 9))
    for _ in stream:
        pass
    ids = [region.id for region in conversation.regions]
    assert by_hand.id in ids
    assert len(set(ids)) == 3


def test_a_picture_stays_when_its_question_is_undone_and_redone():
    conversation = asked()
    conversation.undo()
    conversation.add_images(np.zeros((5, 5, 3), np.uint8))
    assert len(conversation.images) == 2
    conversation.redo()
    assert len(conversation.turns[0][0].images) == 1
    assert len(conversation.ask("and this?").images) == 2


def test_corrections_come_back_with_the_session(tmp_path):
    conversation = asked()
    conversation.update_region("r1", phrase="plane", points=[(60, 40)])
    conversation.delete_region("r2")
    conversation.add_region(box=Box(1, 1, 9, 9))
    conversation.add_images(np.zeros((5, 5, 3), np.uint8))
    again = resume(conversation.save(tmp_path / "talk"), conversation.pipeline)
    assert state(again) == state(conversation)
    assert again.images == conversation.images
    assert again.add_region(0, box=Box(2, 2, 7, 7)).id == "r4"
    taken_back = [str(again.undo()) for _ in range(4)]
    assert taken_back == ["add r4", "add r3", "delete r2", "change r1"]
    assert again.regions == asked().regions


@pytest.mark.parametrize("wrong", [5, None, b"What?", ["What?"]])
def test_a_question_is_a_text(wrong):
    conversation = Assistant(chat=Scripted(["yes"])).open()
    for ask in (conversation.ask, conversation.stream, conversation.choose_route):
        with pytest.raises(InputError, match="A question is a text, got"):
            ask(wrong)


def test_an_edit_is_an_edit():
    conversation = Assistant().open(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"segue\.edit\.Edit, got 'blur'\. Write it as"):
        conversation.edit("blur", ["r1"])
    with pytest.raises(InputError, match="got None"):
        conversation.record_edit(None)
