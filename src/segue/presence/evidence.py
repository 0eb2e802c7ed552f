"""What speaks for and against something being in the picture."""

import math
from dataclasses import dataclass
from typing import Literal

Sources = Literal["detector", "chat", "both"]
"""Which models were asked about a phrase."""
SOURCES: tuple[Sources, ...] = ("detector", "chat", "both")
MIN_SCORE = 0.001
"""Scores are cut to [MIN_SCORE, 1 - MIN_SCORE] before their log-odds are taken."""


@dataclass(frozen=True, slots=True)
class PresenceEvidence:
    """What is known of one phrase on one picture."""

    detector_score: float | None = None
    """The detector's best score for the phrase, below its threshold too; None: it was not asked."""
    pointed_at: bool | None = None
    """Whether the chat model, asked for it, pointed at something; None: it was not asked."""
    agreement: float | None = None
    """IoU of both routes, in [0, 1]; None: not both found something."""
    mask_score: float | None = None
    """The segmenter's own estimate of its mask, in [0, 1]; None: there is no mask."""

    @property
    def sources(self) -> Sources | None:
        """Which models were asked; None: neither."""
        if self.detector_score is None:
            return None if self.pointed_at is None else "chat"
        return "detector" if self.pointed_at is None else "both"

    def features(self) -> tuple[float, ...]:
        """Return the numbers from which a probability is computed, as `FEATURES` names them.

        Each speaks for presence where it is larger; what is not known is 0.
        """
        score = min(1 - MIN_SCORE, max(MIN_SCORE, self.detector_score or 0.0))
        log_odds = 0.0 if self.detector_score is None else math.log(score / (1 - score))
        return (
            log_odds,
            float(bool(self.pointed_at)),
            self.agreement or 0.0,
            self.mask_score or 0.0,
        )


FEATURES = ("detector_log_odds", "pointed_at", "agreement", "mask_score")
