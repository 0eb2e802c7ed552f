"""Colours of objects by their names."""

import numpy as np
import pytest
from PIL import ImageColor

from segue.conversation.references.colours import basic_colours
from segue.values.image import Image
from segue.values.mask import Mask


def colours_of(*colours):
    columns = [np.full((20, 10, 3), ImageColor.getrgb(colour), np.uint8) for colour in colours]
    picture = np.concatenate(columns, 1)
    return basic_colours(Image(picture), Mask(np.ones(picture.shape[:2], bool)))


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("red", "red"), ("firebrick", "red"), ("darkorange", "orange"), ("gold", "yellow"),
        ("yellow", "yellow"), ("forestgreen", "green"), ("lime", "green"), ("olive", "brown"),
        ("blue", "blue"), ("navy", "blue"), ("skyblue", "blue"), ("purple", "purple"),
        ("hotpink", "pink"), ("pink", "pink"), ("saddlebrown", "brown"), ("sienna", "brown"),
        ("black", "black"), ("#202020", "black"), ("white", "white"), ("grey", "grey"),
        ("silver", "grey"),
    ],
)  # fmt: skip
def test_colours_have_the_names_that_people_use(colour, name):
    assert colours_of(colour) == {name}


def test_an_object_has_every_colour_that_covers_a_fifth_of_it():
    assert colours_of("red", "white", "red") == {"red", "white"}
    assert colours_of("red", *["blue"] * 9) == {"blue"}


def test_an_empty_mask_has_no_colour():
    image = Image(np.zeros((4, 4, 3), np.uint8))
    assert basic_colours(image, Mask(np.zeros((4, 4), bool))) == frozenset()
