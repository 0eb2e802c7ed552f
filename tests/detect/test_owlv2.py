"""OWLv2 beyond the contract."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

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
    square = owlv2._padded_to_square(image)
    assert square.shape == (60, 60, 3)
    assert square[:20] == pytest.approx(200 / 255)
    assert not square[20:].any()


@pytest.mark.parametrize("side", [20, 60], ids=["grows", "shrinks"])
def test_pixels_are_those_of_the_published_resizing(detector, side):
    """A Gaussian of (side / 32 - 1) / 2, then bilinear without antialiasing."""
    noise = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    values = torch.from_numpy(noise).permute(2, 0, 1)[None].float() / 255
    if (sigma := (side / 32 - 1) / 2) > 0:
        reach = math.ceil(3 * sigma)
        curve = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
        kernel = torch.outer(curve, curve) / curve.sum() ** 2
        values = F.pad(values, [reach] * 4, mode="reflect")
        values = F.conv2d(values, kernel.expand(3, 1, -1, -1), groups=3)
    values = F.interpolate(values, (32, 32), mode="bilinear")[0].numpy()
    pixels = detector.network_pixels(Image.open(noise))
    assert pixels == pytest.approx(detector.resizing.normalized(values), abs=1e-4)


def test_several_pictures_are_answered_one_by_one(detector):
    images = [Image.open(np.full((20, 60, 3), tone, np.uint8)) for tone in (50, 200)]
    many = detector.find_many(images, ["cat"], 0.0)
    assert many == [detector.find(image, ["cat"], 0.0) for image in images]


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "owlvit"}')
    with pytest.raises(ModelError, match="type 'owlv2', but its config.json says 'owlvit'"):
        owlv2.load(tmp_path)
