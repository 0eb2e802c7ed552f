"""Tiles cover a picture, and what they find is merged over their seams."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.detect import Detection
from segue.errors import InputError
from segue.runs.tiling import Tiling, find_in_tiles, merge_detections
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask


@given(
    st.integers(32, 300),
    st.floats(0, 0.9),
    st.tuples(st.integers(1, 700), st.integers(1, 700)).map(lambda size: Size(*size)),
)
def test_tiles_cover_the_picture_and_overlap_as_asked(side, overlap, size):
    tiling = Tiling(side, overlap)
    tiles = tiling.tiles(size)
    if max(size) <= side:
        assert tiles == []
        return
    covered = np.zeros(size, bool)
    for tile in tiles:
        assert 0 <= tile.x0 < tile.x1 <= size.width
        assert 0 <= tile.y0 < tile.y1 <= size.height
        assert tile.width <= side
        assert tile.height <= side
        covered[int(tile.y0) : int(tile.y1), int(tile.x0) : int(tile.x1)] = True
    assert covered.all()
    starts = sorted({tile.x0 for tile in tiles})
    steps = [after - before for before, after in pairwise(starts)]
    assert all(step <= side * (1 - overlap) + 1 for step in steps)


@pytest.mark.parametrize("text", ["", "x", "1024/x", "8", "1024/1", "1024/-1", "-5", "1024/0.2/3"])
def test_what_are_no_tiles_is_refused(text):
    with pytest.raises(InputError):
        Tiling.parse(text)


def squares_in(image, phrases):
    """Find all red, separate columns of a picture, in parts where they are cut off."""
    columns = np.flatnonzero((image.array[:, :, 0] > 200).any(0))
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1) if len(columns) else []
    found = []
    for group in groups:
        rows = np.flatnonzero((image.array[:, group, 0] > 200).any(1))
        box = Box(int(group[0]), int(rows[0]), int(group[-1]) + 1, int(rows[-1]) + 1)
        found += [Detection(phrase, box, 0.9) for phrase in phrases]
    return found


@given(st.lists(st.integers(0, 8), unique=True, min_size=1), st.integers(0, 60))
def test_an_object_on_a_seam_is_found_once_and_whole(places, shift):
    array = np.zeros((120, 900, 3), np.uint8)
    truth = set()
    for place in places:
        x = place * 100 + shift % 60
        array[30:60, x : x + 35] = (255, 0, 0)
        truth.add((x, 30, x + 35, 60))
    found = find_in_tiles(squares_in, Image(array), ["square"], Tiling(130, 0.4))
    assert {tuple(map(int, detection.box.corners)) for detection in found} == truth
    assert len(found) == len(truth)


def test_masks_from_tiles_are_put_in_place_and_merged():
    def with_masks(image, phrases):
        found = squares_in(image, phrases)
        return [replace(one, mask=Mask.from_box(one.box, image.size)) for one in found]

    array = np.zeros((120, 400, 3), np.uint8)
    array[30:60, 100:135] = array[50:80, 250:285] = (255, 0, 0)
    found = find_in_tiles(with_masks, Image(array), ["square"], Tiling(130, 0.4))
    assert len(found) == 2
    for one in found:
        assert one.mask == Mask.from_box(one.box, Size(120, 400))
    whole = (array[:, :, 0] > 0).sum()
    assert sum(one.mask.area for one in found) == whole
    unmasked = [replace(found[0], mask=None)]
    (merged,) = merge_detections([[found[0]], unmasked])
    assert merged.mask is None


def test_two_objects_of_one_view_stay_two():
    near = [Detection("a", Box(0, 0, 10, 10), 0.9), Detection("a", Box(2, 0, 12, 10), 0.8)]
    assert merge_detections([near]) == near
    other = [Detection("b", Box(0, 0, 10, 10), 0.7)]
    assert len(merge_detections([near, other])) == 3
    whole = [Detection("a", Box(0, 0, 11, 10), 0.95)]
    assert [d.score for d in merge_detections([near, whole])] == [0.95, 0.8]


def test_phrases_stay_in_their_order_best_first():
    def find(image, phrases):
        x = int(image.array[0, 0, 0])
        return [Detection(phrase, Box(0, 0, 5, 5), 0.5 + x / 1000) for phrase in phrases]

    array = np.zeros((64, 128, 3), np.uint8)
    array[:, 64:] = 100
    found = find_in_tiles(find, Image(array), ["b", "a"], Tiling(64, 0))
    assert [detection.phrase for detection in found] == ["b", "b", "a", "a"]
    assert found[0].score > found[1].score
