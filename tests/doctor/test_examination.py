"""The doctor names each defect of an endpoint, and its profile makes later calls right."""

import pytest

from fake_openai import FakeOpenAI
from segue.assistant import Assistant
from segue.assistant.loading import load_stage
from segue.chat.openai import OpenAIChat
from segue.chat.openai.address import Address
from segue.doctor import Verdict, examine
from segue.doctor.drawings import grounding_drawings
from segue.errors import ModelError
from segue.pipeline.coordinates import CoordinateMapping
from segue.runtime import profile as profiles
from segue.values.frames import GRID_1000, SEEN_PIXELS


def examined(model: str = "Qwen3-VL", **behaviour) -> Verdict:
    with FakeOpenAI(models=(model,), **behaviour) as server:
        return examine(OpenAIChat(Address(model, server.url)))


def defects(verdict: Verdict) -> set[str]:
    return {finding.topic for finding in verdict.defects}


@pytest.mark.parametrize(("model", "markup"), [
    ("Qwen3-VL", "qwen3_vl"), ("Qwen2.5-VL", "qwen2_5_vl"), ("Qwen2-VL", "qwen2_vl"),
    ("something", "qwen_vl"), ("something", "qwen3_vl"),
])  # fmt: skip
def test_a_good_endpoint_has_no_defects_and_its_dialect_is_found(model, markup) -> None:
    verdict = examined(model, markup=markup)
    assert defects(verdict) == set()
    assert verdict.profile.dialect == markup
    assert verdict.profile.frame is None
    assert set(verdict.pictures) == {"wide", "tall"}


@pytest.mark.parametrize(("behaviour", "what", "words"), [
    ({"strips_tokens": True, "markup": "qwen2_vl"}, "tokens", "strips special tokens"),
    ({"most_characters": 60}, "length", "59 characters arrived, up to the number 23 of 60"),
    ({"cut_after": 6}, "length", "truncated: 29 characters"),
    ({"pictures": 1}, "several pictures", "only the first one reaches the model"),
    ({"streams": False}, "streaming", "does not stream"),
    ({"miscounts": True}, "counting", "counts 7 circles where there are 5"),
    ({"statuses": [429, 500]}, "load", "2 requests had to be repeated"),
    ({"thinks": "aloud"}, "thoughts", "It thinks aloud"),
    ({"thinks": "only"}, "thoughts", "It only thinks"),
    ({"fails_after": 3}, "errors", "CUDA out of memory"),
])  # fmt: skip
def test_each_defect_is_named(behaviour, what, words) -> None:
    verdict = examined(**behaviour)
    assert what in defects(verdict)
    assert words in " ".join(finding.text for finding in verdict.defects)
    assert verdict.profile.found


def test_a_server_that_thinks_aloud_is_waited_for_from_then_on() -> None:
    verdict = examined(thinks="aloud")
    assert verdict.profile.thinks is True
    assert verdict.profile.dialect == "qwen3_vl"
    assert {finding.topic for finding in verdict.defects} == {"thoughts"}


@pytest.mark.parametrize("thinks", ["marked", "field"])
def test_thoughts_that_are_marked_are_no_defect(thinks) -> None:
    verdict = examined(thinks=thinks)
    assert defects(verdict) == set()
    assert verdict.profile.thinks is False


def test_content_in_parts_is_no_defect() -> None:
    assert defects(examined(content="parts")) == set()


def test_a_server_that_resizes_is_caught_and_worked_around() -> None:
    verdict = examined("Qwen2.5-VL", markup="qwen2_5_vl", most_pixels=150_000)
    (defect,) = verdict.defects
    assert defect.topic == "size"
    assert "896 x 560 became 489 x 306" in defect.text
    profile = verdict.profile
    assert 140_000 < (profile.most_pixels or 0) <= 150_000
    assert profile.frame == SEEN_PIXELS or profile.dialect == "qwen2_5_vl"


def test_a_frame_other_than_the_dialects_is_found() -> None:
    verdict = examined("Qwen2-VL", markup="qwen3_vl")
    assert verdict.profile.dialect == "qwen3_vl"
    assert "a grid 0-1000" in " ".join(finding.text for finding in verdict.findings)


def test_fields_that_a_server_does_not_know_are_listed() -> None:
    verdict = examined(refused=("skip_special_tokens",))
    assert "does not accept skip_special_tokens" in verdict.findings[-1].text


@pytest.mark.parametrize(
    "behaviour", [{"key": "k"}, {"sees": False}, {"content_type": "text/html"}]
)
def test_an_endpoint_that_does_not_answer_is_an_error_in_words(behaviour) -> None:
    with pytest.raises(ModelError):
        examined(**behaviour)


def test_a_profile_is_used_where_it_is_given_and_logged(monkeypatch, tmp_path, caplog) -> None:
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    behaviour = {"markup": "qwen2_5_vl", "most_pixels": 150_000}
    with FakeOpenAI(models=("Qwen2.5-VL",), **behaviour) as server:
        source = f"openai:Qwen2.5-VL@{server.url}"
        without = load_stage("chat", source)
        profiles.save(examine(without).profile)
        assert load_stage("chat", source).profile == without.profile  # the home is not read
        with caplog.at_level("INFO", "segue.assistant.loading"):
            chat = load_stage("chat", source, find_profile=profiles.load)
        assert "using the profile that segue doctor made" in caplog.text
        drawing = grounding_drawings()[0]
        answer = Assistant(chat, None, None).open(drawing.image).ask("The blue square, JSON.")
    (region,) = answer.regions
    assert region.box.iou(drawing.shapes[1].box) > 0.95


def test_a_model_without_boxes_is_told_so() -> None:
    verdict = examine(_Mute())
    assert "boxes" in defects(verdict)
    assert verdict.profile.dialect is None


def test_boxes_in_the_wrong_place_are_no_dialect() -> None:
    verdict = examine(_Mute("<box>(1,1),(9,9)</box>"))
    assert verdict.profile.dialect is None
    assert "the coordinate frame is unknown" in verdict.findings[-1].text


class _Mute:
    """A chat model that always says the same."""

    name, dialect, frame = "mute", "qwen_vl", GRID_1000

    def __init__(self, reply: str = "I cannot point.") -> None:
        self.reply = reply

    def stream(self, messages, sampling):
        yield from self.reply.split(" ")
        return "stop"


def test_what_a_model_says_of_itself_is_enough_to_draw_its_boxes() -> None:
    verdict = examined("Qwen2.5-VL", markup="qwen2_5_vl")
    with FakeOpenAI(models=("Qwen2.5-VL",)) as server:
        chat = OpenAIChat(Address("Qwen2.5-VL", server.url), profile=verdict.profile)
        assert CoordinateMapping.of(chat).frame is None
