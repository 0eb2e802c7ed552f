"""A known name does not switch tolerance off: every family reads every form, and says so."""

import pytest

from dialect_replies import cases, read
from segue.dialects import DIALECTS, BoxMention, PlainText, PointMention, Remark
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import reply_of
from segue.values.frames import GRID_1000, SEEN_PIXELS, EitherFrame, Frame, known_frame

FAMILIES = sorted(set(DIALECTS) - {"auto", "gsam"})
FORMS = {
    "JSON": '[{"bbox_2d": [12, 30, 480, 997], "label": "dog"}]',
    "tags": "<ref>dog</ref><box>(12,30),(480,997)</box>",
    "lists": "<ref>dog</ref><box>[[12, 30, 480, 997]]</box>",
    "tokens": "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(12,30),(480,997)<|box_end|>",
    "det": "<|ref|>dog<|/ref|><|det|>[[12, 30, 480, 997]]<|/det|>",
    "bbox": "<bbox>12 30 480 997</bbox>",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dialect", FAMILIES)
def test_every_family_reads_every_form_in_its_own_frame(dialect: str, form: str) -> None:
    events = read(dialect, FORMS[form])
    (box,) = [event for event in events if isinstance(event, BoxMention)]
    numbers = [box.box.ya, box.box.xa, box.box.yb, box.box.xb]
    y_first = dialect == "gemini" and form == "JSON"
    assert numbers == ([12, 30, 480, 997] if y_first else [30, 12, 997, 480])
    reply = reply_of(dialect)
    assert isinstance(reply, FamilyReply)
    ambiguous = EitherFrame((GRID_1000, SEEN_PIXELS))  # no fractions, so nobody knows
    assert box.box.frame == (ambiguous if dialect == "moondream" else reply.shape.frame)
    assert box.phrase in ("dog", "")
    assert "".join(event.text for event in events if isinstance(event, PlainText)) == box.phrase


@pytest.mark.parametrize("dialect", FAMILIES)
def test_a_familys_own_replies_are_not_remarked_upon(dialect: str) -> None:
    for name, case in cases(dialect).items():
        events = read(dialect, [case["reply"]])
        unusual = [e for e in events if isinstance(e, Remark) and "does not usually" in e.text]
        assert not unusual or name in ("old_markup", "tokens_of_qwen2"), name


def test_another_form_is_remarked_upon_once() -> None:
    events = read("internvl", [f"{FORMS['JSON']} and {FORMS['JSON'].replace('dog', 'cat')}"])
    (remark,) = [event for event in events if isinstance(event, Remark)]
    assert "JSON" in remark.text
    assert "InternVL" in remark.text
    assert "a grid 0-1000" in remark.text


@pytest.mark.parametrize(
    ("other", "reply"),
    [
        ("paligemma", "<loc0256><loc0000><loc0512><loc1023> cat"),
        ("florence2", "A car<loc_52><loc_332><loc_932><loc_774> here."),
        ("kosmos2", "<phrase>dog</phrase><object><patch_index_0044><patch_index_0863></object>"),
    ],
)
@pytest.mark.parametrize("dialect", ["qwen3_vl", "internvl", "gemini", "qwen_vl"])
def test_tokens_of_one_family_alone_are_left_to_it(dialect: str, other: str, reply: str) -> None:
    reply = f"Well: {reply}"
    for chunks in ([reply], list(reply)):
        events = read(dialect, chunks)
        (remark,) = [event for event in events if isinstance(event, Remark)]
        assert other in remark.text
        places = [event for event in events if isinstance(event, BoxMention)]
        own = [event for event in read(other, [reply]) if isinstance(event, BoxMention)]
        assert places == own
        assert len(places) == 1


def test_a_reply_may_be_handed_over_twice() -> None:
    reply = "dog(12,30),(12,30) <loc0256><loc0000><loc0512><loc1023> cat"
    for chunks in ([reply], list(reply)):
        events = read("qwen_vl", chunks)
        assert sum(isinstance(event, Remark) for event in events) == 2
        (place,) = [event for event in events if isinstance(event, BoxMention)]
        assert place.phrase == "cat"


def test_points_as_xml_are_in_the_frame_of_the_family() -> None:
    reply = '<points x1="60" y1="50">dogs</points>'
    for dialect, width in (("molmo", 100), ("qwen3_vl", 1000), ("internvl", 1000)):
        (point,) = [event for event in read(dialect, [reply]) if isinstance(event, PointMention)]
        frame = known_frame(point.point.frame, size=(10, 10))  # type: ignore[arg-type]
        assert frame == Frame(width, width)
