"""Sceneries: backgrounds of many kinds under names that the chat model knows."""

import numpy as np
import pytest

from lab.scenes import backgrounds
from lab.scenes.scenery import SCENERY, colour_name, paint_scenery


@pytest.mark.parametrize("name", SCENERY)
def test_every_scenery_can_be_painted_at_any_size(name: str) -> None:
    for seed, (height, width) in enumerate(((60, 90), (96, 64), (100, 100))):
        picture, background = paint_scenery(np.random.default_rng(seed), name, height, width)
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert background in backgrounds.NAMES


@pytest.mark.parametrize("name", SCENERY)
def test_the_same_seed_paints_the_same_scenery(name: str) -> None:
    first, second = (paint_scenery(np.random.default_rng(4), name, 80, 80)[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_a_plain_surface_is_called_by_its_colour() -> None:
    assert colour_name(np.full((40, 40, 3), (50, 100, 210), np.uint8)) == "blue"
    assert paint_scenery(np.random.default_rng(0), "plain", 60, 60)[1] in backgrounds.COLOURS
