"""What a run looks for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.runs.settings import ClassRule, RunSettings, differences, parse_classes


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("cup", ClassRule("cup", ("cup",))),
        (" red cup :0.4", ClassRule("red cup", ("red cup",), 0.4)),
        ("cup=mug|coffee cup", ClassRule("cup", ("mug", "coffee cup"))),
        ("杯子=cup|杯子:1", ClassRule("杯子", ("cup", "杯子"), 1.0)),
    ],
)
def test_classes_are_read(text, rule):
    assert ClassRule.parse(text) == rule


@pytest.mark.parametrize(
    "text", ["", ":0.4", "cup:", "cup:2", "cup:x", "=a", "cup=", "a:0.1:0.2", "a=|"]
)
def test_what_is_no_class_is_refused(text):
    with pytest.raises(InputError):
        ClassRule.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_class_or_an_input_error(text):
    try:
        rules = parse_classes(text)
    except InputError:
        return
    assert all(rule.name and all(rule.phrases) for rule in rules)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Nothing to look for"),
        ({"classes": parse_classes("a,a")}, "given twice"),
        ({"classes": parse_classes("a=x|y, b=z|x")}, "'x' belongs to two classes"),
        ({"question": " "}, "empty"),
        ({"classes": parse_classes("a"), "max_overlap": 2}, "overlap"),
        ({"classes": parse_classes("a"), "max_per_class": 0}, "At least one"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        RunSettings(**settings)


def test_settings_are_read_as_they_were_written():
    settings = RunSettings(
        classes=parse_classes("a=b|c:0.2, d"), question="what?", negatives=("e",), min_area=3.0
    )
    assert RunSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_differences_are_named_by_their_places():
    before, now = {"a": 1, "b": {"c": [1]}, "d": 0}, {"a": 1, "b": {"c": [2]}, "e": 0}
    assert differences(before, now) == [
        "b.c was [1], is [2]",
        "d was 0, is None",
        "e was None, is 0",
    ]
    assert differences(before, before) == []


def test_text_of_no_known_encoding_is_refused():
    with pytest.raises(InputError, match="encoding"):
        RunSettings(classes=parse_classes("dog\udcff"))
