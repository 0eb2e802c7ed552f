"""Verdicts on what an answer found, and the second look."""

import math

import pytest

import segue
from builders import an_image
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.pipeline.answer import MaskReady, NotFound, Notice
from segue.presence import PresenceCalibration
from segue.presence.calibration import PresenceModel
from segue.segment.box_fill import BoxFill

DETECTOR = PresenceModel(0.0, (1.0, 0.0, 0.0, 0.0))
"""The probability is the score."""
CHAT = PresenceModel(-0.5, (0.0, 0.9, 0.0, 0.0))
BOTH = PresenceModel(-2.0, (1.0, 4.0, 0.0, 0.0))
POINTING = "<ref>dog</ref><box>(125,125),(375,375)</box>"


def an_assistant(*replies, score=0.6, second_look=0, segmenter=True, **kinds):
    chat = Scripted(list(replies)) if replies else None
    detector = Fixed({"dog": [[8, 6, 24, 18, score]]})
    stages = {"chat": chat, "detect": detector, "segment": BoxFill() if segmenter else None}
    names = {kind: getattr(stage, "name", None) for kind, stage in stages.items()}
    models = kinds or {"detector": DETECTOR, "chat": CHAT, "both": BOTH}
    return segue.Assistant(
        *stages.values(),
        box_threshold=0.5,
        calibration=PresenceCalibration(names, models),
        second_look=second_look,
        route="auto",
    )


def events_of(assistant, question="Segment the dog."):
    return list(assistant.open(an_image()).stream(question))


@pytest.mark.parametrize("segmenter", [True, False])
@pytest.mark.parametrize(("score", "presence"), [(0.9, "present"), (0.6, "unsure")])
def test_what_the_detector_finds_has_a_verdict(score, presence, segmenter):
    assistant = an_assistant(score=score, segmenter=segmenter)
    (answer,) = (assistant.open(an_image()).ask("Segment the dog."),)
    (region,) = answer.regions
    assert (region.verdict.presence, region.verdict.probability) == (presence, pytest.approx(score))
    (verdict,) = answer.verdicts
    assert (verdict.phrase, verdict.image, verdict.verdict) == ("dog", 0, region.verdict)


@pytest.mark.parametrize(("score", "presence"), [(0.45, "unsure"), (0.05, "absent")])
def test_what_the_detector_does_not_find_has_a_verdict_by_its_best_score(score, presence):
    answer = an_assistant(score=score).open(an_image()).ask("Segment the dog.")
    assert answer.not_found == ("dog",)
    assert answer.verdicts[0].verdict.presence == presence
    assert answer.verdicts[0].verdict.probability == pytest.approx(score)


def test_what_the_chat_model_points_at_or_denies_has_a_verdict():
    events = events_of(an_assistant(POINTING, score=0.1), "What is it?")
    (mask,) = [event for event in events if isinstance(event, MaskReady)]
    assert mask.region.verdict.presence == "unsure"


def test_without_a_calibration_for_the_models_nothing_is_judged_or_asked():
    assistant = an_assistant(score=0.45)
    assistant.detector = Counting({"dog": [[8, 6, 24, 18, 0.45]]})
    answer = assistant.open(an_image()).ask("Segment the dog.")
    assert (answer.verdicts, assistant.detector.calls) == ((), 1)


class Counting(Fixed):
    """Counts how often it is asked."""

    name = "counting"
    calls = 0

    def find(self, *arguments, **options):
        self.calls += 1
        return super().find(*arguments, **options)


def test_a_calibration_of_other_models_is_refused():
    calibration = PresenceCalibration({"detect": "another"}, {"detector": DETECTOR})
    with pytest.raises(InputError, match="was fitted for"):
        segue.Assistant(None, Fixed({}), calibration=calibration)
    with pytest.raises(InputError, match="second_look"):
        segue.Assistant(None, Fixed({}), second_look=-1)


