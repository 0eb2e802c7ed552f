"""Grounding DINO beyond the contract: which phrase an answer belongs to, batches, guards."""

import numpy as np
import pytest
import torch

from segue.detect import grounding_dino
from segue.detect.captions import Caption
from segue.errors import InputError, ModelError
from segue.values.box import Size
from segue.values.image import Image
from tiny_models import tiny_grounding_dino


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_grounding_dino(tmp_path_factory.mktemp("gdino"), nms_iou=0.5)


@pytest.fixture(scope="module")
def detector(folder):
    return grounding_dino.load(folder, device="cpu")


def a_picture(height=48, width=64, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


SIZE = Size(100, 200)
TWO = Caption(
    ids=(101, 1, 2, 1012, 1, 1012, 102), phrases=("hot dog", "dog"), spans=((1, 3), (4, 5))
)


def objects(detector, scores, boxes, floor=0.3):
    return detector._objects(SIZE, TWO, np.array(scores), np.array(boxes, float), floor)


def test_a_query_answers_only_the_phrase_it_fits_best(detector):
    boxes = [[0.25, 0.5, 0.2, 0.4], [0.75, 0.5, 0.2, 0.4]]
    scores = [
        [0.99, 0.8, 0.7, 0.99, 0.6, 0.99, 0.99],  # a hot dog, which looks a bit like a dog
        [0.99, 0.1, 0.7, 0.99, 0.9, 0.99, 0.99],  # a dog
    ]
    found = objects(detector, scores, boxes)
    assert [one.score for one in found["hot dog"]] == [0.8]
    assert [one.score for one in found["dog"]] == [0.9]
    assert found["dog"][0].box.corners == pytest.approx((130, 30, 170, 70))


def test_separators_count_for_nothing(detector):
    found = objects(detector, [[0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9]], [[0.5, 0.5, 0.2, 0.2]])
    assert found == {"hot dog": [], "dog": []}


def test_a_score_must_pass_both_thresholds(detector):
    image = a_picture()
    scores = sorted(one.score for one in detector.find(image, ["cat", "cup"], 0.0, 0.0))
    middle = (scores[0] + scores[-1]) / 2
    for box, text in ((middle, 0.0), (0.0, middle)):
        found = detector.find(image, ["cat", "cup"], box, text)
        assert 0 < len(found) < len(scores)
        assert all(one.score > middle for one in found)


def test_equal_phrases_share_their_answers(detector):
    found = detector.find(a_picture(), ["Dog", "cat", "dog.", "Dog"], 0.0, 0.0)
    by_phrase = {p: [(f.box, f.score) for f in found if f.phrase == p] for p in ("Dog", "dog.")}
    assert by_phrase["Dog"] == by_phrase["dog."]
    assert by_phrase["Dog"]
    order = list(dict.fromkeys(one.phrase for one in found))
    assert order == [p for p in ("Dog", "cat", "dog.") if p in order]


def test_phrases_without_a_known_word_are_not_found(detector):
    assert detector.find(a_picture(), ["飞机", "", "?", "zebra"], 0.0, 0.0) == []


def test_more_phrases_than_a_caption_holds_are_asked_in_several(detector):
    phrases = [f"{one} {other}" for one in ("cat", "dog", "cup") for other in ("hot", "red", "the")]
    many = [*phrases, *(f"{phrase} a" for phrase in phrases)]
    packed = detector.captions(many)
    assert len(packed) > 1
    assert [p for caption in packed for p in caption.phrases] == many
    assert all(len(caption.ids) <= detector.max_tokens == 32 for caption in packed)
    found = detector.find(a_picture(), many, 0.0, 0.0)
    assert {one.phrase for one in found} & set(packed[-1].phrases)


def test_a_batch_equals_single_calls(detector):
    images = [a_picture(), a_picture(seed=1), a_picture(90, 40), a_picture(seed=2)]
    together = detector.find_many(images, ["cat", "hot dog"], 0.0, 0.0)
    for image, found in zip(images, together):
        alone = detector.find(image, ["cat", "hot dog"], 0.0, 0.0)
        assert [one.phrase for one in found] == [one.phrase for one in alone]
        assert np.allclose([f.score for f in found], [f.score for f in alone], atol=1e-4)


def test_each_picture_of_a_batch_may_have_its_own_phrases(detector):
    images = [a_picture(), a_picture(seed=1)]
    first, second = detector.find_many(images, [["cat"], ["hot dog", "cup"]], 0.0, 0.0)
    assert {one.phrase for one in first} == {"cat"}
    assert {one.phrase for one in second} <= {"hot dog", "cup"}
    with pytest.raises(InputError, match="1 lists for 2 pictures"):
        detector.find_many(images, [["cat"]])


def test_defaults_come_from_the_folder(tmp_path):
    folder = tiny_grounding_dino(tmp_path, box_threshold=0.99, text_threshold=0.1, nms_iou=0.2)
    detector = grounding_dino.load(folder, device="cpu")
    options = grounding_dino.DinoOptions(box_threshold=0.99, text_threshold=0.1, nms_iou=0.2)
    assert detector.options == options
    assert len(detector.find(a_picture(), ["cat"])) <= len(detector.find(a_picture(), ["cat"], 0.0))


def test_mm_grounding_dino_is_read_too(tmp_path):
    folder = tiny_grounding_dino(tmp_path, kind="mm-grounding-dino")
    detector = grounding_dino.load(folder, device="cpu")
    assert detector.find(a_picture(), ["cat"], 0.0, 0.0)


def test_half_precision_is_finite_and_weights_stay_whole(folder):
    detector = grounding_dino.load(folder, device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in detector.model.parameters()} == {torch.float32}
    assert detector.find(a_picture(), ["cat"], 0.0, 0.0)


def test_numbers_that_are_not_finite_are_reported(folder):
    detector = grounding_dino.load(folder, device="cpu")
    with torch.no_grad():
        detector.model.model.level_embed.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"not finite.*float32"):
        detector.find(a_picture(), ["cat"])


def test_files_of_something_else_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    tiny = tmp_path / "x.pth"
    torch.save({"some.weight": torch.ones(1)}, tiny)
    with pytest.raises(ModelError, match="'grounding-dino' or 'mm-grounding-dino'.*'bert'"):
        grounding_dino.read_grounding_dino(tmp_path)
    with pytest.raises(ModelError, match="original Grounding DINO.*'some.weight'"):
        grounding_dino.read_grounding_dino(tiny)
