"""The sample scenes that are shipped."""

import numpy as np
from PIL import Image

from segue.embedded.backgrounds import NAMES
from segue.embedded.samples import COMPOSITIONS, samples
from segue.values.mask import Mask


def test_every_composition_is_shipped_with_its_truth() -> None:
    assert [sample.name for sample in samples()] == [c.name for c in COMPOSITIONS]
    for sample, composition in zip(samples(), COMPOSITIONS, strict=True):
        assert len(sample.objects) == len(composition.items)
        assert sample.background in NAMES
        with Image.open(sample.file) as picture:
            assert picture.size == (640, 480)


def test_masks_fit_their_boxes() -> None:
    for sample in samples():
        for found in sample.objects:
            array = Mask.from_rle(found.rle).array
            rows, columns = np.flatnonzero(array.any(1)), np.flatnonzero(array.any(0))
            assert found.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_samples_are_drawn_in_shippable_styles_only() -> None:
    assert {i.style for c in COMPOSITIONS for i in c.items} <= {"noto", "fluent-flat", "fluent"}


def test_the_airport_is_asked_the_reference_questions() -> None:
    airport = samples()[0]
    assert "这是什么?" in airport.questions
    assert "框出图片中飞机的位置" in airport.questions
    assert "Can you segement the airplane in this image?" in airport.questions
