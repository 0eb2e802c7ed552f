import contextlib
import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from builders import a_donut_and_two_islands, a_mask
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.mask.contour import Polygon

arrays_of_bits = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))
SPECIAL = [
    np.ones((1, 1), bool),
    np.zeros((1, 1), bool),
    np.zeros((5, 7), bool),
    np.ones((5, 7), bool),
    np.array([[True, False, True, True, False]]),
    np.array([[False], [True], [True]]),
    np.eye(6, dtype=bool),
    ~np.eye(6, dtype=bool),
    np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 1]], bool),  # closes in a corner
    a_donut_and_two_islands().array,
]


@given(arrays_of_bits)
@settings(max_examples=300, deadline=None)
def test_run_lengths_and_outlines_give_the_same_pixels_back(array):
    mask = Mask(array)
    assert Mask.from_rle(mask.rle) == mask
    assert Mask.from_polygons(mask.polygons, mask.size) == mask


@pytest.mark.parametrize("array", SPECIAL)
def test_special_masks_survive_both_forms(array):
    mask = Mask(array)
    assert Mask.from_rle(mask.rle) == mask
    assert Mask.from_polygons(mask.polygons, mask.size) == mask


@given(arrays_of_bits)
@settings(max_examples=100, deadline=None)
def test_outlines_are_simple_rings_around_pieces_of_the_right_area(array):
    mask = Mask(array)
    for polygon in mask.polygons:
        for ring in (polygon.outer, *polygon.holes):
            assert len(set(ring)) == len(ring) >= 4
    rings = [(p.outer, *p.holes) for p in mask.polygons]
    assert sum(_area(ring) for piece in rings for ring in piece) == mask.area


def _area(ring):
    """The shoelace formula: holes run the other way round and count as negative."""
    ahead = [*ring[1:], ring[0]]
    return sum(xa * yb - xb * ya for (xa, ya), (xb, yb) in zip(ring, ahead)) / 2


def test_a_donut_with_islands_becomes_three_pieces_one_with_a_hole():
    pieces = a_donut_and_two_islands().polygons
    assert [len(piece.holes) for piece in pieces] == [1, 0, 0]
    assert pieces[2].outer == ((48, 36), (60, 36), (60, 44), (48, 44))


def test_pixels_that_share_a_corner_are_separate_pieces():
    assert len(Mask(np.eye(3, dtype=bool)).polygons) == 3


def test_run_lengths_equal_those_of_the_coco_tools():
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for density in (0.01, 0.5, 0.99):
        array = rng.random((37, 53)) < density
        theirs = coco.encode(np.asfortranarray(array.astype(np.uint8)))
        assert Mask(array).rle == {"size": [37, 53], "counts": theirs["counts"].decode()}
        assert (Mask.from_rle(theirs).array == array).all()


def test_uncompressed_run_lengths_are_read():
    mask = Mask.from_rle({"size": [2, 3], "counts": [1, 2, 3]})
    assert mask.array.tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "add up to 2 x 3 = 6"),
        ({"size": [2, 3], "counts": [7, -1]}, "between 0 and 6"),
        ({"size": [2, 3], "counts": [1.5, 4.5]}, "flat list of whole numbers"),
        ({"size": [2, 3], "counts": [[1], [2, 3]]}, "flat list of whole numbers"),
        ({"size": [2, 3], "counts": []}, "add up"),
        ({"size": [2, 3], "counts": ""}, "add up"),
        ({"size": [2, 3], "counts": "12P"}, "cut off"),
        ({"size": [2, 3], "counts": "1~"}, "'0' to 'o' only"),
        ({"size": [2, 3], "counts": "飞"}, "plain ASCII"),
        ({"size": [2, 3], "counts": "o" * 40 + "0"}, "more than nine"),
        ({"size": [2, 3], "counts": None}, "NoneType"),
        ({"size": [0, 3], "counts": []}, "two positive"),
        ({"size": [2], "counts": [2]}, "two positive"),
        ({"size": [2.5, 2], "counts": [5]}, "two positive"),
        ({"size": [10**9, 10**9], "counts": "1"}, "larger than"),
        ({"counts": [1]}, "two positive"),
        ("1", "two positive"),
    ],
)
def test_garbage_instead_of_run_lengths_is_refused(value, complaint):
    with pytest.raises(InputError, match=complaint):
        Mask.from_rle(value)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_text_as_counts_gives_a_mask_or_an_input_error(text):
    with contextlib.suppress(InputError):
        assert Mask.from_rle({"size": [4, 5], "counts": text}).size == (4, 5)


def test_polygons_follow_the_rule_of_pixel_centres():
    triangle = Polygon(((0, 0), (4, 0), (0, 4)))
    rows = Mask.from_polygons([triangle], Size(4, 4)).array.sum(1)
    assert rows.tolist() == [4, 3, 2, 1] or rows.tolist() == [3, 2, 1, 0]


