"""Every format: what stands in the file, and that it can be read back."""

import json

import pytest

from segue.convert.dataset import read_dialogues
from segue.convert.dialogue import Dialogue, DialogueTurn, GroundTruth
from segue.convert.formats import FORMATS, detect_format
from segue.errors import InputError
from segue.values.box import Box, Size

BOX = "<ref>cat</ref><box>(100,200),(500,800)</box><box>(0,0),(10,10)</box>"
TURNS = (
    DialogueTurn("system", "Be brief."),
    DialogueTurn("user", "Cut out the dog\nand the 杯子."),
    DialogueTurn("assistant", "<gsam>dog</gsam>, <gsam>杯子</gsam>", "tag", ("dog", "杯子")),
    DialogueTurn("tool", '{"boxes": []}'),
    DialogueTurn("assistant", "Done."),
    DialogueTurn("user", "Where is the cat?"),
    DialogueTurn("assistant", f"{BOX}.", "box", ("cat",), GroundTruth((Box(6, 9, 32, 38),))),
)
DIALOGUE = Dialogue("d1", ("/p/a.jpg",), TURNS, "coco", "coco/a.jpg", "train", Size(48, 64))
TWO = Dialogue("d2", ("/p/a.jpg", "/p/b.jpg"), TURNS[1:3])
NONE = Dialogue("d3", (), (DialogueTurn("user", "Hello"), DialogueTurn("assistant", "Hello!")))
READABLE = [name for name in FORMATS if name != "questions"]


def written(tmp_path, name: str, *dialogues: Dialogue):
    file = tmp_path / f"train{FORMATS[name].suffix}"
    with FORMATS[name].open(file) as writer:
        for dialogue in dialogues:
            writer.write(dialogue)
    return file


def objects(file) -> list:
    text = file.read_text(encoding="utf-8")
    lines = text if file.suffix == ".json" else f"[{','.join(text.splitlines())}]"
    return json.loads(lines)


@pytest.mark.parametrize("name", READABLE)
def test_what_is_written_is_recognised_and_read_back(tmp_path, name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    file = written(tmp_path, name, DIALOGUE, TWO, NONE)
    assert detect_format(file) == name
    for before, after in zip(
        [DIALOGUE, TWO, NONE], FORMATS[name].read_dialogues(file), strict=True
    ):
        assert after.images == before.images
        assert after.id == before.id
        for old, new in zip(before.turns, after.turns, strict=True):
            assert (new.role, new.text, new.kind) == (old.role, old.text, old.kind)


@pytest.mark.parametrize("name", ["dialogues", "parquet"])
def test_our_own_formats_lose_nothing(tmp_path, name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    assert list(FORMATS[name].read_dialogues(written(tmp_path, name, DIALOGUE))) == [DIALOGUE]


@pytest.mark.parametrize("name", ["qwen-vl", "llava"])
def test_an_empty_list_is_a_list(tmp_path, name):
    assert objects(written(tmp_path, name)) == []


def test_qwen_vl_has_the_picture_in_the_first_question_only(tmp_path):
    (value,) = objects(written(tmp_path, "qwen-vl", TWO))
    assert value["conversations"][0] == {
        "from": "user",
        "value": "Picture 1: <img>/p/a.jpg</img>\nPicture 2: <img>/p/b.jpg</img>\n"
        "Cut out the dog\nand the 杯子.",
    }
    (value,) = objects(written(tmp_path, "qwen-vl", DIALOGUE))
    assert [turn["from"] for turn in value["conversations"]][3:5] == ["user", "assistant"]
    assert value["conversations"][3]["value"] == 'Observation: {"boxes": []}'


def test_llava_has_one_placeholder_a_picture(tmp_path):
    one, two, none = objects(written(tmp_path, "llava", DIALOGUE, TWO, NONE))
    assert one["image"] == "/p/a.jpg"
    assert two["images"] == ["/p/a.jpg", "/p/b.jpg"]
    assert not {"image", "images"} & none.keys()
    counts = [sum(t["value"].count("<image>") for t in v["conversations"]) for v in (one, two)]
    assert counts == [1, 2]
    assert one["conversations"][3]["from"] == "observation"


def test_trl_contents_are_lists_of_parts_throughout(tmp_path):
    (value,) = objects(written(tmp_path, "trl", TWO))
    assert value["messages"][0]["content"][:2] == [{"type": "image"}, {"type": "image"}]
    assert value["messages"][1]["content"] == [
        {"type": "text", "text": "<gsam>dog</gsam>, <gsam>杯子</gsam>"}
    ]
    assert all(isinstance(m["content"], list) for m in value["messages"])


def test_swift_boxes_are_objects_in_fractions(tmp_path):
    one, two = objects(written(tmp_path, "swift", DIALOGUE, TWO))
    assert one["messages"][-1]["content"] == "<ref-object><bbox><bbox>."
    assert one["objects"] == {
        "ref": ["cat"],
        "bbox": [[0.1, 0.2, 0.5, 0.8], [0.0, 0.0, 0.01, 0.01]],
        "bbox_type": "norm1",
        "image_id": [0, 0],
    }
    assert "objects" not in two
    assert two["messages"][0]["content"].startswith("<image><image>Cut")


def test_parquet_columns_are_plain(tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = parquet.read_table(written(tmp_path, "parquet", DIALOGUE, TWO, NONE))
    assert table.column("kind").to_pylist() == ["tag", "tag", "plain"]
    assert table.column("images").to_pylist()[1] == ["/p/a.jpg", "/p/b.jpg"]
    assert table.column("messages").to_pylist()[2][0]["content"] == [
        {"type": "text", "text": "Hello"}
    ]


def test_questions_leave_out_answers_that_follow_a_tool(tmp_path):
    values = objects(written(tmp_path, "questions", DIALOGUE, TWO, NONE))
    assert [(v["id"], v["expect"], v["phrases"]) for v in values] == [
        ("d1/1", "tag", ["dog", "杯子"]),
        ("d1/2", "box", ["cat"]),
    ]
    assert values[1]["history"] == [[TURNS[1].text, TURNS[2].text]]
    assert values[1]["boxes"] == [[6, 9, 32, 38]]
    assert values[0]["language"] == "zh"


def test_questions_take_boxes_from_the_answer_where_no_better_are_known(tmp_path):
    turns = (DialogueTurn("user", "Where?"), DialogueTurn("assistant", BOX, "box"))
    dialogue = Dialogue("d", ("/p/a.jpg",), turns, size=Size(height=100, width=200))
    (value,) = objects(written(tmp_path, "questions", dialogue))
    assert value["boxes"] == [[20, 20, 100, 80], [0, 0, 2, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"conversations": [{"from": "user"}]}]', "Record 1"),
        ('[{"conversations": [{"from": "human", "value": 3}]}]', "Record 1"),
        ('{"messages": [{"role": "user", "content": [3]}]}', "Record 1"),
        ('{"messages": [{"role": "assistant", "content": "<bbox>"}],'
         ' "objects": {"bbox": [[1, 2, 3, 4]]}}',
         "boxes in pixels"),
        ('{"messages": [{"role": "assistant", "content": "<bbox>"}]}', "Record 1"),
        ('{"words": 1}', "none of the known formats"),
        ("", "holds no record"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused(tmp_path, text, message):
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_dialogues(file))
