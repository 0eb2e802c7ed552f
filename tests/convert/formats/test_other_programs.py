"""Training files as their own programs document them."""

import json

import PIL.Image
import pytest

from segue.convert.check import check_dataset
from segue.convert.dataset import read_dialogues, read_records_tolerantly
from segue.convert.dialogue import DroppedRecord
from segue.errors import InputError


@pytest.fixture
def picture(tmp_path, monkeypatch):
    PIL.Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    return "a.png"


def swift(question, answer, ref=(), bbox=(), kind="norm1", images=("a.png",), **objects) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    given = {"ref": list(ref), "bbox": list(bbox), **objects}
    if kind:
        given["bbox_type"] = kind
    return {"messages": messages, "images": list(images), "objects": given}


def only(tmp_path, *records, name=None):
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return list(read_records_tolerantly(file, name))


BOX = [0.1, 0.1, 0.3, 0.4]


@pytest.mark.parametrize(
    ("question", "answer", "ref", "count", "texts"),
    [
        ("<image>Find it", "<ref-object><bbox>", ["cow"], 1,
         ("Find it", "<ref>cow</ref><box>(100,100),(300,400)</box>")),
        ("<image>Find the <ref-object>", "<bbox>", ["cow"], 1,
         ("Find the cow", "<ref>cow</ref><box>(100,100),(300,400)</box>")),
        ("<image>Find the <ref-object>", "<bbox><bbox>", ["cow"], 2,
         ("Find the cow", "<ref>cow</ref>" + 2 * "<box>(100,100),(300,400)</box>")),
        ("<image>The <ref-object> and the <ref-object>?", "<ref-object><bbox>",
         ["sheep", "dog", "cow"], 1,
         ("The sheep and the dog?", "<ref>cow</ref><box>(100,100),(300,400)</box>")),
        ("<image>The <ref-object> and the <ref-object>?", "<bbox>, <bbox>", ["sheep", "dog"], 2,
         ("The sheep and the dog?",
          "<ref>sheep</ref><box>(100,100),(300,400)</box>, "
          "<ref>dog</ref><box>(100,100),(300,400)</box>")),
    ],
)  # fmt: skip
def test_swift_names_and_boxes_are_filled_in_in_either_turn(
    tmp_path, picture, question, answer, ref, count, texts
):
    (dialogue,) = only(tmp_path, swift(question, answer, ref, [BOX] * count))
    assert tuple(turn.text for turn in dialogue.turns) == texts


@pytest.mark.parametrize("kind", [None, "real"])
def test_swift_boxes_are_pixels_where_nothing_else_is_said(tmp_path, picture, kind):
    record = swift("<image>Find", "<ref-object><bbox>", ["cow"], [[16, 12, 32, 24]], kind)
    (dialogue,) = only(tmp_path, record)
    assert dialogue.turns[1].text == "<ref>cow</ref><box>(250,250),(500,500)</box>"


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (swift("<image>x", "<ref-object><bbox>", [], [BOX]), "<ref-object> number 1 has no name"),
        (swift("<image>x", "<ref-object><bbox>", ["cow"]), "<bbox> number 1 has no box"),
        (swift("<image>x", "<bbox>", ["cow"], [BOX]), "1 names and 0 boxes of objects have no"),
        (swift("<image>In <bbox>?", "A cow.", [], [BOX]), "a question points with a box"),
        (swift("<image><ref-object> <ref-object> <ref-object>", "<bbox><bbox>", ["a", "b", "c"],
               [BOX, BOX]), "2 boxes answer 3 names"),
        (swift("<image>x", "<bbox>", [], [[6, 5, 20, 20]]), "is bbox_type right"),
        (swift("<image>x", "<bbox>", [], [[600, 5, 700, 20]], None), "is bbox_type right"),
        (swift("<image>x", "<bbox>", [], [BOX], "polar"), "bbox_type is 'polar'"),
        (swift("<image>x", "<bbox>", [], [[6, 5, 20, 20]], None, ("none.png",)), "does not open"),
        (swift("<image>x", "<bbox>", [], [[0.1, 0.1, 0.1, 0.1]]), "has no area"),
        (swift("Compare <image> with <image>", "x", images=("a.png",) * 2), "inside a sentence"),
        (swift("<image><image>x", "x"), "2 <image> placeholders and 1 picture"),
    ],
)  # fmt: skip
def test_swift_records_that_would_teach_holes_are_dropped(tmp_path, picture, record, detail):
    (dropped,) = only(tmp_path, record, name="swift")
    assert isinstance(dropped, DroppedRecord)
    assert detail in dropped.detail
    assert dropped.id == "Record 1 of x.jsonl"


