"""Masks and presence scores that come from the detector itself."""

import numpy as np
import pytest

import segue
from builders import an_image
from concepts import FixedConcepts, UnaskedSegmenter, triangle
from segue.chat.scripted import Scripted
from segue.detect import Exemplar
from segue.detect.fixed import Fixed
from segue.edit import Edit
from segue.errors import InputError
from segue.evaluate.presence import collect_evidence
from segue.pipeline.answer import MaskReady, NotFound, RegionFound
from segue.presence import PresenceCalibration, PresenceVerdict
from segue.presence.calibration import PresenceModel
from segue.segment.box_fill import BoxFill
from segue.values.box import Box

DOG = Box(8, 6, 24, 18)
TAG = "Here: <gsam>dog</gsam>, no <gsam>cat</gsam>."


def concepts(presence=0.9, score=0.8):
    return FixedConcepts({"dog": [[*DOG.corners, score]]}, {"dog": presence, "cat": 0.1})


def an_assistant(*replies, detector=None, segmenter=None, **options):
    chat = Scripted(list(replies)) if replies else None
    return segue.Assistant(chat, detector or concepts(), segmenter, **options)


@pytest.mark.parametrize("segmenter", [None, UnaskedSegmenter()], ids=["without", "unasked"])
def test_the_tag_route_uses_the_masks_of_the_detector(segmenter):
    assistant = an_assistant(TAG, segmenter=segmenter)
    events = list(assistant.open(an_image()).stream("Segment the dog and the cat."))
    (found,) = (event.region for event in events if isinstance(event, RegionFound))
    (ready,) = (event.region for event in events if isinstance(event, MaskReady))
    assert found.mask == ready.mask == triangle(DOG, an_image())
    assert (ready.found_by, ready.score, ready.box) == ("detector", 0.8, DOG)


@pytest.mark.parametrize("segmenter", [None, UnaskedSegmenter()], ids=["without", "unasked"])
def test_segmenting_by_phrase_asks_no_segmenter(segmenter):
    regions = an_assistant(segmenter=segmenter).segment(an_image(), ["dog", "cat"])
    assert [region.mask for region in regions] == [triangle(DOG, an_image())]
    assert regions.not_found == ("cat",)


def test_boxes_and_clicks_still_go_to_the_segmenter():
    assistant, box = an_assistant(segmenter=BoxFill()), Box(30, 20, 40, 30)
    by_phrase, by_box = assistant.segment(an_image(), "dog", boxes=[box])
    assert by_phrase.mask == triangle(DOG, an_image())
    assert by_box.mask.box == box
    (clicked,) = assistant.segment(an_image(), points=[(20, 20)])
    assert clicked.mask.area == 81


def test_a_box_of_the_chat_model_goes_to_the_segmenter():
    reply = "<ref>cup</ref><box>(500,500),(750,750)</box> and <gsam>dog</gsam>"
    answer = an_assistant(reply, segmenter=BoxFill()).open(an_image()).ask("What is there?")
    cup, dog = answer.regions
    assert (cup.found_by, dog.found_by) == ("chat", "detector")
    assert cup.mask.area == cup.box.area
    assert dog.mask == triangle(DOG, an_image())


def test_a_detected_region_is_refined_by_clicks():
    conversation = an_assistant(TAG, segmenter=BoxFill()).open(an_image())
    (region,) = conversation.ask("Segment the dog.").regions
    refined = conversation.update_region(region.id, points=[(10, 10)])
    assert refined.mask != region.mask
    assert refined.phrase == "dog"


def test_detected_masks_are_kept_with_a_conversation(tmp_path):
    conversation = an_assistant(TAG).open(an_image())
    (region,) = conversation.ask("Segment the dog.").regions
    conversation.save(tmp_path / "talk")
    (kept,) = segue.resume(tmp_path / "talk", an_assistant()).regions
    assert kept.mask == region.mask
    assert kept.verdict == region.verdict


def test_what_was_segmented_is_the_edit_that_follows():
    conversation = an_assistant(TAG).open(an_image())
    (region,) = conversation.ask("Segment the dog.").regions
    edited = conversation.edit(Edit("recolour", (region.id,), {"colour": "#ff0000", "feather": 0}))
    changed = (np.asarray(edited) != np.asarray(an_image())).any(2)
    assert not (changed & ~region.mask.array).any()
    assert changed.any()


