"""Requests about known objects: answered from the register, each one step that can be undone."""

import numpy as np
import pytest

import segue
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.pipeline.answer import Done
from segue.segment.box_fill import BoxFill
from segue.values.image import Image

DOGS = [[10, 40, 50, 90, 0.9], [140, 30, 190, 95, 0.8]]
PLACES = {
    "dog": DOGS,
    "dogs": DOGS,
    "cat": [[80, 50, 110, 80, 0.9]],
}


def picture() -> Image:
    array = np.full((100, 200, 3), 128, np.uint8)
    array[40:90, 10:50] = (200, 20, 20)
    array[30:95, 140:190] = (20, 20, 220)
    array[50:80, 80:110] = (250, 250, 250)
    return Image(array, "pets.png")


@pytest.fixture
def conversation():
    assistant = segue.Assistant(Scripted(["words"] * 50), Fixed(PLACES), BoxFill(), route="auto")
    return assistant.open(picture())


def found(conversation, *questions):
    for question in questions or ("segment the dogs", "segment the cat"):
        conversation.ask(question)
    return conversation


def ids(answer):
    return [region.id for region in answer.regions]


def edits(conversation):
    return [(e.operation, list(e.regions), dict(e.parameters)) for e in conversation.edits]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("the left one", ["r1"]),
        ("segment the other two", ["r1", "r2"]),
        ("Show me the red one, please.", ["r1"]),
        ("where is it?", ["r3"]),
        ("mark all but the cat", ["r1", "r2"]),
        ("圈出最右边那个", ["r2"]),
        ("白色的在哪里?", ["r3"]),
        ("segment the blue dog", ["r2"]),
        ("number 2", ["r2"]),
    ],
)
def test_what_is_known_is_pointed_at_without_a_model(conversation, question, expected):
    found(conversation)
    assert conversation.choose_route(question).route == "register"
    answer = conversation.ask(question)
    assert ids(answer) == expected
    assert answer.from_register
    assert all(answer.text[slice(*region.span)] in ("dog", "cat") for region in answer.regions)
    assert {region.turns[-1] for region in answer.regions} == {2}
    assert [region.id for region in conversation.regions] == ["r1", "r2", "r3"]


@pytest.mark.parametrize(
    ("question", "expected", "text"),
    [
        ("Which one is on the left?", ["r1"],
         "That is dog r1 (the leftmost of 3, measured on the masks)."),
        ("which is bigger, the cat or the left dog?", ["r1"],
         "That is dog r1 (the largest of 2, measured on the masks)."),
        ("Which dog is smaller?", ["r1"],
         "That is dog r1 (the smallest of 2, measured on the masks)."),
        ("哪个最大?", ["r2"], "是dog r2(3个里最大的,按掩膜测量)。"),
        ("Which one is at the bottom?", ["r1", "r2", "r3"],
         "About equal: dog r1, dog r2 and cat r3 (measured on the masks)."),
    ],
)  # fmt: skip
def test_places_and_sizes_of_known_objects_are_read_from_their_masks(
    conversation, question, expected, text
):
    found(conversation)
    answer = conversation.ask(question)
    assert (ids(answer), answer.text, answer.choices) == (expected, text, ())
    assert answer.from_register


@pytest.mark.parametrize("question", ["Which one is bigger?", "哪个更大?", "Which dog is bigger?"])
def test_a_comparison_of_fewer_than_two_known_objects_goes_to_the_chat_model(
    conversation, question
):
    found(conversation, "segment the cat")
    assert conversation.choose_route(question).route != "register"


def test_an_edit_of_the_background_needs_an_object(conversation):
    answer = conversation.ask("blur the background")
    assert answer.text == "No object has been found yet, so nothing was changed."
    assert not conversation.edits


@pytest.mark.parametrize(
    "question",
    ["What is it?", "segment the dog", "segment all the dogs", "Is there a dog?", "你好"],
)
def test_what_may_be_new_goes_to_the_models(conversation, question):
    found(conversation)
    assert conversation.choose_route(question).route != "register"


