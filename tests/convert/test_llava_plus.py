"""LLaVA-Plus records -> dialogues, one by one."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llava_plus_records import a_record, asked, said
from segue.convert.datasets.llava_plus import LlavaPlusOptions, convert_record, remove_coordinates
from segue.convert.datasets.llava_plus_record import read_image_name
from segue.convert.dialogue import Dialogue, DroppedRecord, has_markup
from segue.convert.image_files import ImageFiles
from segue.convert.json_records import read_records
from segue.errors import InputError


def turns(result: Dialogue | DroppedRecord) -> list[tuple[str, str]]:
    assert isinstance(result, Dialogue), result
    return [(turn.role, turn.text) for turn in result.turns]


@pytest.fixture
def sample(shared) -> list[dict[str, Any]]:
    return list(read_records(shared / "golden" / "llava_plus_sample.json"))


@pytest.fixture
def sample_files(sample, tmp_path) -> ImageFiles:
    """The pictures of the twelve sample records, under the names of train2017."""
    for record in sample:
        name = read_image_name(record).replace("COCO_train2014_", "")
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    return ImageFiles({"": [tmp_path]})


EXPECTED = [
    ("tag", ["<gsam>tram</gsam>"]),
    ("tag", ["<gsam>kite</gsam>"]),
    ("tag", ["<gsam>basket</gsam>, <gsam>blanket</gsam>"]),
    ("tag", ["<gsam>lighthouse</gsam>"]),
    ("tag", ["<gsam>red mug</gsam>"]),  # what follows is inpainting
    ("dropped", ["foreign tool: sam"]),
    ("absent", ["I could not see any submarine in this picture."]),
    ("plain", ["Probably autumn, because the leaves are orange."]),
    ("box", ["<ref>traffic cone</ref><box>(700,600),(800,900)</box>"]),
    ("dropped", ["foreign tool: stable-diffusion"]),
    ("tag", ["Someone walks a dog in the rain.", "<gsam>umbrella</gsam>, <gsam>dog</gsam>"]),
    ("tag", ["<ref>stove</ref><box>(100,100),(400,500)</box>", "<gsam>stove left</gsam>"]),
]


def test_the_twelve_sample_records_come_out_as_specified(sample, sample_files):
    for record, (kind, answers) in zip(sample, EXPECTED, strict=True):
        result = convert_record(record, sample_files)
        if isinstance(result, DroppedRecord):
            assert (kind, answers) == ("dropped", [f"{result.reason}: {result.detail}"])
            continue
        assert result.kind == kind
        assert [turn.text for turn in result.turns if turn.role == "assistant"] == answers
        for turn in result.turns:
            assert turn.role in ("user", "assistant")
            assert turn.role == "assistant" or not has_markup(turn.text)


def test_all_lines_of_a_question_are_kept(sample, sample_files):
    assert turns(convert_record(sample[2], sample_files))[0][1] == (
        "I am planning a picnic poster.\nSegment the basket and the blanket.\nKeep them separate."
    )


def test_ids_are_texts_and_stable(sample, sample_files, files):
    assert convert_record(sample[10], sample_files).id == "1699600000.100001"
    nameless = a_record(asked("Cut out the dog.", "dog"), unique_id=None)
    assert convert_record(nameless, files).id == convert_record(nameless, files).id != "None"


def test_tag_and_answer_are_joined_without_the_numbers_of_the_tool(files):
    record = a_record(asked("Cut it out.", "dog", summary="A dog at [0.1, 0.2, 0.5, 0.8]."))
    result = convert_record(record, files, LlavaPlusOptions(mode="tag+answer"))
    assert turns(result)[1] == ("assistant", "<gsam>dog</gsam>\nA dog.")
    assert "coordinates taken out of an answer" in result.notes


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("A tram located at [0.1, 0.2, 0.5, 0.8].", "A tram."),
        ("Two dogs with boxes [0.1, 0.2, 0.5, 0.8] and [0, 0, 1, 1] are there.",
         "Two dogs are there."),
        ("It is within the coordinates (0.1, 0.2), as asked.", "It is, as asked."),
        ("The list [a, b] and the year (1999) stay.", "The list [a, b] and the year (1999) stay."),
    ],
)  # fmt: skip
def test_numbers_of_the_tool_are_taken_out_of_answers(words, left):
    assert remove_coordinates(words) == left


def test_the_mode_tool_keeps_the_report_as_a_turn_of_its_own(files):
    result = convert_record(
        a_record(asked("Cut it out.", "dog")), files, LlavaPlusOptions(mode="tool")
    )
    assert [role for role, _ in turns(result)] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(result.turns[2].text)["phrases"] == ["dog"]


@pytest.mark.parametrize("mode", ["tag", "tag+answer", "mixed"])
def test_nothing_found_is_said_in_words(files, mode):
    record = a_record(asked("Cut out the yeti.", "yeti", boxes=(), summary="No yeti here."))
    result = convert_record(record, files, LlavaPlusOptions(mode=mode))
    assert (result.kind, turns(result)[1][1]) == ("absent", "No yeti here.")
    assert result.turns[1].phrases == ("yeti",)


def test_nothing_found_may_still_be_a_tag(files):
    record = a_record(asked("Cut out the yeti.", "yeti", boxes=()))
    result = convert_record(record, files, LlavaPlusOptions(absent="tag"))
    assert turns(result)[1][1] == "<gsam>yeti</gsam>"


@pytest.mark.parametrize(
    ("detections", "answer"),
    [("box", "<ref>dog</ref><box>(100,200),(500,800)</box>"), ("tag", "<gsam>dog</gsam>")],
)
def test_a_detector_alone_gives_boxes_or_tags(files, detections, answer):
    record = a_record(asked("Where is the dog?", "dog", tool="grounding_dino"))
    assert (
        turns(convert_record(record, files, LlavaPlusOptions(detections=detections)))[1][1]
        == answer
    )


def test_a_detector_alone_may_end_the_dialogue(files):
    record = a_record(asked("Where is the dog?", "dog", tool="grounding_dino"))
    result = convert_record(record, files, LlavaPlusOptions(detections="cut"))
    assert result == DroppedRecord("1699545382.42", "detection only", "grounding_dino")


def test_boxes_of_one_phrase_stand_together(files):
    boxes = [(0, 0, 0.1, 0.1), (0.5, 0.5, 0.6, 0.6), (0.2, 0.2, 0.3, 0.3)]
    record = a_record(
        asked("Where?", "dog . cat", tool="grounding_dino", boxes=boxes,
              phrases=["dog", "cat", "dog"])
    )  # fmt: skip
    assert turns(convert_record(record, files))[1][1] == (
        "<ref>dog</ref><box>(0,0),(100,100)</box><box>(200,200),(300,300)</box>, "
        "<ref>cat</ref><box>(500,500),(600,600)</box>"
    )


def test_a_dialogue_ends_before_a_foreign_tool_and_says_so(files):
    record = a_record(
        asked("Cut out the dog.", "dog"),
        asked("Paint it blue.", None, tool="inpainting"),
        said("Thanks!", "You are welcome."),
    )
    result = convert_record(record, files)
    assert len(result.turns) == 2
    assert result.notes == ("cut short: foreign tool: inpainting",)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (a_record(), "no question in it"),
        ({"unique_id": "1", "image": "a.jpg"}, "no question in it"),
        (a_record(said("<image>", "A dog.")), "question without words"),
        (a_record(said("What is it?", " ")), "question without an answer"),
        (a_record(asked("Cut it out.", None)), "no phrase to look for"),
        (a_record(asked("Cut it out.", " . ")), "no phrase to look for"),
        (a_record(asked("Edit it.", None, tool="openseed")), "foreign tool"),
        (a_record(said("What is it?", "A dog."), image=None), "names no picture"),
        (a_record(said("What is it?", "A dog."), image="b.jpg"), "picture not found"),
        (a_record(said("What is it?", "A dog."), image="../b.jpg"),
         "picture name leads outside its folder"),
        (a_record(asked("Where?", "dog", tool="grounding_dino", output="{'boxes': 1}")),
         "boxes not reported"),
    ],
)  # fmt: skip
def test_every_reason_to_drop_a_record_has_a_name(files, record, reason):
    result = convert_record(record, files)
    assert isinstance(result, DroppedRecord)
    assert result.reason == reason


def test_parameters_that_went_through_arrow_are_read(files):
    record = a_record(asked("Cut it out.", "dog"))
    action = record["conversations"][1]["actions"][0]
    action["API_params"] = json.dumps(action["API_params"])
    assert turns(convert_record(record, files))[1][1] == "<gsam>dog</gsam>"


def test_an_output_without_an_action_is_not_taken_for_a_question(files):
    record = a_record(said("What is it?", "A dog."), asked("Cut it out.", "dog"))
    record["conversations"][3]["actions"] = None
    result = convert_record(record, files)
    assert [text for _, text in turns(result)] == ["What is it?", "A dog."]
    assert result.notes == ("cut short: tool output without a call",)


def test_a_question_right_behind_a_call_stays_a_question(files):
    called = asked("Cut it out.", "dog")[:2]
    result = convert_record(a_record(called, said("And what breed is it?", "A poodle.")), files)
    assert [text for _, text in turns(result)] == [
        "Cut it out.", "<gsam>dog</gsam>", "And what breed is it?", "A poodle.",
    ]  # fmt: skip


def test_questions_in_a_row_become_one(files):
    record = a_record([{"from": "human", "value": "Hello."}], said("What is it?", "A dog."))
    assert turns(convert_record(record, files))[0] == ("user", "Hello.\nWhat is it?")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)
TURN = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "robot"]) | JSON},
    optional={"value": JSON, "actions": JSON | st.lists(
        st.fixed_dictionaries({"API_name": JSON, "API_params": JSON}), max_size=2
    )},
)  # fmt: skip


@given(
    st.fixed_dictionaries(
        {"conversations": st.lists(TURN | JSON, max_size=5)},
        optional={"image": JSON, "unique_id": JSON, "data_source": JSON, "id": JSON},
    )
)
@settings(deadline=None, max_examples=25)
def test_nothing_in_a_record_raises(value):
    result = convert_record(value, ImageFiles({}))
    assert isinstance(result, DroppedRecord)


def test_options_outside_their_choices_are_refused():
    with pytest.raises(InputError, match="mode must be one of"):
        LlavaPlusOptions(mode="tags")