@pytest.mark.parametrize(
    ("presence", "expected"), [(0.9, "present"), (0.5, "present"), (0.49, "absent")]
)
def test_without_a_calibration_the_presence_score_is_the_verdict(presence, expected):
    assistant = an_assistant(TAG, detector=concepts(presence, score=0.6))
    events = list(assistant.open(an_image()).stream("Segment the dog and the cat."))
    (region,) = (event.region for event in events if isinstance(event, MaskReady))
    assert region.verdict == PresenceVerdict(presence, expected)
    (missing,) = (event for event in events if isinstance(event, NotFound))
    assert missing.verdict == PresenceVerdict(0.1, "absent")
    (segmented,) = assistant.segment(an_image(), "dog")
    assert segmented.verdict == region.verdict
    assert assistant.missing(an_image(), "cat").verdict == missing.verdict


def test_what_is_likely_there_and_was_not_found_is_said_so():
    detector = FixedConcepts({}, {"cat": 0.75})
    assistant = an_assistant("<gsam>cat</gsam>", detector=detector)
    (event,) = (
        event
        for event in assistant.open(an_image()).stream("Segment the cat.")
        if isinstance(event, NotFound)
    )
    assert event.verdict == PresenceVerdict(0.75, "present")


def test_a_calibration_takes_the_presence_score_as_evidence():
    names = {"chat": None, "detect": "concepts", "segment": None}
    model = PresenceModel(0.0, (2.0, 0.0, 0.0, 0.0))
    calibration = PresenceCalibration(names, {"detector": model})
    assistant = an_assistant(calibration=calibration)
    (region,) = assistant.segment(an_image(), "dog")
    assert region.verdict.probability == pytest.approx(0.81 / 0.82)
    missing = assistant.missing(an_image(), "cat")
    assert missing.verdict.probability == pytest.approx(0.01 / 0.82)
    fitted_on = collect_evidence(assistant, an_image(), "dog")["detector"]
    assert (fitted_on.detector_score, fitted_on.mask_score) == (0.9, None)


def test_a_detector_without_a_presence_score_gives_no_verdict():
    assistant = segue.Assistant(None, Fixed({"dog": [DOG]}), BoxFill())
    (region,) = assistant.segment(an_image(), "dog")
    assert region.verdict is region.presence_score is None


def test_examples_find_what_they_show():
    shown, other = Exemplar(DOG), Exemplar(Box(30, 20, 40, 30), is_positive=False)
    assistant = an_assistant(segmenter=UnaskedSegmenter())
    (region,) = assistant.segment(an_image(), "dog", exemplars=[shown, other])
    assert (region.id, region.phrase, region.box) == ("r1", "dog", DOG)
    assert region.mask == triangle(DOG, an_image())
    (unnamed,) = assistant.segment(an_image(), exemplars=[shown])
    assert unnamed.phrase == ""
    with pytest.raises(InputError, match="show one thing, got 2 phrases"):
        assistant.segment(an_image(), ["dog", "cat"], exemplars=[shown])


def test_what_is_like_an_example_becomes_regions_in_one_step():
    talk = an_assistant(segmenter=UnaskedSegmenter()).open(an_image())
    shown = [Exemplar(DOG), Exemplar(Box(30, 20, 40, 30))]
    seen = talk.add_regions_like(shown, phrase="dog", preview=True)
    assert (len(seen), talk.regions) == (2, ())
    kept = talk.add_regions_like(shown, phrase="dog")
    assert [(region.id, region.names, region.box) for region in kept] == [
        ("r1", ("dog",), DOG),
        ("r2", ("dog",), shown[1].box),
    ]
    assert talk.regions == kept
    talk.undo()
    assert talk.regions == ()
    assert talk.add_regions_like([Exemplar(DOG, is_positive=False)], phrase="dog") == ()
    with pytest.raises(InputError, match="There is no picture 3"):
        talk.add_regions_like(shown, 3)


def test_examples_need_a_detector_that_takes_them():
    assistant = segue.Assistant(None, Fixed({"dog": [DOG]}), BoxFill())
    with pytest.raises(InputError, match=r"takes boxes, got 'fixed'. Load one: .*detect='sam3'"):
        assistant.segment(an_image(), exemplars=[Exemplar(DOG)])


def test_cached_masks_are_bounded():
    assistant = an_assistant()
    assistant.segment(an_image(), "dog")
    kept = assistant.grounder._detections
    assert 0 < kept.size_bytes < kept.budget_bytes
