"""Asking, keeping, going on, reading back."""

import json

import pytest

from builders import a_region, an_image
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError, UnknownName
from segue.evaluate.predictions import (
    Prediction,
    PredictionsFile,
    make_manifest,
    parse_failures,
    predict,
    read_manifest,
    read_predictions,
    with_regions,
)
from segue.evaluate.questions import Question, read_questions
from segue.evaluate.report import make_report
from segue.segment.box_fill import BoxFill
from segue.values.message import Sampling

HOW = Sampling(temperature=0)
REPLIES = {
    "Segment the dog.": "<gsam>dog</gsam>",
    "Where is the dog?": "<ref>dog</ref><box>(200,200),(500,500)</box>",
    "Segment the yeti.": "<gsam>yeti</gsam>",
    "What is it?": "A dog. <box>(1,2</box>",
}


@pytest.fixture
def questions(tmp_path):
    """Four questions about one picture, one about none."""
    (tmp_path / "a.png").write_bytes(an_image().to_png_bytes())
    lines = [
        {"question": "Segment the dog.", "expect": "tag", "phrases": ["dog"]},
        {"question": "Where is the dog?", "expect": "box", "bbox": [13, 10, 32, 24]},
        {"question": "Segment the yeti.", "expect": "absent"},
        {"question": "What is it?", "expect": "plain"},
        {"question": "What is it?", "expect": "plain", "image": "none.png"},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps({"image": "a.png", **line}) + "\n" for line in lines))
    return file


@pytest.fixture
def assistant() -> Assistant:
    detector = Fixed({"dog": [(12, 10, 32, 24, 0.8)]})
    return Assistant(Scripted(REPLIES), detector, BoxFill(), box_threshold=0.3)


def run(assistant, questions, out, limit=None) -> list[Prediction]:
    about = make_manifest(assistant, questions, HOW)
    with PredictionsFile(out, about) as file:
        return list(predict(assistant, read_questions(questions), file, HOW, limit))


def test_every_question_is_answered_once_and_can_be_read_back(assistant, questions, tmp_path):
    made = run(assistant, questions, tmp_path / "p.jsonl")
    assert [p.raw for p in made[:4]] == list(REPLIES.values())
    assert [len(p.regions) for p in made] == [1, 1, 0, 0, 0]
    assert made[2].not_found == ("yeti",)
    assert made[3].broken == ("<box>(1,2</box>",)
    assert "none.png" in made[4].error
    back = list(read_predictions(tmp_path / "p.jsonl"))
    assert back == made
    assert back[0].mask == made[0].mask
    assert back[0].mask is not None


def test_thoughts_and_notices_are_kept(questions, tmp_path):
    replies = dict.fromkeys(REPLIES, "<think>only a thought")
    (first, *_) = run(Assistant(Scripted(replies), None, None), questions, tmp_path / "p.jsonl", 1)
    assert first.thought == len("only a thought")
    assert "only thought" in first.notices[0]
    assert list(read_predictions(tmp_path / "p.jsonl")) == [first]


def test_answers_of_before_have_no_thoughts(assistant, questions, tmp_path):
    (first, *_) = run(assistant, questions, tmp_path / "p.jsonl", 1)
    old = first.to_json()
    del old["thought"], old["notices"]
    assert Prediction.from_json(old) == first


def test_the_manifest_says_what_the_numbers_depend_on(assistant, questions, tmp_path):
    run(assistant, questions, tmp_path / "p.jsonl")
    about = read_manifest(tmp_path / "p.jsonl")
    assert about["models"] == {"chat": "scripted", "detect": "fixed", "segment": "box_fill"}
    assert about["thresholds"] == {"box": 0.3, "text": None}
    assert about["questions"]["file"] == "questions.jsonl"
    assert len(about["questions"]["sha256"]) == 64
    assert {"segue", "python", "numpy"} <= about["versions"].keys()
    assert about["prompt"] == "{sent}"


@pytest.mark.parametrize("lost", [0, 1, 40])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(assistant, questions, tmp_path, lost):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    run(assistant, questions, whole)
    run(assistant, questions, cut, limit=3)
    cut.write_bytes(cut.read_bytes()[: -lost or None])  # killed while it wrote
    made = run(assistant, questions, cut)
    assert len(made) == (2 if lost == 0 else 3)
    raws = [[p.raw for p in read_predictions(file)] for file in (whole, cut)]
    assert raws[0] == raws[1]
    assert run(assistant, questions, cut) == []


def test_a_file_of_another_run_is_not_written_on(assistant, questions, tmp_path):
    run(assistant, questions, tmp_path / "p.jsonl")
    assistant.box_threshold = 0.5
    with pytest.raises(InputError, match=r"another run \(thresholds differ\)"):
        run(assistant, questions, tmp_path / "p.jsonl")


