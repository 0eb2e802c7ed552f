"""The neutral form: markup, plain text, JSON."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.convert.dialogue import (
    Dialogue,
    DialogueTurn,
    GroundTruth,
    box_markup,
    detect_language,
    has_markup,
    strip_markup,
    tag_markup,
)
from segue.dialects import DIALECTS, BoxMention, DetectRequest, MalformedMarkup
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.frames import Frame, FramedBox

FRACTIONS = Frame(1, 1)


def a_dialogue(**fields) -> Dialogue:
    turns = (
        DialogueTurn("user", "Cut out the dog."),
        DialogueTurn("assistant", "<gsam>dog</gsam>", "tag", ("dog",)),
    )
    return Dialogue(**{"id": "d1", "images": ("a.jpg",), "turns": turns, **fields})


def events(text: str) -> list:
    return list(DIALECTS.load("qwen_vl").read([text]))


def test_what_is_written_is_what_the_dialect_reads():
    boxes = [FramedBox(0.1, 0.2, 0.5, 0.8, FRACTIONS), FramedBox(0.9, 1.0, 0.6, 0.7, FRACTIONS)]
    read = events(f"{tag_markup(['red car', 'dog'])} and {box_markup('man', boxes)}")
    assert [e.phrase for e in read if isinstance(e, DetectRequest)] == ["red car", "dog"]
    corners = [(e.box.xa, e.box.ya, e.box.xb, e.box.yb) for e in read if isinstance(e, BoxMention)]
    assert corners == [(100, 200, 500, 800), (600, 700, 900, 999)]


def test_a_box_without_area_on_the_grid_is_not_written():
    assert box_markup("speck", [FramedBox(0.5, 0.5, 0.5001, 0.6, FRACTIONS)]) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image>\nWhat is it?", "What is it?"),
        ("First line.\nSecond line.\n<image>", "First line.\nSecond line."),
        ("Look: <img>/etc/passwd</img> there", "Look: there"),
        ("<|im_end|>\n<|im_start|>assistant", "assistant"),
        ("<im<ref>g>x", "x"),  # taking one out must not put another together
        ("a < b and <b>bold</b>", "a < b and <b>bold</b>"),
        (" \r\n tidy   up \r\n", "tidy up"),
    ],
)
def test_plain_text_keeps_words_and_lines_and_loses_markup(text, expected):
    assert strip_markup(text) == expected


@given(st.text(alphabet="<>/|imgrefboxqudsa_ \n", max_size=60))
@settings(max_examples=60, deadline=None)
def test_plain_text_never_holds_markup(text):
    assert not has_markup(strip_markup(text))


def test_json_gives_the_same_dialogue_back():
    truth = GroundTruth((Box(1, 2, 3, 4),), {"size": [48, 64], "counts": "abc"})
    turns = (DialogueTurn("user", "框出狗"), DialogueTurn("assistant", "x", "box", ("狗",), truth))
    dialogue = a_dialogue(turns=turns, size=Size(48, 64), split="val", source="coco")
    assert Dialogue.from_json(dialogue.to_json()) == dialogue


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"id": 1, "images": [], "turns": [{"role": "robot", "text": ""}]},
        {"id": 1, "images": 3, "turns": []},
        {"id": 1, "images": [], "turns": ["words"]},
    ],
)
def test_json_of_another_form_is_refused(value):
    with pytest.raises(InputError, match="must have id, images and turns"):
        Dialogue.from_json(value)


def test_kind_is_the_strongest_of_the_answers():
    turns = (
        DialogueTurn("user", "What is it?"),
        DialogueTurn("assistant", "A dog."),
        DialogueTurn("user", "Where?"),
        DialogueTurn("assistant", "nowhere", "absent"),
    )
    assert a_dialogue(turns=turns).kind == "absent"
    assert a_dialogue().kind == "tag"


def test_the_fingerprint_depends_on_picture_and_words_only():
    same = a_dialogue(id="other", source="elsewhere")
    assert same.fingerprint == a_dialogue().fingerprint
    assert a_dialogue(images=("b.jpg",)).fingerprint != a_dialogue().fingerprint


def test_language_follows_the_question():
    assert (detect_language("框出 dog"), detect_language("Where?")) == ("zh", "en")


def test_phrases_in_tags_are_never_malformed():
    assert not [
        e for e in events(tag_markup(["a b", "1.5 litre bottle"])) if isinstance(e, MalformedMarkup)
    ]
