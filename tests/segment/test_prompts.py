"""Reading what a segmenter is asked."""

import numpy as np
import pytest

from segue.errors import InputError
from segue.segment.prompts import SegmentPrompt, check_prior, read_prompts
from segue.values.box import Box, Size

SIZE = Size(height=48, width=64)


def read(boxes=None, points=None, labels=None):
    return read_prompts(SIZE, boxes, points, labels)


def test_a_box_is_clipped_to_the_picture():
    assert read([Box(-5, 2, 90, 60)]) == [SegmentPrompt(Box(0, 2, 64, 48))]


def test_flat_points_are_the_clicks_of_one_object():
    assert read(points=[(1, 2), (3, 4)]) == [SegmentPrompt(None, ((1, 2), (3, 4)), (1, 1))]
    assert read(points=np.array([[1, 2], [3, 4]])) == read(points=[(1, 2), (3, 4)])


def test_grouped_points_are_the_clicks_of_several():
    prompts = read(points=[[(1, 2)], [(3, 4), (5, 6)]], labels=[[1], [1, 0]])
    assert [prompt.labels for prompt in prompts] == [(1,), (1, 0)]


def test_boxes_and_points_describe_the_same_objects():
    both = read([Box(0, 0, 9, 9), Box(1, 1, 8, 8)], [[(2, 2)], [(3, 3)]])
    assert both[1] == SegmentPrompt(Box(1, 1, 8, 8), ((3, 3),), (1,))
    assert read([Box(0, 0, 9, 9)], [(2, 2)], [0]) == [
        SegmentPrompt(Box(0, 0, 9, 9), ((2, 2),), (0,))
    ]


def test_nothing_to_segment_is_an_empty_list_but_no_question_is_an_error():
    assert read(boxes=[]) == read(points=[]) == []
    with pytest.raises(InputError, match="asked for something"):
        read()


@pytest.mark.parametrize("box", [Box(5, 5, 5, 20), Box(64, 0, 64, 48), Box(0, 48, 9, 48)])
def test_a_box_without_area_is_empty_not_wrong(box):
    (prompt,) = read([box])
    assert prompt.is_empty


@pytest.mark.parametrize("box", [Box(64, 0, 70, 9), Box(-9, 0, -1, 9), Box(70, 5, 70, 9)])
def test_a_box_beside_the_picture_is_refused(box):
    with pytest.raises(InputError, match="must touch the picture.*64 x 48"):
        read([box])


@pytest.mark.parametrize("point", [(65, 5), (5, -1), (float("nan"), 3), (3, float("inf"))])
def test_a_point_beside_the_picture_is_refused(point):
    with pytest.raises(InputError, match="must lie in the picture"):
        read(points=[point])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"boxes": [Box(0, 0, 1, 1)] * 2, "points": [(1, 1)]}, "2 boxes and 1 groups"),
        ({"points": [(1, 1)], "labels": [1, 0]}, "one label for each point"),
        ({"points": [(1, 1)], "labels": [2]}, "must be 1 .* or 0"),
        ({"boxes": [Box(0, 0, 1, 1)], "labels": [1]}, "labels without points"),
        ({"boxes": [(0, 0, 1)]}, "must be a segue.Box or four numbers"),
        ({"points": [[(1, 1)], []]}, "at least one point"),
        ({"points": [1, 2]}, r"Points must be \[\(x, y\)"),
        ({"points": [(1, 2, 3)]}, r"Points must be \[\(x, y\)"),
    ],
)
def test_contradictions_are_refused(asked, said):
    with pytest.raises(InputError, match=said):
        read(**asked)


def test_an_earlier_mask_belongs_to_one_object_and_has_the_right_shape():
    one = [SegmentPrompt(Box(0, 0, 1, 1))]
    assert check_prior(np.zeros((4, 4)), one, 4).dtype == np.float32
    with pytest.raises(InputError, match="single object, got 2"):
        check_prior(np.zeros((4, 4)), one * 2, 4)
    with pytest.raises(InputError, match=r"shape \(4, 4\), got \(4, 5\)"):
        check_prior(np.zeros((4, 5)), one, 4)