def test_a_file_that_is_something_else_is_never_overwritten(assistant, questions, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear all,")
    with pytest.raises(InputError, match="not a file of predictions"):
        run(assistant, questions, tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "Dear all,"


def test_a_damaged_line_and_what_follows_are_written_again(assistant, questions, tmp_path):
    file = tmp_path / "p.jsonl"
    run(assistant, questions, file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], b"words\n", *lines[4:]]))
    assert len(run(assistant, questions, file)) == 3
    assert len(list(read_predictions(file))) == 5


def test_earlier_turns_are_told_as_they_were(questions):
    class Echo:
        name, dialect = "echo", "qwen_vl"

        def stream(self, messages, sampling):
            yield " | ".join(f"{m.role}:{m.text}:{len(m.images)}" for m in messages)

    history = (("Hello", "Hi"), ("And?", "<gsam>dog</gsam>"))
    asked = Question("q", str(questions.parent / "a.png"), "Now?", history=history)
    answers: list[Prediction] = []

    class Keep:
        answered_ids = ()

        def write(self, prediction):
            answers.append(prediction)

    list(predict(Assistant(Echo()), [asked], Keep(), HOW))
    assert answers[0].raw == (
        "user:Hello:1 | assistant:Hi:0 | user:And?:0 | assistant:<gsam>dog</gsam>:0 | user:Now?:0"
    )


def test_without_a_chat_model_nothing_can_be_asked(tmp_path):
    with pytest.raises(InputError, match="There is no chat model"):
        list(predict(Assistant(), [], None))


def test_reports_hold_the_manifest_and_every_part(assistant, questions, tmp_path):
    run(assistant, questions, tmp_path / "p.jsonl")
    result = make_report(tmp_path / "p.jsonl")
    assert list(result) == ["manifest", "answers", "tags", "boxes", "masks"]
    assert result["answers"] == {
        "answers": 5, "unreadable markup": 1, "parse-failure rate": 0.25, "truncated": 0,
        "errors": 1,
    }  # fmt: skip
    assert result["tags"]["all"]["tag-valid rate"] == 1.0
    assert result["tags"]["all"]["absent: detector found nothing"] == 1.0
    assert result["boxes"]["all"]["Acc@0.5"] == 1.0
    assert result["masks"]["all"]["N-acc"] == 1.0
    assert list(make_report(tmp_path / "p.jsonl", ("tags",))) == ["manifest", "answers", "tags"]
    json.dumps(result)


def test_masks_are_not_scored_where_nothing_was_segmented(assistant, questions, tmp_path):
    assistant.segmenter = None
    run(assistant, questions, tmp_path / "p.jsonl")
    assert "masks" not in make_report(tmp_path / "p.jsonl")
    with pytest.raises(InputError, match="without a segmenter"):
        make_report(tmp_path / "p.jsonl", ("masks",))
    with pytest.raises(UnknownName, match="Did you mean 'boxes'"):
        make_report(tmp_path / "p.jsonl", ("boxs",))


def test_other_files_are_no_predictions(questions):
    with pytest.raises(InputError, match="not a file of predictions"):
        list(read_predictions(questions))


def test_regions_of_one_route(predicted):
    both = predicted(regions=(a_region(), a_region(id="r2", found_by="detector")))
    assert [r.id for r in with_regions(both, "detector").regions] == ["r2"]


def test_no_predictions_have_no_failure_rate():
    assert parse_failures([])["parse-failure rate"] is None


def test_files_that_cannot_be_scored_say_which_line_and_why(assistant, questions, tmp_path):
    out = tmp_path / "p.jsonl"
    run(assistant, questions, out)
    manifest_line, first, *_ = out.read_text().splitlines(keepends=True)
    thin = json.dumps({"manifest": {"format": 1}}) + "\n"
    unnamed = json.loads(manifest_line)
    unnamed["manifest"]["models"] = None
    spoken = {**json.loads(first), "raw": None}
    broken = {
        "holds no answer yet": manifest_line,
        "lacks dialect, models, prompt": thin + first,
        "must have objects under questions, models": json.dumps(unnamed) + "\n" + first,
        "not a file of predictions": first,
        "Answer 2 of .*is answered twice": manifest_line + first + first,
        "Line 3 of .*, the last, is incomplete": manifest_line + first + first[:40],
        "Line 2 of .* is not JSON": manifest_line + "{\n" + first,
        "Answer 1 of .*raw is None": manifest_line + json.dumps(spoken) + "\n",
        "Answer 1 of .*must have question": manifest_line + '{"a": 1}\n',
        "Line 2 of .* must be a JSON object": manifest_line + "[1]\n",
    }
    for message, text in broken.items():
        out.write_text(text)
        with pytest.raises(InputError, match=message):
            make_report(out)
    out.write_text("\ufeff" + manifest_line + "\n" + first.strip() + "\r\n")
    assert make_report(out)["answers"]["answers"] == 1


def test_questions_with_one_id_are_refused(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"id": 1, "image": "a", "question": "b"}\n' * 2)
    with pytest.raises(InputError, match=r"Question 2 of .* has the same id '1' as an earlier one"):
        list(read_questions(file))
