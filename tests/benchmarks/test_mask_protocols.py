import numpy as np
import pytest

from segue.benchmarks.mask_protocols import (
    PHRASECUT_PROTOCOL,
    GresProtocol,
    LisaProtocol,
    SegZeroProtocol,
    UnionProtocol,
)
from segue.errors import InputError
from segue.evaluate.metrics import MaskScores


def test_lisa_averages_over_sentences_and_divides_sums(item, answer, figures):
    lisa = LisaProtocol()
    half = lisa.score(item("1100"), answer("1000"))  # I 1, U 2
    full = lisa.score(item("1110"), answer("1110"))  # I 3, U 3
    result = figures(lisa, half, full)
    assert result["gIoU"] == pytest.approx(0.75, abs=1e-5)
    assert result["cIoU"] == pytest.approx(4 / 5)


def test_lisa_removes_ignored_pixels_from_both_masks(item, answer):
    score = LisaProtocol().score(item("1100", ignore="0011"), answer("1111"))
    assert score.values["union"] == 2
    assert score.quality == pytest.approx(1, abs=1e-5)


def test_lisa_gives_one_where_nothing_is_left_to_score(item, answer):
    lisa = LisaProtocol()
    assert lisa.score(item("0000"), answer()).values["iou"] == 1
    assert lisa.score(item("0000", ignore="1111"), answer("1111")).values["iou"] == 1


def test_lisa_does_not_count_pixels_of_two_polygons_as_target(item, answer):
    score = LisaProtocol().score(item("1110", overlap="0100"), answer("1110"))
    assert (score.values["intersection"], score.values["union"]) == (2, 3)
    missed = LisaProtocol().score(item("1110", overlap="0100"), answer("1010"))
    assert (missed.values["intersection"], missed.values["union"]) == (2, 2)


def test_a_failed_question_is_wrong_for_lisa_even_about_nothing(item, answer):
    assert LisaProtocol().score(item("0000"), answer(error="no picture")).values["iou"] == 0


def test_seg_zero_counts_ignored_pixels_as_target(item, answer):
    score = SegZeroProtocol().score(item("1000", ignore="0100"), answer("1000"))
    assert score is not None
    assert score.values["iou"] == 0.5


def test_seg_zero_drops_failures_and_what_has_no_pixel(item, answer, figures):
    protocol = SegZeroProtocol()
    assert protocol.score(item("1100"), answer(error="the model broke off")) is None
    assert protocol.score(item("0000"), answer()) is None
    without_region = protocol.score(item("1100"), answer())
    assert figures(protocol, without_region) == {"gIoU": 0.0}


def test_gres_scores_targets_and_absences(item, answer, figures):
    gres = GresProtocol()
    scores = [
        gres.score(item("1100"), answer("1100")),  # IoU 1
        gres.score(item("1111"), answer("1110")),  # IoU .75
        gres.score(item("1100"), answer()),  # IoU 0, union 2
        gres.score(item("0000"), answer()),  # declined: IoU 1, no pixel
        gres.score(item("0000"), answer("0111")),  # IoU 0, union 3
    ]
    result = figures(gres, *scores)
    assert result["gIoU"] == pytest.approx((1 + 0.75 + 0 + 1 + 0) / 5)
    assert result["cIoU"] == pytest.approx((2 + 3) / (2 + 4 + 2 + 3))
    assert (result["P@0.7"], result["P@0.8"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (result["N-acc"], result["T-acc"]) == (0.5, pytest.approx(2 / 3))


def test_a_failure_is_no_right_answer_about_an_absence(item, answer, figures):
    gres = GresProtocol()
    result = figures(gres, gres.score(item("0000"), answer(error="no picture")))
    assert (result["gIoU"], result["N-acc"]) == (0, 0)


def test_gres_agrees_with_the_package_on_random_masks(item, answer, figures):
    rng = np.random.default_rng(7)
    gres, reference, scores = GresProtocol(), MaskScores(), []
    for _ in range(1000):
        target, predicted = (rng.random((1, 6)) < rng.choice([0, 0.5, 1]) for _ in range(2))
        text = ["".join("01"[int(value)] for value in mask[0]) for mask in (target, predicted)]
        regions = [text[1]] if predicted.any() else []
        scores.append(gres.score(item(text[0]), answer(*regions, width=6)))
        reference.add(predicted, target)
    result = figures(gres, *scores)
    assert result["gIoU"] == pytest.approx(reference.giou)
    assert result["cIoU"] == pytest.approx(reference.ciou)
    assert result["P@0.8"] == pytest.approx(reference.precision_at(0.8))
    assert (result["N-acc"], result["T-acc"]) == (reference.n_acc, reference.t_acc)


def test_an_iou_of_the_threshold_counts_but_not_for_phrasecut(item, answer, figures):
    question, reply = item("1100"), answer("1000")  # IoU exactly .5
    union = figures(UnionProtocol(), UnionProtocol().score(question, reply))
    phrasecut = figures(PHRASECUT_PROTOCOL, PHRASECUT_PROTOCOL.score(question, reply))
    assert (union["P@0.5"], phrasecut["P@0.5"]) == (1, 0)
    assert union["oIoU"] == phrasecut["cumulative IoU"] == 0.5


def test_the_masks_of_an_answer_are_united(item, answer):
    score = UnionProtocol().score(item("1100"), answer("1000", "0100"))
    assert score.quality == 1


def test_a_mask_of_another_size_is_said(item, answer):
    with pytest.raises(InputError, match="The true mask is"):
        UnionProtocol().score(item("1100"), answer("11000", width=5))
