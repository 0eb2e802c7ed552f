import numpy as np
import pytest

from segue.benchmarks.concept_protocol import CgF1Protocol, match_instances
from segue.benchmarks.item import AnsweredRegion, BenchmarkAnswer, BenchmarkItem
from segue.values.box import Box, Size
from segue.values.mask import rle

SIZE = Size(1, 10)


def run_lengths(text: str) -> dict:
    return rle.encode(np.array([[character == "1" for character in text]]))


def pair(*annotators: tuple[str, ...]) -> BenchmarkItem:
    """A picture and a phrase, with the instances of each annotator."""
    truth = tuple(tuple(map(run_lengths, instances)) for instances in annotators)
    return BenchmarkItem(
        id="q", image_name="a.png", phrases=("cup",), read_truth=lambda size: truth
    )


def reply(*masks: str, score: float = 0.9, error: str | None = None) -> BenchmarkAnswer:
    regions = tuple(AnsweredRegion(0, Box(0, 0, 1, 1), score, run_lengths(mask)) for mask in masks)
    return BenchmarkAnswer(id="q", size=SIZE, regions=regions, error=error)


FULL, LEFT, RIGHT = "1111111111", "1111100000", "0000011111"
MOST = "1111111100"
"""Its IoU with FULL is .8."""


def test_cgf1_of_a_case_computed_by_hand(figures):
    """Two right presences, a miss, a declined absence, a false alarm."""
    protocol = CgF1Protocol()
    scores = [
        protocol.score(pair((LEFT, RIGHT)), reply(LEFT, RIGHT)),  # 2 TP at every threshold
        protocol.score(pair((FULL,)), reply(MOST)),  # TP up to .80, then FP and FN
        protocol.score(pair((LEFT,)), reply()),  # FN, IL_FN
        protocol.score(pair(()), reply()),  # IL_TN
        protocol.score(pair(()), reply(RIGHT)),  # FP outside pmF1, IL_FP
    ]
    result = figures(protocol, *scores)
    mcc = (2 * 1 - 1 * 1) / np.sqrt((2 + 1) * (2 + 1) * (1 + 1) * (1 + 1))
    low = 2 * 1 * (3 / 4) / (1 + 3 / 4)  # precision 3/3, recall 3/4
    high = 2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4)  # precision 2/3, recall 2/4
    pm_f1 = (7 * low + 3 * high) / 10
    assert result["IL_MCC"] == pytest.approx(mcc, abs=1e-5)
    assert result["pmF1"] == pytest.approx(pm_f1, abs=2e-4)
    assert result["cgF1"] == pytest.approx(pm_f1 * mcc, abs=2e-4)
    assert result["pmF1@0.5"] == pytest.approx(low, abs=2e-4)
    micro_low = 2 * (3 / 4) * (3 / 4) / (3 / 4 + 3 / 4)  # the false alarm counts here
    micro_high = 2 * (2 / 4) * (2 / 4) / 1
    assert result["micro F1"] == pytest.approx((7 * micro_low + 3 * micro_high) / 10, abs=2e-4)
    assert result["macro F1"] == pytest.approx((1 + 0.7) / 2, abs=2e-4)


def test_the_annotator_that_agrees_best_counts():
    score = CgF1Protocol().score(pair((LEFT,), (FULL,), (RIGHT,)), reply(FULL))
    assert score.quality == pytest.approx(1, abs=2e-4)


def test_an_annotator_without_instances_makes_an_empty_answer_right():
    score = CgF1Protocol().score(pair((LEFT,), ()), reply())
    assert (score.values["IL_TN"], score.values["IL_FN"]) == (1, 0)


def test_masks_below_the_score_do_not_count():
    score = CgF1Protocol().score(pair(()), reply(FULL, score=0.49))
    assert score.values["IL_TN"] == 1
    kept = CgF1Protocol(min_score=0.3).score(pair(()), reply(FULL, score=0.49))
    assert kept.values["IL_FP"] == 1


def test_a_failure_is_wrong_about_presence_and_about_absence():
    protocol = CgF1Protocol()
    assert protocol.score(pair(()), reply(error="no picture")).values["IL_FP"] == 1
    assert protocol.score(pair((LEFT,)), reply(error="no picture")).values["IL_FN"] == 1


def test_instances_are_matched_for_the_best_sum():
    """Greedy would take .8 for the first and leave nothing for the second."""
    ious = match_instances(
        [run_lengths("1111111100"), run_lengths("1111111110")],
        [run_lengths("1111111110"), run_lengths("1111110000")],
    )
    assert sorted(ious) == pytest.approx([6 / 8, 1])
