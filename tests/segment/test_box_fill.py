"""The stand-in segmenter."""

import numpy as np

from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.image import Image


def test_the_mask_is_the_box():
    view = BoxFill().look(Image.open(np.zeros((20, 30, 3), np.uint8)))
    (mask,) = view.mask(boxes=[Box(3, 4, 10, 12)])
    assert mask.box == Box(3, 4, 10, 12)
    assert mask.area == 7 * 8


def test_clicks_add_and_take_away_squares():
    view = BoxFill().look(Image.open(np.zeros((20, 30, 3), np.uint8)))
    (mask,) = view.mask(points=[(10.5, 10.5), (25.5, 10.5)])
    assert mask.area == 2 * 81
    (less,) = view.mask(points=[(10.5, 10.5), (10.5, 10.5)], labels=[1, 0])
    assert less.is_empty
    assert less.score == 0
