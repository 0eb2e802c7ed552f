"""What every detector promises. A new line in DETECTORS is tested here without a new test."""

import numpy as np
import pytest

from segue.detect import DETECTORS, ConceptDetector, Detector, Exemplar
from segue.errors import InputError, ModelError
from segue.runtime.weights import locate
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_clipseg, tiny_grounding_dino, tiny_omdet_turbo, tiny_owlv2, tiny_sam3
from workers import one_worker_each

TINY = {
    "grounding_dino": tiny_grounding_dino,
    "owlv2": tiny_owlv2,
    "omdet_turbo": tiny_omdet_turbo,
    "sam3": tiny_sam3,
    "clipseg": tiny_clipseg,
}
BUNDLED = "grounding_dino on board"
TABLE = {"cat": [(-5, -5, 900, 900, 0.9), (0, 0, 1, 1, 0.4)], "hot dog": [(0, 0, 2, 2, 0.8)]}
SIZES = [Size(48, 64), Size(1, 300), Size(300, 1), Size(333, 77), Size(3, 3)]
PHRASES = ["cat", "hot dog", "dog"]


@pytest.fixture(scope="module", params=one_worker_each("detector", [*DETECTORS, BUNDLED]))
def detector(request, tmp_path_factory):
    name = request.param
    if name == BUNDLED:
        try:
            return DETECTORS.load("grounding_dino", locate("embedded/detector"), device="cpu")
        except ModelError:
            pytest.skip("no weights on board")
    if name == "fixed":
        return DETECTORS.load(name, TABLE)
    if DETECTORS[name].stand_in:
        return DETECTORS.load(name)
    assert name in TINY, f"write a tiny model for the contract of {name!r}"
    return DETECTORS.load(name, TINY[name](tmp_path_factory.mktemp(name)), device="cpu")


def a_picture(size=SIZES[0], seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Image.open(pixels)


def everything(detector, image, phrases=PHRASES):
    return detector.find(image, phrases, box_threshold=0.0, text_threshold=0.0)


def test_it_has_a_name_and_finds(detector):
    assert isinstance(detector, Detector)
    assert detector.name


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_boxes_lie_in_the_picture_and_have_area(detector, size):
    for one in everything(detector, a_picture(size)):
        assert one.phrase in PHRASES
        assert 0 <= one.box.x0 < one.box.x1 <= size.width
        assert 0 <= one.box.y0 < one.box.y1 <= size.height
        assert 0 <= one.score <= 1
        assert type(one.score) is float


def test_answers_are_grouped_by_phrase_best_first(detector):
    found = everything(detector, a_picture())
    assert found
    rank = [(PHRASES.index(one.phrase), -one.score) for one in found]
    assert rank == sorted(rank)


def test_asking_again_changes_nothing(detector):
    assert everything(detector, a_picture()) == everything(detector, a_picture())


def test_phrases_come_back_as_the_caller_wrote_them(detector):
    found = everything(detector, a_picture(), ["  The CAT. ", "Cat"])
    assert found
    assert {one.phrase for one in found} <= {"  The CAT. ", "Cat"}


def test_case_and_dots_do_not_matter(detector):
    plain, dressed = (
        everything(detector, a_picture(), ["cat"]),
        everything(detector, a_picture(), ["CAT."]),
    )
    assert [(f.box, f.score) for f in plain] == [(f.box, f.score) for f in dressed]


def test_a_repeated_phrase_is_answered_once(detector):
    once = everything(detector, a_picture(), ["cat"])
    assert everything(detector, a_picture(), ["cat", "cat"]) == once


def test_nothing_found_is_an_empty_list(detector):
    assert detector.find(a_picture(), PHRASES, box_threshold=1.0) == []
    assert detector.find(a_picture(), PHRASES, text_threshold=1.0) == []


@pytest.mark.parametrize("phrases", [[], [""], ["  "], ["."], ["?!", ""]], ids=repr)
def test_empty_phrases_find_nothing(detector, phrases):
    assert everything(detector, a_picture(), phrases) == []


@pytest.mark.parametrize(
    "phrase",
    ["飞机", "café crème", "naïve", "cat [SEP] dog", "mr. cat?", "cat " * 400, "🐈", "\x00"],
    ids=lambda phrase: repr(phrase[:14]),
)
def test_odd_phrases_are_answered_not_refused(detector, phrase):
    assert {one.phrase for one in everything(detector, a_picture(), [phrase])} <= {phrase}


def test_many_phrases_fit(detector):
    phrases = [f"{a} {b}" for a in ("cat", "cup", "red") for b in ("a", "the", "hot", "remote")]
    found = everything(detector, a_picture(), [*phrases, *PHRASES])
    assert {one.phrase for one in found} <= {*phrases, *PHRASES}


def test_thresholds_only_take_away(detector):
    found = everything(detector, a_picture())
    floor = sorted(one.score for one in found)[len(found) // 2]
    fewer = detector.find(a_picture(), PHRASES, box_threshold=floor, text_threshold=0.0)
    assert all(one.score > floor for one in fewer)
    assert set(fewer) <= set(found)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 30, float("nan")])
def test_thresholds_are_fractions(detector, threshold):
    with pytest.raises(InputError, match=r"must be in \[0, 1\]"):
        detector.find(a_picture(), PHRASES, box_threshold=threshold)
    with pytest.raises(InputError, match=r"must be in \[0, 1\]"):
        detector.find(a_picture(), PHRASES, text_threshold=threshold)


def test_a_text_instead_of_a_list_is_refused(detector):
    with pytest.raises(InputError, match="list of texts"):
        detector.find(a_picture(), "cat")


def test_masks_come_with_every_detection_or_with_none(detector):
    found = everything(detector, a_picture())
    is_complete = isinstance(detector, ConceptDetector)
    assert {one.mask is not None for one in found} == {is_complete}
    assert {one.presence_score is not None for one in found} == {is_complete}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masks_have_the_size_of_the_picture(detector, size):
    for one in everything(detector, a_picture(size)):
        assert one.mask is None or one.mask.size == size


def test_a_stated_presence_is_one_number_for_a_phrase(detector):
    if not isinstance(detector, ConceptDetector):
        pytest.skip("it states none")
    assert 0 <= detector.presence_threshold <= 1
    for one in everything(detector, a_picture()):
        assert one.presence_score == detector.presence_score(a_picture(), one.phrase)
    assert detector.presence_score(a_picture(), "?") == 0


def test_what_boxes_show_is_found_with_and_without_a_phrase(detector):
    if not isinstance(detector, ConceptDetector):
        pytest.skip("it takes no boxes")
    shown, other = Exemplar(Box(4, 4, 20, 30)), Exemplar(Box(30, 4, 60, 30), is_positive=False)
    for phrase in ("cat", ""):
        found = detector.find_like(a_picture(), [shown, other], phrase, box_threshold=0.0)
        assert found
        assert {one.phrase for one in found} == {phrase}
    with pytest.raises(InputError, match="one example at least"):
        detector.find_like(a_picture(), [], "cat")
    with pytest.raises(InputError, match="area in the picture"):
        detector.find_like(a_picture(), [Exemplar(Box(90, 4, 99, 30))])