@pytest.mark.parametrize("route", ["reply", "box", "tag"])
def test_only_the_route_auto_answers_from_the_register(conversation, route):
    found(conversation)
    if route == "tag":
        with pytest.raises(segue.InputError, match="names nothing"):
            conversation.choose_route("the left one", route)
    else:
        assert conversation.choose_route("the left one", route).route == route


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("blur the left dog", ("blur", ["r1"], {})),
        ("blur all but the cat", ("blur", ["r3"], {"where": "rest"})),
        ("make it red", ("recolour", ["r3"], {"colour": "red"})),
        ("paint the red one dark green", ("recolour", ["r1"], {"colour": "darkgreen"})),
        ("make both dogs grey", ("recolour", ["r1", "r2"], {})),
        ("remove the other two", ("erase", ["r1", "r2"], {})),
        ("cut out the cat", ("cut_out", ["r3"], {})),
        ("make the background white", ("background", ["r1", "r2", "r3"], {"colour": "white"})),
        ("把左边那个变成蓝色", ("recolour", ["r1"], {"colour": "blue"})),
        ("blur the background", ("blur", ["r1", "r2", "r3"], {"where": "rest"})),
        ("make the background grey", ("background", ["r1", "r2", "r3"], {"colour": "grey"})),
        ("把背景虚化", ("blur", ["r1", "r2", "r3"], {"where": "rest"})),
        ("把除了猫以外的都擦掉", ("erase", ["r1", "r2"], {})),
    ],
)
def test_an_edit_is_made_and_undone_as_one_step(conversation, request_text, expected):
    found(conversation)
    before = conversation.history.now
    answer = conversation.ask(request_text)
    assert edits(conversation) == [expected]
    assert ids(answer) == expected[1]
    conversation.edited_image()
    conversation.undo()
    assert conversation.history.now is before


def test_what_an_edit_needs_is_found_first(conversation):
    answer = conversation.ask("blur the cat")
    assert (ids(answer), edits(conversation)) == (["r1"], [("blur", ["r1"], {})])
    answer = conversation.ask("remove the elephant")
    assert answer.not_found == ("elephant",)
    assert "nothing was changed" in answer.text
    assert len(conversation.edits) == 1


def test_what_was_spoken_of_before_stays_so_while_something_is_found(conversation):
    found(conversation, "segment the dogs", "the left one")
    answer = conversation.ask("blur all but it and the cat")
    assert edits(conversation) == [("blur", ["r1", "r3"], {"where": "rest"})]
    assert answer.text == "Blurred everything but dog r1 and cat r3 (as named)."


def test_an_answer_is_wholly_in_the_language_of_the_question(conversation):
    found(conversation)
    assert conversation.ask("把the left one变成红色").text == "已改变颜色:dog r1(3个里最左边的)。"
    assert conversation.ask("Undo that.").text == "Undone: 把the left one变成红色."
    conversation.ask("Blur it.")
    assert conversation.ask("Undo that.").text == "Undone: Blur it."


def test_a_choice_is_offered_and_the_answer_finishes_the_request(conversation):
    found(conversation, "segment the dogs")
    answer = conversation.ask("blur the dog")
    assert answer.choices == ("r1", "r2")
    assert answer.text == "Which one do you mean? dog r1 (left) or dog r2 (right)."
    assert not conversation.edits
    assert conversation.ask("it").choices == ("r1", "r2")
    answer = conversation.ask("the right one")
    assert (ids(answer), answer.choices) == (["r2"], ())
    assert edits(conversation) == [("blur", ["r2"], {})]


@pytest.mark.parametrize(
    ("request_text", "choice", "expected"),
    [
        ("erase all but the dog", "1", ("erase", ["r2", "r3"], {})),
        ("blur the dog and the cat", "左边那个", ("blur", ["r1", "r3"], {})),
        ("blur everything except the dog", "number 2", ("blur", ["r2"], {"where": "rest"})),
    ],
)
def test_a_choice_inside_a_longer_expression(conversation, request_text, choice, expected):
    found(conversation)
    assert conversation.ask(request_text).choices == ("r1", "r2")
    conversation.ask(choice)
    assert edits(conversation) == [expected]


