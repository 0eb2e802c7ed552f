"""Boxes and masks by route and language."""

import numpy as np
import pytest

from builders import SIZE, a_box, a_mask
from segue.errors import InputError
from segue.evaluate.places import score_boxes, score_masks
from segue.values.box import Box
from segue.values.mask import rle

RIGHT = a_mask().rle


def test_boxes_are_scored_where_there_is_one_true_box(predicted, region):
    report = score_boxes(
        [
            predicted(boxes=(a_box(),), regions=(region("chat"),)),
            predicted(boxes=(a_box(),), regions=(region("detector", Box(0, 0, 2, 2)),)),
            predicted(boxes=(a_box(),), language="zh"),
            predicted(boxes=(a_box(), a_box())),
            predicted(),
        ]
    ).to_json()
    assert (report["all"]["questions"], report["skipped, no ground truth"]) == (3, 2)
    assert report["all"]["Acc@0.5"] == pytest.approx(1 / 3)
    assert report["by route"]["chat"]["Acc@0.5"] == 1.0
    assert report["by route"]["detector"]["Acc@0.5"] == 0.0
    assert report["by language"]["zh"] == {
        "questions": 1, "Acc@0.5": 0.0, "mean IoU": 0.0, "without a box": 1,
    }  # fmt: skip


def test_masks_of_both_routes_and_of_absent_things(predicted, region):
    far = region("chat", Box(40, 30, 60, 45))
    report = score_masks(
        [
            predicted(mask=RIGHT, regions=(region("detector"),)),
            predicted(mask=RIGHT, regions=(far,)),
            predicted(mask=RIGHT),
            predicted(expect="absent"),
            predicted(expect="absent", regions=(far,)),
            predicted(expect="tag"),  # no true mask
        ]
    ).to_json()
    scores = report["all"]
    assert (scores["questions"], report["skipped, no ground truth"]) == (5, 1)
    assert scores["gIoU"] == pytest.approx((1 + 0 + 0 + 1 + 0) / 5)
    assert (scores["N-acc"], scores["T-acc"]) == (0.5, pytest.approx(2 / 3))
    assert report["by route"]["detector"]["gIoU"] == 1.0
    assert report["by route"]["chat"]["questions"] == 2


def test_several_masks_count_as_their_union(predicted, region):
    other = Box(40, 30, 60, 45)
    both = (a_mask() | a_mask(other)).rle
    report = score_masks([predicted(mask=both, regions=(region(), region(box=other)))])
    assert report.all.giou == 1.0


def test_ignored_pixels_are_left_out(predicted, region):
    everything_else = rle.encode(~a_mask().array)
    big = region(box=Box(0, 0, 60, 40))
    made = predicted(mask=RIGHT, ignore=everything_else, regions=(big,))
    assert score_masks([made]).all.giou == pytest.approx(1.0, abs=0.05)


def test_a_true_mask_of_another_size_is_refused(predicted, region):
    turned = rle.encode(np.ones((SIZE.width, SIZE.height), bool))
    with pytest.raises(InputError, match="question q is"):
        score_masks([predicted(mask=turned, regions=(region(),))])
