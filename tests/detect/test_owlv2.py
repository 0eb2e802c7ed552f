"""OWLv2 beyond the contract."""

import numpy as np
import pytest

from segue.detect import owlv2
from segue.errors import ModelError
from segue.values.box import Size
from segue.values.image import Image
from tiny_models import tiny_owlv2


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return owlv2.load(tiny_owlv2(tmp_path_factory.mktemp("owlv2")), device="cpu")


def test_boxes_are_fractions_of_the_longer_side(detector):
    boxes = np.array([[0.5, 0.25, 0.2, 0.1]])
    corners = detector._corners(boxes, Size(height=50, width=100))
    assert corners == pytest.approx(np.array([[40, 20, 60, 30]]))


def test_the_picture_stands_in_the_corner_of_a_square(detector):
    image = Image.open(np.full((20, 60, 3), 200, np.uint8))
    square = owlv2._pad_to_square(image)
    assert square.size == (60, 60)
    assert (square.array[:20] == 200).all()
    assert not square.array[20:].any()


def test_several_pictures_are_answered_one_by_one(detector):
    images = [Image.open(np.full((20, 60, 3), tone, np.uint8)) for tone in (50, 200)]
    many = detector.find_many(images, ["cat"], 0.0)
    assert many == [detector.find(image, ["cat"], 0.0) for image in images]


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "owlvit"}')
    with pytest.raises(ModelError, match="type 'owlv2', but its config.json says 'owlvit'"):
        owlv2.load(tmp_path)