def llava(*turns, images=("a.png",)) -> dict:
    spoken = [{"from": speaker, "value": text} for speaker, text in turns]
    return {"conversations": spoken, "images": list(images)}


@pytest.mark.parametrize(
    ("turns", "images", "question"),
    [
        ([("human", "<image>\nWhat?"), ("gpt", "A dog.")], 1, "What?"),
        ([("human", "What?\n<image>"), ("gpt", "A dog.")], 1, "What?"),
        ([("human", "What?"), ("gpt", "A dog.")], 1, "What?"),
        ([("human", "<image>\n<image>\nWhat?"), ("gpt", "Dogs.")], 2, "What?"),
    ],
)
def test_llava_pictures_at_either_end_of_the_first_question(
    tmp_path, picture, turns, images, question
):
    (dialogue,) = only(tmp_path, llava(*turns, images=["a.png"] * images))
    assert (dialogue.turns[0].text, len(dialogue.images)) == (question, images)


@pytest.mark.parametrize(
    ("turns", "images"),
    [
        ([("human", "Compare <image> with <image>: which?"), ("gpt", "The first.")], 2),
        ([("human", "In <image>, what is it?"), ("gpt", "A dog.")], 1),
        ([("human", "Hello"), ("gpt", "Hi"), ("human", "<image>What?"), ("gpt", "A dog.")], 1),
        ([("human", "<image>What?"), ("gpt", "A dog.")], 2),
        ([("human", 3), ("gpt", "A dog.")], 1),
    ],
)
def test_llava_pictures_elsewhere_are_dropped_with_a_reason(tmp_path, picture, turns, images):
    (dropped,) = only(tmp_path, llava(*turns, images=["a.png"] * images), name="llava")
    assert isinstance(dropped, DroppedRecord)
    assert dropped.detail


def test_qwen_vl_pictures_in_a_later_turn_or_a_sentence_are_dropped(tmp_path, picture):
    first = {"from": "user", "value": "Picture 1: <img>a.png</img>\nWhat?"}
    answer = {"from": "assistant", "value": "A dog."}
    later = {"conversations": [first, answer, first, answer]}
    inside = {"conversations": [{"from": "user", "value": "In <img>a.png</img>, what?"}, answer]}
    good = {"conversations": [first, answer]}
    made = only(tmp_path, later, inside, good, name="qwen-vl")
    assert [type(item) is DroppedRecord for item in made] == [True, True, False]


def test_check_lists_every_fault_not_the_first(tmp_path, picture):
    good = llava(("human", "<image>\nWhat?"), ("gpt", "A dog."))
    file = tmp_path / "x.jsonl"
    lines = [json.dumps(good), "{broken", json.dumps({"conversations": 3}), "[1, 2]",
             json.dumps({**good, "images": ["none.png"]})]  # fmt: skip
    file.write_text("\n".join(lines))
    found = check_dataset(file, format_name="llava")
    assert (found.dialogues, found.problems["record cannot be read"]) == (2, 3)
    assert found.problems["picture not found"] == 1
    with pytest.raises(InputError, match="Record 2 of x.jsonl"):
        list(read_dialogues(file, "llava"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_encoding_is_read(tmp_path, picture, encoding):
    record = llava(("human", "<image>\n飞机在哪里?"), ("gpt", "这里。"))
    (tmp_path / "x.json").write_text(json.dumps([record], ensure_ascii=False), encoding=encoding)
    (dialogue,) = read_dialogues(tmp_path / "x.json")
    assert dialogue.turns[0].text == "飞机在哪里?"


def test_pictures_may_lie_beside_the_file(tmp_path, picture, monkeypatch):
    record = llava(("human", "<image>\nWhat?"), ("gpt", "A dog."))
    (tmp_path / "x.json").write_text(json.dumps([record]))
    monkeypatch.chdir("/")
    (dialogue,) = read_dialogues(tmp_path / "x.json")
    assert dialogue.images == (str(tmp_path / "a.png"),)
