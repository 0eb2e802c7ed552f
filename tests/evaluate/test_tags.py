"""Scores of the mechanism, from raw replies alone."""

import pytest

from segue.evaluate.tags import parse_reply, score_tags
from segue.prompting.synonyms import Synonyms


@pytest.mark.parametrize(
    ("raw", "valid", "exact", "tolerant"),
    [
        ("<gsam>airplane</gsam>", 1, 1, 1),
        ("Sure: <gsam>The Airplane</gsam>!", 1, 1, 1),
        ("<gsam>planes</gsam>", 1, 0, 1),
        ("<gsam>飞机</gsam>", 1, 0, 1),
        ("<gsam>runway</gsam>", 1, 0, 0),
        ("<gsam>airplane</gsam>, <gsam>runway</gsam>", 1, 0, 0),
        ("<gsam>airplane</gsam> <gsam>dog", 0, 0, 0),  # broken markup
        ("<gsam> . </gsam>", 0, 0, 0),
        ("airplane", 0, 0, 0),
        ("<ref>airplane</ref><box>(1,1),(9,9)</box>", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_a_tag_is_valid_and_its_phrase_right_or_not(predicted, raw, valid, exact, tolerant):
    report = score_tags([predicted(raw, expect="tag", phrases=("airplane",))])
    scores = report.all
    assert (scores.tag_valid, scores.phrase_exact, scores.phrase_tolerant) == (
        valid,
        exact,
        tolerant,
    )


def test_several_phrases_may_come_in_any_order(predicted):
    both = ("dog", "red mug")
    report = score_tags([predicted("<gsam>red mug, dog</gsam>", expect="tag", phrases=both)])
    assert report.all.phrase_exact == 1


def test_over_triggering_is_a_tag_where_words_were_enough(predicted):
    replies = ["Autumn.", "<gsam>leaf</gsam>", "<ref>leaf</ref><box>(1,1),(9,9)</box>", "<gsam>x"]
    scores = score_tags([predicted(raw, expect="plain") for raw in replies]).all.to_json()
    assert scores["over-trigger rate"] == 0.25
    assert scores["box on a plain question"] == 0.25
    assert scores["parse-failure rate"] == 0.25


def test_boxes_and_tags_are_not_confused(predicted):
    box = "<ref>dog</ref><box>(1,1),(9,9)</box>"
    replies = [box, "<gsam>dog</gsam>", "A dog.", box + "<box>("]
    scores = score_tags([predicted(raw, expect="box") for raw in replies]).all.to_json()
    assert (scores["box-valid rate"], scores["tag on a box question"]) == (0.25, 0.25)


def test_what_a_model_does_about_absent_objects(predicted, region):
    made = [
        predicted("There is none.", expect="absent"),
        predicted("<gsam>yeti</gsam>", expect="absent", not_found=("yeti",)),
        predicted("<gsam>yeti</gsam>", expect="absent"),
        predicted("<gsam>yeti</gsam>", expect="absent", regions=(region(),)),
        predicted("<box>(1,1),(9,9)</box>", expect="absent"),
        predicted(expect="absent", error="no picture"),
    ]
    absent = score_tags(made).all.absent_outcomes
    assert absent == {
        "declined": 1, "detector found nothing": 1, "tag": 1, "false positive": 2, "error": 1,
    }  # fmt: skip


def test_without_a_detector_nobody_looked_in_vain(predicted):
    made = [predicted("<gsam>yeti</gsam>", expect="absent", not_found=("yeti",))]
    assert score_tags(made, has_detector=False).all.absent_outcomes == {"tag": 1}


def test_languages_are_told_apart(predicted):
    report = score_tags(
        [
            predicted("<gsam>dog</gsam>", expect="tag", phrases=("dog",), language="zh"),
            predicted("dog", expect="tag", phrases=("dog",), language="en"),
        ]
    ).to_json()
    rates = {name: report[name]["tag-valid rate"] for name in ("all", "en", "zh")}
    assert rates == {"all": 0.5, "en": 0.0, "zh": 1.0}


def test_wrong_phrases_are_listed_and_synonyms_may_be_given(predicted):
    made = [predicted("<gsam>streetcar</gsam>", expect="tag", phrases=("tram",))] * 2
    wrong = score_tags(made).to_json()["wrong phrases"]
    assert wrong == [{"expected": "tram", "answered": "streetcar", "count": 2}]
    assert score_tags(made, Synonyms([["tram", "streetcar"]])).all.phrase_tolerant == 2


def test_rates_of_nothing_are_unknown():
    rates = score_tags([]).all.to_json()
    assert rates["tag-valid rate"] is None


def test_the_reply_alone_is_read():
    reply = parse_reply("<gsam>a dog</gsam> <ref>cat</ref><box>(1,1),(9,9)</box> <gsam>")
    assert (reply.tag_phrases, reply.box_phrases) == (("a dog",), ("cat",))
    assert reply.is_malformed
