"""A question that could not be asked is never right; perfect answers always are."""

import json

import numpy as np
import pytest

from segue.convert.dialogue import tag_markup
from segue.errors import InputError
from segue.evaluate.metrics import MaskScores
from segue.evaluate.places import score_boxes, score_masks
from segue.evaluate.predictions import Prediction, parse_failures
from segue.evaluate.questions import Question, read_questions
from segue.evaluate.tags import score_tags
from segue.values.mask import rle

WHOLE = rle.encode(np.ones((4, 5), bool))


def failed(**fields) -> Prediction:
    given = {"id": "q", "image": "none.png", "text": "Segment the zebra."}
    return Prediction(Question(**{**given, **fields}), error="There is no file none.png.")


def test_a_run_of_which_nothing_could_be_asked_scores_nothing():
    run = [failed(expect="absent"), failed(expect="tag", mask=WHOLE, phrases=("zebra",))]
    scores = score_masks(run).all.to_json()
    assert (scores["questions"], scores["gIoU"], scores["N-acc"], scores["T-acc"]) == (2, 0, 0, 0)
    assert scores["cIoU"] == 0
    assert score_boxes([failed(boxes=())]).to_json()["all"]["Acc@0.5"] is None


@pytest.mark.parametrize("expect", ["tag", "box", "plain", "absent"])
def test_no_rate_of_tags_looks_better_for_a_failure(expect):
    numbers = score_tags([failed(expect=expect, phrases=("zebra",))]).to_json()["all"]
    good = ("tag-valid rate", "phrase accuracy, exact", "phrase accuracy, tolerant",
            "box-valid rate", "absent: declined", "absent: detector found nothing")  # fmt: skip
    bad = ("over-trigger rate", "tag on a box question", "box on a plain question",
           "parse-failure rate")  # fmt: skip
    assert [name for name in good if numbers[name]] == []
    assert [name for name in bad if numbers[name] == 0] == []
    assert (numbers["failed questions"], numbers["replies"]) == (1, 0)


def test_failures_have_no_part_in_the_rate_of_broken_replies():
    assert parse_failures([failed()])["parse-failure rate"] is None


def test_shards_add_up_with_their_failures():
    one, other = MaskScores(), MaskScores()
    one.fail(None)
    other.add(None, None)
    assert (one + other).n_acc == 0.5


@pytest.mark.parametrize(
    "phrase", ["box, red", "St. Bernard", 'the "best" cup', '"quoted"', "red\nbox", "1,000 things",
               "飞机、云", "a; b", "back\\slash", "cup"],
)  # fmt: skip
def test_perfect_answers_score_one_whatever_a_phrase_holds(phrase):
    phrases = (phrase, "dog")
    question = Question("q", "a.png", "Segment it.", "tag", phrases)
    numbers = score_tags([Prediction(question, raw=tag_markup(phrases))]).to_json()["all"]
    assert numbers["tag-valid rate"] == 1
    assert numbers["phrase accuracy, exact"] == numbers["phrase accuracy, tolerant"] == 1


def test_commas_without_quotes_are_tolerated_and_not_exact():
    question = Question("q", "a.png", "Segment it.", "tag", ("box, red",))
    numbers = score_tags([Prediction(question, raw="<gsam>box, red</gsam>")]).to_json()["all"]
    assert numbers["phrase accuracy, exact"] == 0
    assert numbers["phrase accuracy, tolerant"] == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"question": None}, "question must be a text"),
        ({"question": " "}, "no words"),
        ({"image": 3}, "image must be a text"),
        ({"boxes": [[1, 2, 3]]}, "four numbers"),
        ({"boxes": [[1, 2, 3, float("nan")]]}, "finite"),
        ({"mask": {"size": [4, 5], "counts": "zzz"}}, "its 'mask' is invalid"),
        ({"mask": {"size": [4, 5], "counts": [19]}}, "add up to 19"),
        ({"ignore": {"size": [10**5, 10**5], "counts": [0, 10**10]}}, "its 'ignore'"),
        ({"phrases": [3]}, "a phrase must be a text"),
    ],
)
def test_a_question_that_makes_no_sense_is_named_before_anything_is_asked(
    tmp_path, fields, message
):
    file = tmp_path / "q.jsonl"
    line = {"image": "a.png", "question": "x", **fields}
    file.write_text('{"image": "a.png", "question": "x"}\n' + json.dumps(line) + "\n")
    with pytest.raises(InputError, match=rf"q\.jsonl, question 2: .*{message}"):
        list(read_questions(file))


def test_a_phrase_may_be_one_text_and_half_characters_are_replaced(tmp_path):
    file = tmp_path / "q.jsonl"
    line = {"image": "a.png", "question": "plane \ud83d", "phrases": "plane"}
    file.write_text(json.dumps(line), encoding="utf-8-sig")
    (question,) = read_questions(file)
    assert (question.text, question.phrases) == ("plane \ufffd", ("plane",))