def test_polygons_may_overlap_and_reach_beyond_the_picture():
    square = ((-5, -5), (3, -5), (3, 3), (-5, 3))
    mask = Mask.from_polygons([Polygon(square), Polygon(square)], Size(4, 6))
    assert mask.area == 9
    far = Polygon(((90, 90), (95, 90), (95, 95)))
    assert Mask.from_polygons([far], Size(4, 6)).is_empty


@pytest.mark.parametrize(
    ("ring", "complaint"),
    [
        (((0, 0), (1, 1)), "three corners"),
        (((0, 0, 0), (1, 1, 1), (2, 2, 2)), "three corners"),
        (((0, 0), (1, float("nan")), (1, 1)), "finite"),
        ("abc", "three corners"),
    ],
)
def test_bad_rings_are_refused(ring, complaint):
    with pytest.raises(InputError, match=complaint):
        Mask.from_polygons([Polygon(ring)], Size(4, 4))


def test_a_box_becomes_the_pixels_whose_centres_it_holds():
    assert Mask.from_box(Box(1, 1, 3.4, 2.6), Size(4, 4)).box == Box(1, 1, 3, 3)


def test_the_box_is_tight_and_missing_when_empty():
    assert a_mask(Box(8, 6, 24, 18)).box == Box(8, 6, 24, 18)
    assert Mask.empty(Size(3, 4)).box is None
    assert Mask.empty(Size(3, 4)).is_empty


def test_sets_of_pixels_combine():
    left, right = np.array([[True, True, False]]), np.array([[False, True, True]])
    a, b = Mask(left), Mask(right)
    assert ((a | b).area, (a & b).area, (a - b).area, (~a).area) == (3, 1, 1, 1)
    assert a.iou(b) == pytest.approx(1 / 3)
    assert Mask.empty(Size(2, 2)).iou(Mask.empty(Size(2, 2))) == 1.0


@pytest.mark.parametrize("combine", [Mask.iou, Mask.__or__, Mask.__and__, Mask.__sub__])
def test_masks_of_different_pictures_do_not_combine(combine):
    with pytest.raises(InputError, match=r"\(48, 64\) and \(64, 48\)"):
        combine(a_mask(), a_mask(size=Size(64, 48)))


def test_masks_are_equal_by_pixels_and_hash_alike():
    one, two = a_mask(score=0.5), a_mask(score=0.7, logits=np.zeros((4, 4)))
    assert one == two
    assert len({one, two, Mask(~one.array)}) == 2
    assert one != "a mask"


def test_pixels_cannot_be_changed_from_either_side():
    array = np.zeros((3, 3), bool)
    mask = Mask(array)
    array[0, 0] = True
    assert mask.is_empty
    with pytest.raises(ValueError, match="read-only"):
        mask.array[0, 0] = True


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((2, 2)), "bool array, got float64"),
        ([[True]], "bool array, got list"),
        (np.zeros((1, 2, 2), bool), "shape"),
        (np.zeros((0, 2), bool), "both positive"),
    ],
)
def test_only_two_dimensional_bool_arrays_are_masks(array, complaint):
    with pytest.raises(InputError, match=complaint):
        Mask(array)


def test_a_large_mask_is_outlined_and_filled_quickly_enough_to_be_exact_on_noise():
    array = np.random.default_rng(1).random((120, 160)) < 0.5
    mask = Mask(array)
    assert Mask.from_polygons(mask.polygons, mask.size) == mask


def test_the_mask_of_a_large_picture_takes_an_eighth_of_it():
    array = np.zeros((1200, 1001), bool)
    array[300:700, 200:900] = True
    mask = Mask(array, score=0.5, logits=np.zeros((4, 4), np.float32))
    del array
    assert mask.size_bytes == -(-1200 * 1001 // 8) + 64
    assert mask.size == (1200, 1001)
    first = mask.array
    assert mask.array is first
    assert not first.flags.writeable
    assert (mask.area, mask.box.corners) == (400 * 700, (200, 300, 900, 700))
    again = Mask(first.copy())
    del first
    assert mask == again
    assert mask - again == Mask.empty(mask.size)
    assert pickle.loads(pickle.dumps(mask)) == mask == copy.deepcopy(mask)
    assert replace(mask, score=0.7).score == 0.7
    assert Mask.from_rle(mask.rle) == mask
    small = Mask(np.ones((10, 10), bool))
    assert small.size_bytes == 100


def test_a_mask_is_an_array_for_numpy():
    mask = a_mask()
    assert np.asarray(mask) is mask.array
    assert np.asarray(mask, np.uint8).sum() == mask.area
    assert np.array(mask).flags.writeable
    assert (np.logical_not(mask) == ~mask.array).all()
