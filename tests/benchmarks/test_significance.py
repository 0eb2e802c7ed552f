import numpy as np
import pytest

from segue.benchmarks.box_protocols import QwenVlProtocol
from segue.benchmarks.significance import intervals, mcnemar, paired_differences, resample_counts


def columns(correct: np.ndarray) -> dict[str, np.ndarray]:
    ones = np.ones(len(correct))
    return {"n": ones, "correct": correct.astype(float), "iou": correct * 0.8, "boxes": ones}


def test_every_resample_has_as_many_items():
    counts = resample_counts(7, 20, seed=1)
    assert (counts.sum(1) == 7).all()


def test_the_interval_of_a_rate_is_that_of_the_binomial():
    correct = np.arange(400) % 4 == 0  # a quarter
    interval = intervals(QwenVlProtocol(), columns(correct))["Acc@0.5"]
    error = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert interval.value == 0.25
    assert interval.low == pytest.approx(0.25 - error, abs=0.01)
    assert interval.high == pytest.approx(0.25 + error, abs=0.01)


def test_a_rate_without_doubt_has_an_interval_of_no_width():
    interval = intervals(QwenVlProtocol(), columns(np.ones(50, bool)))["Acc@0.5"]
    assert (interval.low, interval.value, interval.high) == (1, 1, 1)


def test_pairing_makes_a_small_but_steady_difference_certain():
    first = np.arange(200) % 2 == 0
    second = first | (np.arange(200) % 20 == 1)  # ten more, none less
    difference = paired_differences(QwenVlProtocol(), columns(first), columns(second))["Acc@0.5"]
    assert (difference.first, difference.second) == (0.5, 0.55)
    assert 0 < difference.low < 0.05 < difference.high
    assert difference.p_value < 0.01


def test_a_run_does_not_differ_from_itself():
    correct = np.arange(50) % 3 == 0
    difference = paired_differences(QwenVlProtocol(), columns(correct), columns(correct))["Acc@0.5"]
    assert (difference.low, difference.high, difference.p_value) == (0, 0, 1)


def test_mcnemar_is_the_exact_binomial_test():
    result = mcnemar([True] * 9 + [False] * 3, [False] * 8 + [True] * 4)
    assert (result.only_first, result.only_second) == (8, 3)
    assert result.p_value == pytest.approx(0.2265625)
    assert mcnemar([True], [True]).p_value == 1