def test_another_question_leaves_a_choice_alone(conversation):
    found(conversation, "segment the dogs")
    conversation.ask("blur the dog")
    assert conversation.ask("What is this?").text == "words"
    assert conversation.ask("the right one").regions[0].id == "r2"
    assert not conversation.edits


def test_undo_that_takes_back_one_change_and_leaves_what_came_later(conversation):
    found(conversation, "segment the dogs")
    conversation.ask("blur the left one")
    conversation.ask("make the right one green")
    assert conversation.ask("undo that").text == "Undone: make the right one green."
    assert conversation.ask("undo that").text == "Undone: blur the left one."
    assert not conversation.edits
    assert conversation.ask("redo that").text == "Redone: blur the left one."
    assert edits(conversation) == [("blur", ["r1"], {})]
    conversation.ask("segment the cat")
    assert conversation.ask("撤销").text == "已撤销:segment the cat。"
    assert [region.id for region in conversation.regions] == ["r1", "r2"]
    assert edits(conversation) == [("blur", ["r1"], {})]


def test_undo_that_with_nothing_to_undo_says_so(conversation):
    assert conversation.ask("undo that").text == "There is nothing to undo."
    assert conversation.ask("redo").text == "There is nothing to redo."


def test_regions_are_deleted_merged_and_renamed(conversation):
    found(conversation)
    conversation.ask("call the cat Tom")
    assert conversation.region("r3").phrase == "Tom"
    assert ids(conversation.ask("segment it")) == ["r3"]
    conversation.ask("merge the two dogs")
    assert [region.id for region in conversation.regions] == ["r1", "r3"]
    assert conversation.region("r1").mask.area == 40 * 50 + 50 * 65
    conversation.ask("delete the mask of Tom")
    assert [region.id for region in conversation.regions] == ["r1"]
    conversation.ask("undo that")
    assert {region.id for region in conversation.regions} == {"r1", "r3"}


def test_merging_one_region_is_refused_and_changes_nothing(conversation):
    found(conversation)
    before = conversation.history.now
    with pytest.raises(segue.InputError, match="at least two"):
        conversation.ask("merge the cat")
    assert conversation.history.now is before


def test_a_named_picture_is_the_one_that_is_meant(conversation):
    found(conversation, "segment the dogs")
    conversation.add_images(Image(np.zeros((100, 200, 3), np.uint8), "other.png"))
    found(conversation, "segment the cat")
    assert {region.image for region in conversation.ask("the left one").regions} == {1}
    assert ids(conversation.ask("the left one in picture 1")) == ["r1"]
    assert ids(conversation.ask("the right one")) == ["r2"]


def test_a_saved_session_still_knows_the_open_choice(conversation, tmp_path):
    found(conversation, "segment the dogs")
    conversation.ask("blur the dog")
    reopened = segue.resume(conversation.save(tmp_path / "session"), conversation.pipeline)
    reopened.ask("the right one")
    assert edits(reopened) == [("blur", ["r2"], {})]
    reopened.ask("undo that")
    assert not reopened.edits


def test_replaying_a_session_keeps_what_the_register_answered(conversation, tmp_path):
    found(conversation, "segment the dogs")
    conversation.ask("the right one")
    conversation.ask("blur it")
    folder = conversation.save(tmp_path / "session")
    replayed = segue.replay(folder, conversation.pipeline)
    assert replayed.differences == ()
    assert edits(replayed.conversation) == [("blur", ["r2"], {})]


def test_the_events_are_those_of_any_answer(conversation):
    found(conversation, "segment the dogs")
    *events, done = conversation.stream("the left one")
    assert [type(event).__name__ for event in events] == ["TextAdded", "RegionFound", "MaskReady"]
    assert isinstance(done, Done)


def test_an_expression_can_be_resolved_without_asking(conversation):
    found(conversation)
    assert conversation.resolve("the red one").ids == ("r1",)
    assert conversation.resolve("the dog").choices == ("r1", "r2")
    assert conversation.resolve("what?").ids == ()
    assert len(conversation.turns) == 2
