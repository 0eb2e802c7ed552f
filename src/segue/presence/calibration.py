"""From evidence to a calibrated probability.

A logistic regression for each combination of models that were asked (Platt, 1999), fitted on a
labelled set by `segue evaluate calibrate`; with isotonic regression (Zadrozny and Elkan, 2002) a
monotone step function of its output follows. Using it needs no library.
"""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.folders import config_folder
from segue.presence.evidence import FEATURES, SOURCES, PresenceEvidence, Sources
from segue.values.presence import Presence, PresenceVerdict

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PresenceModel:
    """A logistic regression over the features of evidence, and a monotone curve after it."""

    intercept: float
    coefficients: tuple[float, ...]
    """One for each of `FEATURES`, none negative."""
    curve: tuple[tuple[float, float], ...] = ()
    """(log-odds, probability), both ascending; linear between. (): the logistic function."""

    def log_odds(self, evidence: PresenceEvidence) -> float:
        """Return the output of the regression before the logistic function."""
        pairs = zip(self.coefficients, evidence.features())
        return self.intercept + sum(weight * feature for weight, feature in pairs)

    def probability(self, evidence: PresenceEvidence) -> float:
        """Return the probability of presence, in [0, 1]."""
        log_odds = self.log_odds(evidence)
        if not self.curve:
            return 1 / (1 + math.exp(-max(-700.0, min(700.0, log_odds))))
        after = bisect_right(self.curve, log_odds, key=lambda knot: knot[0])
        if after == 0 or after == len(self.curve):
            return self.curve[min(after, len(self.curve) - 1)][1]
        (x0, y0), (x1, y1) = self.curve[after - 1 : after + 1]
        return y0 + (y1 - y0) * (log_odds - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class PresenceCalibration:
    """Turns evidence of certain models into verdicts."""

    names: Mapping[str, str | None]
    """The models it was fitted for: "chat", "detect", "segment"."""
    models: Mapping[Sources, PresenceModel]
    """By which models were asked; those that are not there were not fitted."""
    absent_below: float = 0.2
    """Less likely than this is "absent"."""
    present_above: float = 0.8
    """More likely than this is "present"; between both it is "unsure"."""
    fitted_on: Mapping[str, Any] = field(default_factory=dict)
    """On what, and how well it fits."""

    def fits(self, names: Mapping[str, str | None]) -> bool:
        """Whether it was fitted for these models; a stage that is missing is no obstacle."""
        return all(
            name is None or name == self.names.get(kind) for kind, name in names.items()
        ) and any(names.values())

    def verdict(self, evidence: PresenceEvidence) -> PresenceVerdict | None:
        """Return the verdict; None where nothing was fitted for such evidence."""
        model = self.models.get(evidence.sources) if evidence.sources else None
        if model is None:
            return None
        probability = model.probability(evidence)
        presence: Presence = "unsure"
        if probability < self.absent_below:
            presence = "absent"
        elif probability > self.present_above:
            presence = "present"
        return PresenceVerdict(probability, presence)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {
            "format": FORMAT,
            "names": dict(self.names),
            "absent_below": self.absent_below,
            "present_above": self.present_above,
            "models": {
                sources: {
                    "intercept": model.intercept,
                    "coefficients": dict(zip(FEATURES, model.coefficients)),
                    **({"curve": [list(knot) for knot in model.curve]} if model.curve else {}),
                }
                for sources, model in self.models.items()
            },
            "fitted_on": dict(self.fitted_on),
        }

    @classmethod
    def from_json(cls, value: Any) -> "PresenceCalibration":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is no calibration, or one of another format.
        """
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise InputError(
                f"A calibration must be an object of format {FORMAT}. Make one with: segue "
                "evaluate calibrate"
            )
        try:
            low, high = _number(value["absent_below"]), _number(value["present_above"])
            if not 0 <= low <= high <= 1:
                raise ValueError(f"absent_below {low} and present_above {high} are not in order")
            names = {str(kind): name for kind, name in value["names"].items()}
            if not all(name is None or isinstance(name, str) for name in names.values()):
                raise ValueError("a name of a model is not a text")
            if not isinstance(value["models"], Mapping):
                raise TypeError("its models are no object")
            models = {
                sources: _read_model(value["models"][sources])
                for sources in SOURCES
                if sources in value["models"]
            }
            return cls(names, models, low, high, dict(value.get("fitted_on", {})))
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"The calibration is damaged: {error}. Fit it again.") from error

    @classmethod
    def read(cls, file: Path) -> "PresenceCalibration":
        """Read a calibration from a file.

        Raises:
            InputError: it cannot be read, or is no calibration.
        """
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f"Cannot read the calibration {file}: {error}. Fit it again, or delete it."
            ) from error
        try:
            return cls.from_json(value)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error


def bundled_calibration(names: Mapping[str, str | None]) -> PresenceCalibration | None:
    """Return the calibration that ships with the bundled models; None for other models.

    Args:
        names: of the models at work: "chat", "detect", "segment"; a stage that is not there is
            None.
    """
    calibration = _bundled()
    return calibration if calibration is not None and calibration.fits(names) else None


@cache
def _bundled() -> PresenceCalibration | None:
    file = resources.files("segue.embedded") / "weights" / "calibration.json"
    if not file.is_file():
        return None
    return PresenceCalibration.from_json(json.loads(file.read_text(encoding="utf-8")))


def user_calibration_file(names: Mapping[str, str | None]) -> Path:
    """Return where the command line keeps the calibration of some models, beside the profiles."""
    text = "+".join(str(names.get(kind)) for kind in ("chat", "detect", "segment"))
    readable = re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-.")[:80]
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    return config_folder() / "calibrations" / f"{readable}-{digest}.json"


def user_calibration(names: Mapping[str, str | None]) -> PresenceCalibration | None:
    """Return the calibration that the user fitted for some models; None where there is none.

    Raises:
        InputError: its file is damaged.
    """
    file = user_calibration_file(names)
    return PresenceCalibration.read(file) if file.is_file() else None


def _read_model(value: Mapping[str, Any]) -> PresenceModel:
    coefficients = tuple(_number(value["coefficients"][name]) for name in FEATURES)
    if min(coefficients) < 0:
        raise ValueError("a coefficient is negative")
    curve = tuple((_number(x), _number(y)) for x, y in value.get("curve", ()))
    is_ascending = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(curve))
    if not is_ascending or any(not 0 <= y <= 1 for _, y in curve):
        raise ValueError("the curve is not ascending from 0 to 1")
    return PresenceModel(_number(value["intercept"]), coefficients, curve)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
