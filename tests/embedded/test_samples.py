"""The sample scenes that are bundled."""

import numpy as np

from segue.embedded.samples import samples
from segue.values.mask import Mask


def test_masks_fit_their_boxes() -> None:
    for sample in samples():
        for true_object in sample.objects:
            array = Mask.from_rle(true_object.rle).array
            rows, columns = np.flatnonzero(array.any(1)), np.flatnonzero(array.any(0))
            assert true_object.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_the_airport_is_asked_the_reference_questions() -> None:
    airport = samples()[0]
    assert "这是什么?" in airport.questions
    assert "框出图片中飞机的位置" in airport.questions
    assert "Can you segment the airplane in this image?" in airport.questions
