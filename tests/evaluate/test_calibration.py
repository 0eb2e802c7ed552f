"""Fitting calibrations, and their scores."""

import math
import random

import numpy as np
import pytest

from segue.errors import InputError
from segue.evaluate.calibration import (
    METHODS,
    expected_calibration_error,
    fit_calibration,
    measure_calibration,
    reliability_bins,
)
from segue.evaluate.presence import PresenceQuestion, PresenceSample
from segue.evaluate.reliability_diagram import draw_reliability
from segue.presence import PresenceEvidence
from segue.presence.evidence import FEATURES

NAMES = {"chat": "a", "detect": "b", "segment": None}


def make_samples(count=600, seed=0, noise=1.0):
    """Samples whose true probability is the logistic function of 2 log-odds + pointing."""
    rng = random.Random(seed)
    samples = []
    for number in range(count):
        score, pointed_at = rng.random(), rng.random() < 0.5
        log_odds = 2 * math.log((score + 0.01) / (1.01 - score)) + (1.5 if pointed_at else -1.5)
        is_present = rng.random() < 1 / (1 + math.exp(-log_odds * noise))
        evidence = {
            "detector": PresenceEvidence(score),
            "chat": PresenceEvidence(pointed_at=pointed_at),
            "both": PresenceEvidence(score, pointed_at),
        }
        question = PresenceQuestion(f"{number // 3}.png", f"thing {number}", is_present)
        samples.append(PresenceSample(question, evidence))
    return samples


@pytest.mark.parametrize("method", METHODS)
def test_what_is_fitted_is_calibrated_on_fresh_samples(method):
    report = fit_calibration(make_samples(), NAMES, method=method, fitted_on={"data": "made up"})
    fresh = measure_calibration(report.calibration, make_samples(2000, seed=1))
    assert set(fresh.scores) == {"detector", "chat", "both"}
    for scores in (*report.scores.values(), *fresh.scores.values()):
        assert scores.ece < 0.08
    assert fresh.scores["both"].brier < fresh.scores["detector"].brier
    assert fresh.scores["both"].decided_right > 0.9
    assert report.calibration.fitted_on["data"] == "made up"
    assert report.calibration.fitted_on["method"] == method


def test_probabilities_are_those_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    samples = make_samples()
    model = fit_calibration(samples, NAMES).calibration.models["both"]
    evidence = [sample.evidence["both"] for sample in samples]
    features = np.array([one.features() for one in evidence])[:, :2]
    truth = [sample.question.is_present for sample in samples]
    reference = LogisticRegression(C=10.0, max_iter=1000).fit(features, truth)
    expected = reference.predict_proba(features)[:, 1]
    assert np.allclose([model.probability(one) for one in evidence], expected, atol=1e-9)
    assert len(model.coefficients) == len(FEATURES)


def test_a_feature_that_speaks_the_wrong_way_is_left_out():
    samples = [
        PresenceSample(
            PresenceQuestion(f"{n}.png", "x", n % 2 == 0),
            {"both": PresenceEvidence(0.5 + 0.001 * (n % 7), n % 2 == 1)},
        )
        for n in range(100)
    ]
    model = fit_calibration(samples, NAMES).calibration.models["both"]
    assert min(model.coefficients) >= 0
    assert model.coefficients[1] == 0


def test_scores_come_from_pictures_that_were_not_fitted_on():
    rng = random.Random(0)
    samples = [
        PresenceSample(
            PresenceQuestion(f"{n}.png", "x", rng.random() < 0.5),
            {"detector": PresenceEvidence(rng.random())},
        )
        for n in range(200)
    ]
    report = fit_calibration(samples, NAMES, method="isotonic")
    # Nothing can be learnt here, and a score on the fitted samples themselves would hide it.
    assert report.scores["detector"].brier > 0.23


def test_too_few_samples_of_either_kind_are_refused():
    with pytest.raises(InputError, match="at least 20 phrases"):
        fit_calibration(make_samples(20), NAMES)


def test_the_error_is_the_weighted_distance_of_the_bins():
    probabilities = np.array([0.05] * 4 + [0.95] * 4)
    truth = np.array([False, False, False, True, True, True, True, True])
    assert [one.count for one in reliability_bins(probabilities, truth)] == [4, 4]
    expected = 0.5 * abs(0.05 - 0.25) + 0.5 * abs(0.95 - 1)
    assert expected_calibration_error(probabilities, truth) == pytest.approx(expected)
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


def test_the_diagram_has_one_panel_for_each_set():
    predictions = {"first": (np.array([0.1, 0.9]), np.array([False, True]))}
    one = draw_reliability(predictions)
    two = draw_reliability({**predictions, "第二": predictions["first"]})
    assert two.width > one.width
    assert np.asarray(one).std() > 0


def samples_on(*pictures, kinds=(True, False)):
    return [
        PresenceSample(
            PresenceQuestion(image, f"thing {number}", is_present),
            {"detector": PresenceEvidence(detector_score=0.9 if is_present else 0.1)},
        )
        for image in pictures
        for is_present in kinds
        for number in range(25)
    ]


def test_one_picture_or_none_is_refused():
    with pytest.raises(InputError, match="two or more"):
        fit_calibration(samples_on("a.png"), {"detect": "d"})
    with pytest.raises(InputError, match="no evidence"):
        fit_calibration([], {"detect": "d"})


def test_pictures_on_which_everything_is_alike_can_be_fitted():
    samples = [*samples_on("a.png", kinds=[True]), *samples_on("b.png", kinds=[False])]
    report = fit_calibration(samples, {"detect": "d"})
    assert 0 <= report.scores["detector"].ece <= 1
    assert report.calibration.verdict(PresenceEvidence(detector_score=0.9)).presence == "present"
