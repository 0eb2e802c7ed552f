"""Fits calibrations of presence, and says how well they fit.

Scores are of predictions on pictures that a model was not fitted on (cross-fitting over pictures).
Expected calibration error: Naeini et al., 2015; Brier score: Brier, 1950.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segue.errors import InputError, MissingExtra
from segue.evaluate.presence import PresenceSample
from segue.presence.calibration import PresenceCalibration, PresenceModel
from segue.presence.evidence import SOURCES, PresenceEvidence, Sources

Floats = NDArray[np.float64]
Method = Literal["logistic", "isotonic"]
METHODS: tuple[Method, ...] = ("logistic", "isotonic")
N_FOLDS = 5
N_BINS = 10
MIN_SAMPLES = 20
"""Fewer samples of either kind are too few to fit anything."""


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """How good the probabilities are."""

    samples: int
    present: int
    """How many of them are present."""
    ece: float
    """Expected calibration error over `N_BINS` bins of equal width."""
    brier: float
    """Mean squared error of the probability."""
    unsure: float
    """Share of verdicts that are "unsure"."""
    decided_right: float | None
    """Share of right ones among the others; None: there are none."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration, and its scores by which models were asked."""

    calibration: PresenceCalibration
    scores: Mapping[Sources, CalibrationScores]
    predictions: Mapping[Sources, tuple[Floats, NDArray[np.bool_]]]
    """Probabilities, and what was true, of all samples; for the reliability diagram."""


def fit_calibration(
    samples: Sequence[PresenceSample],
    names: Mapping[str, str | None],
    *,
    method: Method = "logistic",
    absent_below: float = 0.2,
    present_above: float = 0.8,
    fitted_on: Mapping[str, Any] | None = None,
) -> CalibrationReport:
    """Fit a model for each combination of models that the samples have evidence of.

    Args:
        samples: with evidence.
        names: of the models: "chat", "detect", "segment".
        method: "logistic", or "isotonic" for a monotone curve after it.
        absent_below: see `PresenceCalibration`.
        present_above: likewise.
        fitted_on: what to keep beside the scores, such as the name of the data.

    Raises:
        InputError: there are too few samples, or all of them are of one picture.
        MissingExtra: scikit-learn is not installed.
    """
    models: dict[Sources, PresenceModel] = {}
    predictions: dict[Sources, tuple[Floats, NDArray[np.bool_]]] = {}
    for sources in SOURCES:
        source_samples = [sample for sample in samples if sources in sample.evidence]
        if not source_samples:
            continue
        truth = np.array([sample.question.is_present for sample in source_samples])
        if min(truth.sum(), (~truth).sum()) < MIN_SAMPLES:
            raise InputError(
                f"A calibration needs at least {MIN_SAMPLES} phrases that are present and as many "
                f"that are absent, got {truth.sum()} and {(~truth).sum()}."
            )
        if len({sample.question.image for sample in source_samples}) < 2:
            raise InputError(
                "A calibration is measured on other pictures than it was fitted on, and needs two "
                f"or more, got only {source_samples[0].question.image}."
            )
        evidence = [sample.evidence[sources] for sample in source_samples]
        pictures = [sample.question.image for sample in source_samples]
        held_out = _predict_held_out(evidence, truth, pictures, method)
        models[sources] = _fit_model(evidence, truth, pictures, method)
        predictions[sources] = held_out, truth
    if not models:
        raise InputError(
            "There is no evidence to fit a calibration to: no picture could be read, or there is "
            "neither a detector nor a chat model that points at things."
        )
    calibration = PresenceCalibration(dict(names), models, absent_below, present_above)
    scores = {
        sources: score_predictions(*prediction, absent_below, present_above)
        for sources, prediction in predictions.items()
    }
    facts = {
        **(fitted_on or {}),
        "method": method,
        "scores": {sources: asdict(score) for sources, score in scores.items()},
    }
    calibration = PresenceCalibration(dict(names), models, absent_below, present_above, facts)
    return CalibrationReport(calibration, scores, predictions)


def measure_calibration(
    calibration: PresenceCalibration, samples: Sequence[PresenceSample]
) -> CalibrationReport:
    """Score a calibration on samples that it was not fitted on."""
    predictions: dict[Sources, tuple[Floats, NDArray[np.bool_]]] = {}
    for sources, model in calibration.models.items():
        source_samples = [sample for sample in samples if sources in sample.evidence]
        if source_samples:
            probabilities = [
                model.probability(sample.evidence[sources]) for sample in source_samples
            ]
            truth = np.array([sample.question.is_present for sample in source_samples])
            predictions[sources] = np.array(probabilities), truth
    thresholds = calibration.absent_below, calibration.present_above
    scores = {key: score_predictions(*value, *thresholds) for key, value in predictions.items()}
    return CalibrationReport(calibration, scores, predictions)


