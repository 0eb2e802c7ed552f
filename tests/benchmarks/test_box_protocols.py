import pytest

from segue.benchmarks.box_protocols import (
    GrecProtocol,
    QwenVlProtocol,
    RefL4Protocol,
    generalized_iou,
)
from segue.errors import InputError
from segue.values.box import Box

TRUE = Box(0, 0, 10, 10)
HALF = Box(0, 0, 10, 5)
"""Its IoU with TRUE is exactly .5."""
FAR = Box(50, 50, 60, 60)


def test_qwen_vl_takes_the_first_box_and_the_threshold_itself(item, answer, figures):
    protocol = QwenVlProtocol()
    question = item(boxes=[TRUE])
    scores = [
        protocol.score(question, answer(HALF)),
        protocol.score(question, answer(FAR, TRUE)),
        protocol.score(question, answer()),
    ]
    result = figures(protocol, *scores)
    assert result["Acc@0.5"] == pytest.approx(1 / 3)
    assert result["mean IoU"] == pytest.approx(0.5 / 3)
    assert result["with a box"] == pytest.approx(2 / 3)


def test_qwen_vl_needs_exactly_one_true_box(item, answer):
    with pytest.raises(InputError, match="one true box, got 2"):
        QwenVlProtocol().score(item(boxes=[TRUE, FAR]), answer(TRUE))


def test_ref_l4_counts_what_lies_above_the_threshold(item, answer, figures):
    protocol = RefL4Protocol()
    large = Box(0, 0, 300, 300)
    scores = [
        protocol.score(item(boxes=[TRUE]), answer(HALF)),  # .5 is not above .5
        protocol.score(item(boxes=[large]), answer(Box(0, 0, 300, 240))),  # IoU .8
    ]
    result = figures(protocol, *scores)
    assert (result["Acc@0.5"], result["Acc@0.75"], result["Acc@0.9"]) == (0.5, 0.5, 0)
    assert result["mAcc"] == pytest.approx((0 + 0.6) / 2)  # above .5, .55 … .75
    assert (result["small Acc@0.5"], result["large Acc@0.5"]) == (0, 1)
    assert result["medium mAcc"] != result["medium mAcc"], "there is none: not a number"


def test_generalized_iou_of_boxes_that_touch_nothing_is_negative():
    assert generalized_iou(Box(0, 0, 1, 1), Box(3, 0, 4, 1)) == pytest.approx(-0.5)
    assert generalized_iou(TRUE, TRUE) == 1


def test_grec_is_correct_only_with_exactly_the_true_boxes(item, answer, figures):
    protocol = GrecProtocol()
    pair, nothing = item(boxes=[TRUE, FAR]), item()
    scores = [
        protocol.score(pair, answer((FAR, 0.9), (TRUE, 0.8))),  # correct
        protocol.score(pair, answer((TRUE, 0.9), (FAR, 0.6))),  # one below .7: F1 2/3
        protocol.score(pair, answer((TRUE, 0.9), (FAR, 0.9), (HALF, 0.9))),  # one too many
        protocol.score(nothing, answer()),  # correct
        protocol.score(nothing, answer((TRUE, 0.9))),
    ]
    result = figures(protocol, *scores)
    assert result["Pr@(F1=1, IoU>=0.5)"] == pytest.approx(2 / 5)
    assert (result["N-acc"], result["T-acc"]) == (0.5, 1)
    assert scores[1].quality == pytest.approx(2 / 3)


def test_grec_matches_by_generalized_iou_not_iou(item, answer):
    """IoU .5, but the box around both is no larger, so generalized IoU is .5 as well."""
    protocol = GrecProtocol()
    assert protocol.score(item(boxes=[TRUE]), answer(HALF)).is_correct
    shifted = Box(3, 1, 13, 11)  # IoU 63/137 = .46
    assert not protocol.score(item(boxes=[TRUE]), answer(shifted)).is_correct
    diagonal = Box(1.9, 1.9, 11.9, 11.9)  # IoU .488
    assert not protocol.score(item(boxes=[TRUE]), answer(diagonal)).is_correct


def test_boxes_without_a_score_count_for_grec(item, answer):
    assert GrecProtocol().score(item(boxes=[TRUE]), answer(TRUE)).is_correct
