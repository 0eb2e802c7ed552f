"""Questions files."""

import json

import numpy as np
import pytest

from segue.errors import InputError
from segue.evaluate.questions import Question, read_questions
from segue.values.box import Box
from segue.values.mask import rle


def write(tmp_path, *lines):
    file = tmp_path / "val.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    return file


def test_the_grounding_files_of_qwen_vl_are_read(tmp_path):
    line = {"image": "a.jpg", "sent": "man in red", "bbox": [10, 20, 90, 200], "width": 640}
    (question,) = read_questions(write(tmp_path, line), prompt="Where is the {sent}?")
    assert question == Question(
        "val-1", str(tmp_path / "a.jpg"), "Where is the man in red?", "box", ("man in red",),
        boxes=(Box(10, 20, 90, 200),),
    )  # fmt: skip


def test_a_question_comes_back_from_json_as_it_was():
    question = Question(
        "q", "a.jpg", "分割狗", "tag", ("dog",), "zh", (Box(1, 2, 3, 4),),
        {"size": [1, 1], "counts": "01"}, None, (("Hello", "Hi"),),
    )  # fmt: skip
    assert Question.from_json(question.to_json()) == question
    bare = Question("q", "a.jpg", "What is it?")
    assert bare.to_json().keys() == {"id", "image", "question", "expect", "language"}
    assert Question.from_json(bare.to_json()) == bare


def test_relative_pictures_begin_where_one_says(tmp_path):
    file = write(
        tmp_path, {"image": "a.jpg", "question": "x"}, {"image": "/b.jpg", "question": "x"}
    )
    assert [q.image for q in read_questions(file, images=tmp_path / "p")] == [
        str(tmp_path / "p/a.jpg"),
        "/b.jpg",
    ]


def test_what_convert_writes_evaluate_reads(tmp_path):
    from segue.convert.dialogue import Dialogue, DialogueTurn, GroundTruth
    from segue.convert.formats import FORMATS
    from segue.values.box import Size

    truth = GroundTruth((Box(1, 2, 3, 4),), rle.encode(np.ones((48, 64), bool)))
    turns = (
        DialogueTurn("user", "Hello"),
        DialogueTurn("assistant", "Hi"),
        DialogueTurn("user", "分割狗"),
        DialogueTurn("assistant", "<gsam>dog</gsam>", "tag", ("dog",), truth),
    )
    with FORMATS["questions"].open(tmp_path / "q.jsonl") as writer:
        writer.write(Dialogue("d", ("/a.jpg",), turns, size=Size(48, 64)))
    first, second = read_questions(tmp_path / "q.jsonl")
    assert (first.expect, first.mask, first.boxes) == ("plain", None, None)
    assert second == Question(
        "d/2", "/a.jpg", "分割狗", "tag", ("dog",), "zh", (Box(1, 2, 3, 4),), truth.mask, None,
        (("Hello", "Hi"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        {"question": "x"},
        {"image": "a.jpg"},
        {"image": "a.jpg", "question": "x", "expect": "mask"},
        {"image": "a.jpg", "question": "x", "bbox": [1, 2, 3]},
        {"image": "a.jpg", "question": "x", "history": ["Hello"]},
    ],
)
def test_lines_without_sense_are_named(tmp_path, line):
    with pytest.raises(InputError, match="Question val-2"):
        list(read_questions(write(tmp_path, {"image": "a.jpg", "question": "x"}, line)))


def test_what_is_no_json_is_named_by_its_line(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"image": "a.jpg", "question": "x"}\nwords\n')
    with pytest.raises(InputError, match=r"Line 2 of .*x\.jsonl is not JSON"):
        list(read_questions(tmp_path / "x.jsonl"))
