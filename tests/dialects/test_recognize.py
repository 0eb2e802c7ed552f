"""Is the dialect recognised, and is it said when it cannot be?"""

import random

import pytest

from benchmarks.fuzz_dialect import mutated
from dialect_replies import FOLDER, cases, read
from segue.dialects import DIALECTS, BoxMention, DetectRequest, PlainText, PointMention, Remark
from segue.dialects.recognition.recognize import dialect_of, recognize
from segue.values.frames import GRID_1000, SEEN_PIXELS, EitherFrame

RECORDED = [path.stem for path in sorted(FOLDER.glob("*.json"))]
SETTLED = {"beyond_1000", "off_the_grid", "tokens_of_qwen2"}
"""Replies of Qwen2.5-VL and Qwen3-VL that say by numbers or tokens what they are."""
WRONG = {("qwen3_vl", "off_the_grid"), ("qwen2_5_vl", "tokens_of_qwen2")}
"""What these say without the model's name is not so."""
WORDS = {("qwen2_vl_stripped", "box_after_colon"), ("qwen2_vl_stripped", "spaced")}
"""Corners in prose, which without the model's name are words."""
AMBIGUOUS = {
    "gemini": {
        *("point", "points", "polygon", "polygon_of_four", "sides_by_name", "other_box_key"),
        *("bare_list", "list_of_lists"),
    },
    "glm_v": {"json_fence", "tokens_stripped", "tracking"},
}
"""Replies that other families write too, in another frame."""


def labelled() -> list[tuple[str, str, bool]]:
    """(dialect, name of a recorded reply with markup, whether it is ambiguous)."""
    found = []
    for dialect in RECORDED:
        for name, case in cases(dialect).items():
            kinds = {kind for event in case["events"] for kind in event}
            places = bool(kinds & {"pointed", "spotted"})
            if dialect in ("qwen2_5_vl", "qwen3_vl"):
                unsettled = places and name not in SETTLED
            else:
                unsettled = name in AMBIGUOUS.get(dialect, ())
            if places or "wanted" in kinds:
                found.append((dialect, name, unsettled))
    return found


def test_unambiguous_replies_are_recognised_without_a_name() -> None:
    clear = [
        (dialect, name)
        for dialect, name, unsettled in labelled()
        if not unsettled and (dialect, name) not in WORDS
    ]
    right = 0
    for dialect, name in clear:
        case = cases(dialect)[name]
        reply, grounded = case["reply"], case.get("grounded", False)
        recognised = recognize(reply, grounded=grounded)
        assert recognised.evidence
        if recognised.dialect in set(DIALECTS):
            own = read(dialect, [reply], grounded=grounded)
            right += read(recognised.dialect, [reply], grounded=grounded) == own
    assert len(clear) > 300
    assert right / len(clear) >= 0.99


def test_ambiguous_replies_are_not_guessed() -> None:
    unsettled = [(dialect, name) for dialect, name, ambiguous in labelled() if ambiguous]
    assert len(unsettled) > 80
    for dialect, name in unsettled:
        case = cases(dialect)[name]
        recognised = recognize(case["reply"], grounded=case.get("grounded", False))
        assert recognised.is_ambiguous, (dialect, name)
        assert len(recognised.candidates) >= 2
        assert "--dialect" in recognised.evidence[0]


@pytest.mark.parametrize("dialect", RECORDED)
def test_the_name_of_the_model_settles_it(dialect: str) -> None:
    if dialect in ("gsam", "qwen2_vl_stripped"):
        pytest.skip("no model is named so")
    name = {"glm_v": "zai-org/GLM-4.6V", "molmo": "allenai/Molmo2-8B"}.get(dialect, dialect)
    for case in cases(dialect).values():
        reply = case["reply"]
        recognised = recognize(reply, name=name)
        assert recognised.dialect in DIALECTS
        assert read(recognised.dialect, [reply]) == read(dialect, [reply]), reply