def score_predictions(
    probabilities: Floats, truth: NDArray[np.bool_], absent_below: float, present_above: float
) -> CalibrationScores:
    """Score probabilities, and the verdicts that follow from them."""
    is_present, is_absent = probabilities > present_above, probabilities < absent_below
    is_decided = is_present | is_absent
    right = is_present == truth
    return CalibrationScores(
        samples=len(truth),
        present=int(truth.sum()),
        ece=expected_calibration_error(probabilities, truth),
        brier=float(np.mean((probabilities - truth) ** 2)),
        unsure=float(np.mean(~is_decided)),
        decided_right=float(np.mean(right[is_decided])) if is_decided.any() else None,
    )


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions of about one probability."""

    count: int
    probability: float
    """Their mean."""
    frequency: float
    """How often it was true."""


def reliability_bins(probabilities: Floats, truth: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Sort predictions into `N_BINS` bins of equal width; empty ones are left out."""
    number = np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1)
    return [
        ReliabilityBin(
            int((number == n).sum()),
            float(probabilities[number == n].mean()),
            float(truth[number == n].mean()),
        )
        for n in range(N_BINS)
        if (number == n).any()
    ]


def expected_calibration_error(probabilities: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the mean distance of probability and frequency over the bins, weighted by size.

    >>> expected_calibration_error(np.array([0.9, 0.9, 0.1]), np.array([True, False, False]))
    0.3
    """
    bins = reliability_bins(probabilities, truth)
    total = sum(bin.count for bin in bins)
    return round(sum(bin.count * abs(bin.probability - bin.frequency) for bin in bins) / total, 10)


def _predict_held_out(
    evidence: Sequence[PresenceEvidence],
    truth: NDArray[np.bool_],
    pictures: Sequence[str],
    method: Method,
) -> Floats:
    """Predict each sample by a model that has not seen its picture."""
    folds = _fold_of(pictures)
    probabilities = np.zeros(len(truth))
    for fold in np.unique(folds):
        training = np.flatnonzero(folds != fold).tolist()
        model = _fit_model(
            [evidence[n] for n in training],
            truth[training],
            [pictures[n] for n in training],
            method,
        )
        for n in np.flatnonzero(folds == fold).tolist():
            probabilities[n] = model.probability(evidence[n])
    return probabilities


def _fold_of(pictures: Sequence[str]) -> NDArray[np.int64]:
    """Return a fold for each sample; those of one picture are in one."""
    numbers = {picture: n % N_FOLDS for n, picture in enumerate(dict.fromkeys(pictures))}
    return np.array([numbers[picture] for picture in pictures])


def _fit_model(
    evidence: Sequence[PresenceEvidence],
    truth: NDArray[np.bool_],
    pictures: Sequence[str],
    method: Method,
) -> PresenceModel:
    model = _fit_logistic(evidence, truth)
    if method == "logistic":
        return model
    folds = _fold_of(pictures)
    log_odds = np.zeros(len(truth))
    for fold in np.unique(folds):
        training = np.flatnonzero(folds != fold).tolist()
        fold_model = _fit_logistic([evidence[n] for n in training], truth[training])
        for n in np.flatnonzero(folds == fold).tolist():
            log_odds[n] = fold_model.log_odds(evidence[n])
    return PresenceModel(model.intercept, model.coefficients, _isotonic_curve(log_odds, truth))


def _fit_logistic(evidence: Sequence[PresenceEvidence], truth: NDArray[np.bool_]) -> PresenceModel:
    """Fit a logistic regression whose coefficients are not negative.

    A feature whose coefficient would be negative is left out, so that more evidence never makes
    presence less likely.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Fitting a calibration needs the 'evaluate' extra (scikit-learn is not installed). "
            "Run: pip install 'segue[evaluate]'"
        ) from error
    features = np.array([one.features() for one in evidence])
    used = np.flatnonzero(features.std(axis=0) > 0)
    coefficients = np.zeros(features.shape[1])
    n_present, n_absent = int(truth.sum()), int((~truth).sum())
    if not n_present or not n_absent:
        # The other pictures are all alike: nothing can be said of what makes the difference.
        prior = float(np.log((n_present + 1) / (n_absent + 1)))
        return PresenceModel(prior, tuple(map(float, coefficients)))
    intercept = float(np.log(n_present / n_absent))
    while len(used):
        regression = LogisticRegression(C=10.0, max_iter=1000)
        regression.fit(features[:, used], truth)
        weights = regression.coef_[0]
        if (weights >= 0).all():
            coefficients[used], intercept = weights, float(regression.intercept_[0])
            break
        used = np.delete(used, int(np.argmin(weights)))
    return PresenceModel(intercept, tuple(map(float, coefficients)))


def _isotonic_curve(log_odds: Floats, truth: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression

    regression = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    regression.fit(log_odds, truth.astype(float))
    knots = zip(regression.X_thresholds_.tolist(), regression.y_thresholds_.tolist())
    return tuple((float(x), float(y)) for x, y in dict(knots).items())
