"""Labelled questions about presence, the evidence on them."""

import json

import pytest

from builders import an_image
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.evaluate.presence import (
    EvidenceFile,
    PresenceQuestion,
    PresenceSample,
    add_evidence,
    collect_evidence,
    read_presence_questions,
)
from segue.segment.box_fill import BoxFill

COCO = {
    "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "car"}],
    "annotations": [
        {"image_id": 1, "category_id": 1},
        {"image_id": 1, "category_id": 1},
        {"image_id": 2, "category_id": 2},
    ],
}


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_coco_instances_give_categories_that_are_there_and_as_many_that_are_not(tmp_path):
    questions = read_presence_questions(write(tmp_path, "coco.json", json.dumps(COCO)))
    there = [(q.image, q.phrase) for q in questions if q.is_present]
    assert there == [(str(tmp_path / "a.png"), "dog"), (str(tmp_path / "b.png"), "cat")]
    assert len(questions) == 4
    assert all((q.image, q.phrase) not in there for q in questions if not q.is_present)
    again = read_presence_questions(tmp_path / "coco.json")
    assert again == questions


def test_questions_with_phrases_are_read_by_what_they_expect(tmp_path):
    lines = [
        {"image": "a.png", "question": "Segment the dog.", "expect": "tag", "phrases": ["dog"]},
        {"image": "a.png", "question": "Where is the cat?", "expect": "absent", "phrases": ["cat"]},
        {"image": "a.png", "question": "What is it?", "phrases": ["car"]},
    ]
    file = write(tmp_path, "q.jsonl", "\n".join(map(json.dumps, lines)))
    questions = read_presence_questions(file)
    assert [(q.phrase, q.is_present) for q in questions] == [("dog", True), ("cat", False)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "must be"),
        ("{}", "list 'images'"),
        (json.dumps({**COCO, "annotations": [{"image_id": 1, "category_id": 9}]}), "not listed"),
        (json.dumps({**COCO, "annotations": []}), "needs both"),
        (json.dumps({**COCO, "categories": [{"id": 1}]}), "name"),
    ],
)
def test_a_file_without_labels_is_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_presence_questions(write(tmp_path, "coco.json", content))


def an_assistant(*replies, score=0.8):
    detector = Fixed({"dog": [[8, 6, 24, 18, score]]})
    return Assistant(Scripted(list(replies)), detector, BoxFill(), box_threshold=0.5)


def test_evidence_is_collected_by_who_is_asked():
    pointing = "<ref>dog</ref><box>(125,125),(375,375)</box>"
    evidence = collect_evidence(an_assistant(pointing), an_image(), "dog")
    assert evidence["detector"].detector_score == pytest.approx(0.8)
    assert evidence["chat"].pointed_at is True
    assert evidence["both"].agreement == pytest.approx(1.0)
    evidence = collect_evidence(an_assistant("No.", score=0.3), an_image(), "dog")
    assert evidence["detector"].mask_score is None
    assert evidence["both"].detector_score == pytest.approx(0.3)
    assert (evidence["both"].pointed_at, evidence["both"].agreement) == (False, None)


def test_an_interrupted_collection_goes_on_where_it_was(tmp_path):
    (tmp_path / "a.png").write_bytes(an_image().to_png_bytes())
    image = str(tmp_path / "a.png")
    questions = [PresenceQuestion(image, name, name == "dog") for name in ("dog", "cat", "car")]
    questions.append(PresenceQuestion(str(tmp_path / "missing.png"), "dog", True))
    path, header = tmp_path / "evidence.jsonl", {"names": {}}
    with EvidenceFile(path, header) as file:
        next(add_evidence(an_assistant("No."), questions, file))
    path.write_text(path.read_text() + '{"image": "cut')
    with EvidenceFile(path, header) as file:
        assert [sample.question.phrase for sample in file.samples] == ["dog"]
        problems = list(add_evidence(an_assistant("No.", "No."), questions, file))
    assert [problem is None for problem in problems] == [True, True, False]
    assert "missing.png" in problems[-1]
    assert len(EvidenceFile(path, header).samples) == 3
    with pytest.raises(InputError, match="other models or questions"):
        EvidenceFile(path, {"names": {"chat": "another"}})


def test_evidence_of_odd_phrases_is_kept_and_of_older_labels_left_alone(tmp_path):
    phrase = "half \ud83d\n[red] 飞机"
    old = PresenceSample(PresenceQuestion("a.png", phrase, False), {})
    new = PresenceSample(PresenceQuestion("a.png", phrase, True), {})
    with EvidenceFile(tmp_path / "e.jsonl", {"seed": 0}) as file:
        file.add(old)
        file.add(new)
    again = EvidenceFile(tmp_path / "e.jsonl", {"seed": 0})
    assert again.samples == [old, new]
    assert again.samples_of([new.question]) == [new]


def test_evidence_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    file = EvidenceFile(tmp_path / "file" / "e.jsonl", {})
    with pytest.raises(InputError, match="Cannot write"), file:
        pass


def test_evidence_that_was_edited_by_hand_is_named(tmp_path):
    line = {"image": "a.png", "phrase": "dog", "is_present": True, "evidence": []}
    (tmp_path / "e.jsonl").write_text('{"seed": 0}\n' + json.dumps(line) + "\n")
    with pytest.raises(InputError, match="damaged"):
        EvidenceFile(tmp_path / "e.jsonl", {"seed": 0})


def test_a_picture_whose_name_is_no_path_has_no_evidence(tmp_path):
    pipeline = Assistant(Scripted([]), Fixed({}), BoxFill())
    with EvidenceFile(tmp_path / "e.jsonl", {}) as file:
        (problem,) = add_evidence(pipeline, [PresenceQuestion("a\0b.png", "dog", True)], file)
    assert "dog" in problem