@pytest.mark.parametrize(
    ("model_type", "name", "dialect"),
    [
        (None, "Qwen/Qwen-VL-Chat", "qwen_vl"),
        (None, "Qwen/Qwen2-VL-7B-Instruct", "qwen2_vl"),
        (None, "Qwen/Qwen2.5-VL-3B-Instruct-AWQ", "qwen2_5_vl"),
        (None, "qwen2.5vl:7b", "qwen2_5_vl"),
        (None, "qwen3-vl:4b-instruct", "qwen3_vl"),
        (None, "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", "qwen3_vl"),
        (None, "qwen/qwen3.5-9b", "qwen3_vl"),
        (None, "OpenGVLab/InternVL3_5-8B-HF", "internvl"),
        (None, "zai-org/GLM-4.5V", "glm_v"),
        (None, "zai-org/GLM-4.1V-9B-Thinking", "glm_v"),
        (None, "glm-4v-plus", "glm_v"),
        (None, "deepseek-ai/deepseek-vl2-tiny", "deepseek_vl2"),
        ("deepseek_ocr2", "./my-copy", "deepseek_vl2"),
        (None, "google/paligemma2-3b-mix-448", "paligemma"),
        (None, "google/gemma-3-4b-it", "gemini"),
        (None, "gemini-3.6-flash", "gemini"),
        (None, "microsoft/Florence-2-large", "florence2"),
        (None, "microsoft/kosmos-2-patch14-224", "kosmos2"),
        (None, "allenai/Molmo-7B-D-0924", "molmo"),
        (None, "moondream:1.8b", "moondream"),
        (None, "qwen-vl-max-latest", "qwen2_5_vl"),
        (None, "qwen-vl-plus", "qwen2_5_vl"),
        (None, "glm-5v-turbo", "glm_v"),
        (None, "z-ai/glm-5.3-flash", "glm_v"),
        (None, "zai-org/GLM-4-9B-0414", "auto"),
        (None, "gpt-9", "auto"),
        (None, "llava-hf/llava-1.5-7b-hf", "auto"),
        ("qwen2_5_vl", "my-tuned-model", "qwen2_5_vl"),
        ("qwen3_vl", "Qwen2-VL-lookalike", "qwen3_vl"),
        ("qwen", "", "qwen_vl"),
        ("kosmos-2", "", "kosmos2"),
        ("llava", "", "auto"),
    ],
)
def test_a_model_is_known_by_its_type_or_name(
    model_type: str | None, name: str, dialect: str
) -> None:
    found = dialect_of(model_type, name)
    assert found.dialect == dialect
    assert found.evidence


def test_a_reply_is_worth_more_than_a_name() -> None:
    found = recognize("<|det|>[[1, 2, 3, 4]]<|/det|>", name="qwen3-vl-4b")
    assert found.dialect == "deepseek_vl2"
    assert "although" in found.evidence[-1]


@pytest.mark.parametrize("most", [1001, 1050, 1100])
def test_a_number_a_little_beyond_the_grid_does_not_make_pixels(most: int) -> None:
    assert recognize(f'[{{"bbox_2d": [120, 300, 480, {most}]}}]').is_ambiguous


def test_an_axis_order_that_is_a_guess_is_said_to_be_one() -> None:
    events = read("auto", ['[{"box_2d": [500, 600, 900, 800], "label": "dog"}]'])
    assert isinstance(events[-1], Remark)
    assert "y first" in events[-1].text
    named = read("gemini", ['[{"box_2d": [500, 600, 900, 800], "label": "dog"}]'])
    assert not any(isinstance(event, Remark) for event in named)


def test_words_alone_say_nothing() -> None:
    assert recognize("A dog sleeps.").dialect == "auto"
    assert recognize("A dog sleeps.", model_type="molmo").dialect == "molmo"
    assert recognize("<gsam>dog</gsam>").dialect == "gsam"


def test_auto_reads_as_the_family_does() -> None:
    for dialect, name, unsettled in labelled():
        case = cases(dialect)[name]
        reply, grounded = case["reply"], case.get("grounded", False)
        if unsettled or (dialect, name) in WRONG | WORDS:
            continue
        own, auto = (
            [
                event
                for event in read(reader, [reply], grounded=grounded)
                if isinstance(event, BoxMention | PointMention | DetectRequest)
            ]
            for reader in (dialect, "auto")
        )
        assert auto == own, (dialect, name)


def test_auto_keeps_an_ambiguous_frame_as_it_is() -> None:
    (box,) = [
        event
        for event in read("auto", ['[{"bbox_2d": [10, 20, 300, 400], "label": "dog"}]'])
        if isinstance(event, BoxMention)
    ]
    assert box.box.frame == EitherFrame((GRID_1000, SEEN_PIXELS))


def test_auto_shows_words_and_acts_on_tags_at_once() -> None:
    seen: list[object] = []

    def reply():
        yield "There is "
        assert seen == [PlainText("There is ")]
        yield "<ref>a dog</ref><box>(1,2),(30,40)</box>"
        assert isinstance(seen[-1], BoxMention)
        yield " here."

    for event in DIALECTS.load("auto").read(reply()):
        seen.append(event)
    assert (
        "".join(event.text for event in seen if isinstance(event, PlainText))
        == "There is a dog here."
    )


def test_no_reply_is_too_strange_to_be_looked_at() -> None:
    rng = random.Random(5)
    replies = [case["reply"] for dialect in RECORDED for case in cases(dialect).values()]
    for _ in range(500):
        found = recognize(mutated(rng, replies))
        assert found.dialect in {*DIALECTS, "ambiguous"}
