from dataclasses import dataclass

import numpy as np

from segue.segment.views import Views
from segue.values.image import Image


@dataclass
class AView:
    size_bytes: int = 100


def picture(shade):
    return Image.open(np.full((4, 4, 3), shade, np.uint8))


def test_the_same_pixels_are_encoded_once():
    views, looked = Views(), []
    for image in (picture(1), picture(1), picture(2)):
        views.of(image, lambda image: looked.append(image) or AView())
    assert len(looked) == 2


def test_the_least_recently_used_view_leaves_first():
    views, looked = Views(budget_bytes=200), []

    def look(image):
        looked.append(int(image.array[0, 0, 0]))
        return AView()

    for shade in (1, 2, 1, 3, 1, 2):
        views.of(picture(shade), look)
    assert looked == [1, 2, 3, 2]
    assert views.size_bytes == 200


def test_one_view_larger_than_the_budget_is_kept():
    views = Views(budget_bytes=10)
    views.of(picture(1), lambda image: AView(1000))
    assert len(views) == 1