def test_the_second_look_is_off_by_default():
    events = events_of(an_assistant(POINTING, score=0.6))
    assert not any(isinstance(event, Notice) for event in events)


def test_a_second_look_settles_what_is_unsure_and_says_what_it_cost():
    assistant = an_assistant(POINTING, score=0.6, second_look=1)
    answer = assistant.open(an_image()).ask("Segment the dog.")
    (region,) = answer.regions
    assert (region.verdict.presence, region.agreement) == ("present", pytest.approx(1.0))
    (notice,) = answer.notices
    assert notice.startswith("Second look at 'dog': the chat model points at it (")
    assert "unsure (60 %) before, now present" in notice


def test_a_second_look_finds_what_the_detector_missed():
    assistant = an_assistant(POINTING, score=0.45, second_look=1)
    answer = assistant.open(an_image()).ask("Segment the dog.")
    (region,) = answer.regions
    assert (region.found_by, region.verdict.presence) == ("chat", "present")
    assert region.mask is not None
    assert answer.not_found == ()


def test_a_second_look_may_confirm_that_it_is_absent():
    assistant = an_assistant("No.", score=0.45, second_look=1)
    (missing,) = [e for e in events_of(assistant) if isinstance(e, NotFound)]
    assert missing.verdict.presence == "absent"


def test_the_detector_looks_again_at_what_the_chat_model_points_at():
    assistant = an_assistant(POINTING, score=0.9, second_look=3)
    answer = assistant.open(an_image()).ask("What is it?")
    assert answer.regions[0].verdict.presence == "present"
    assert "the detector points at it" in answer.notices[0]


def test_the_budget_is_for_one_answer():
    assistant = an_assistant("No.", "No.", score=0.45, second_look=1)
    assistant.detector.table["cat"] = assistant.detector.table["dog"]
    conversation = assistant.open(an_image())
    answer = conversation.ask("Segment the dog and the cat.")
    assert len(answer.notices) == 1
    assert [one.verdict.presence for one in answer.verdicts] == ["absent", "unsure"]
    assert len(conversation.ask("Segment the cat.").notices) == 1


def test_cross_checking_gives_the_verdict_of_both():
    assistant = an_assistant(POINTING, score=0.6)
    conversation = assistant.open(an_image())
    answer = conversation.cross_check(conversation.ask("Segment the dog."))
    assert answer.regions[0].verdict.presence == "present"


def test_verdicts_are_kept_in_a_session(tmp_path):
    assistant = an_assistant(score=0.45)
    conversation = assistant.open(an_image())
    conversation.ask("Segment the dog.")
    reopened = segue.resume(conversation.save(tmp_path / "s"), assistant)
    assert reopened.answers[0].to_json() == conversation.answers[0].to_json()
    assert reopened.answers[0].verdicts[0].verdict.presence == "unsure"


def test_segmenting_without_a_conversation_gives_verdicts():
    assistant = an_assistant(score=0.9)
    (region,) = assistant.segment(an_image(), phrases="dog")
    assert region.verdict.presence == "present"
    assert assistant.missing(an_image(), "cat").verdict.presence == "absent"
    (region,) = assistant.segment(an_image(), boxes=[(1, 1, 9, 9)])
    assert region.verdict is None


def test_words_that_deny_a_phrase_count_against_it():
    assistant = an_assistant("There is no dog in the picture.", score=0.45)
    answer = assistant.open(an_image()).ask("Is there a dog?")
    assert answer.not_found == ("dog",)
    expected = 1 / (1 + math.exp(2.0 - math.log(0.45 / 0.55)))
    assert answer.verdicts[0].verdict.probability == pytest.approx(expected)
    assistant = an_assistant("There is no dog in the picture.")
    answer = assistant.open(an_image()).ask("Frame the dog.", route="box")
    (verdict,) = answer.verdicts
    assert (verdict.phrase, answer.not_found) == ("dog", ())
    assert verdict.verdict.probability == pytest.approx(1 / (1 + math.exp(0.5)))
