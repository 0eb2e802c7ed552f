"""Colours of things."""

import numpy as np
import pytest

from lab.scenes import backgrounds
from lab.scenes.colours import CHINESE, NAMES, colours_of, terms


@pytest.mark.parametrize("name", NAMES)
def test_the_plain_backgrounds_have_the_colour_they_are_called_by(name) -> None:
    image = np.full((4, 5, 3), backgrounds.COLOURS[name], np.uint8)
    assert {NAMES[term] for term in terms(image).ravel()} == {name}


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 0, 0), "red"),
        ((120, 20, 20), "red"),
        ((255, 105, 180), "pink"),
        ((255, 200, 200), "pink"),
        ((139, 69, 19), "brown"),
        ((210, 160, 110), "brown"),
        ((255, 215, 0), "yellow"),
        ((20, 30, 120), "blue"),
        ((128, 128, 140), "gray"),
        ((30, 15, 15), "black"),
    ],
)
def test_well_known_colours_have_their_names(rgb, name) -> None:
    assert NAMES[int(terms(np.array([[rgb]], np.uint8))[0, 0])] == name


def test_a_thing_has_a_colour_where_most_of_its_pixels_share_one() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    labels = np.full((10, 10), -1, np.int8)
    image[:, :5], labels[:, :5] = (220, 30, 30), 0
    labels[:, 5:] = 1
    image[:5, 5:], image[5:, 5:] = (30, 30, 220), (240, 240, 240)
    colour_indices = colours_of(image, labels, 3)
    assert [NAMES[c] if c >= 0 else None for c in colour_indices] == ["red", None, None]


def test_every_term_has_a_chinese_name() -> None:
    assert len(set(CHINESE)) == len(NAMES) == 11
