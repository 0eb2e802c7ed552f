"""Verdicts on what an answer found or did not find, and the guarded second look.

A verdict needs a calibration of the models at work (`segue.presence`), or a detector that states a
presence score itself; without either there is none, and nothing is asked that would not be asked
anyhow. With a calibration, a phrase that was not found costs a second call of a detector without a
presence score, for its best score below the threshold.

A stated presence score gives the verdict by itself as long as no calibration is known: "present"
from the detector's threshold on, "absent" below, and never "unsure". With a calibration it is the
detector's part of the evidence.

The second look is off unless a budget allows it: where a verdict is unsure, the route that was not
asked is asked about the same phrase, and the verdict is given anew.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from segue.chat import ChatModel
from segue.pipeline.chat_detector import DIALECTS_WITHOUT_BOXES, chat_as_detector
from segue.pipeline.cross_check import agreement
from segue.pipeline.grounder import Grounder
from segue.presence import PresenceCalibration, PresenceEvidence
from segue.values.box import Box
from segue.values.image import Image
from segue.values.presence import PresenceVerdict
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What another route said of a phrase."""

    evidence: PresenceEvidence
    boxes: tuple[Box, ...]
    """Where the other route found it, best first."""
    model: str
    """Which was asked: "chat model" or "detector"."""
    seconds: float

    def describe(self, phrase: str, before: PresenceVerdict, after: PresenceVerdict | None) -> str:
        """Say what was checked, what came of it, and what it cost."""
        result = "points at it" if self.boxes else "does not find it"
        return (
            f"Second look at {phrase!r}: the {self.model} {result} ({self.seconds:.1f} s); "
            f"{before} before, now {after or before}."
        )


class PresenceAssessment:
    """Gives verdicts while one reply is read, within a budget of further looks."""

    def __init__(
        self,
        calibration: PresenceCalibration | None,
        grounder: Grounder,
        chat: ChatModel | None = None,
        dialect: str = "",
        max_looks: int = 0,
    ) -> None:
        """
        Args:
            calibration: of the models at work; None: the detector's presence score decides.
            grounder: whose detector is asked.
            chat: the chat model that a second look may ask.
            dialect: of its replies.
            max_looks: how many second looks one reply may cost.
        """
        self._calibration, self._grounder = calibration, grounder
        self._chat, self._dialect, self._looks_left = chat, dialect, max_looks

    def evidence_of(self, region: Region) -> PresenceEvidence:
        """Return what speaks for a region, by the route that found it."""
        mask_score = None if region.mask is None else region.mask.score
        if region.found_by == "detector":
            score = region.score if region.presence_score is None else region.presence_score
            return PresenceEvidence(detector_score=score, mask_score=mask_score)
        return PresenceEvidence(pointed_at=True, mask_score=mask_score)

    def evidence_of_both(self, region: Region, image: Image) -> PresenceEvidence:
        """Return what speaks for a region that the other route was asked about as well."""
        score = region.score if region.presence_score is None else region.presence_score
        if region.found_by != "detector":
            score = self._grounder.best_score(image, region.phrase)
        is_pointed_at = region.found_by == "chat" or bool(region.agreement)
        mask_score = None if region.mask is None else region.mask.score
        return PresenceEvidence(score, is_pointed_at, region.agreement, mask_score)

    def verdict(self, evidence: PresenceEvidence) -> PresenceVerdict | None:
        """Return the verdict on evidence; None where nothing was fitted for it."""
        if self._calibration is not None:
            return self._calibration.verdict(evidence)
        score, threshold = evidence.detector_score, self._grounder.presence_threshold
        if score is None or threshold is None:
            return None
        return PresenceVerdict(score, "present" if score >= threshold else "absent")

    def with_verdict(self, region: Region) -> Region:
        """Return a region with the verdict on it; one that the user placed stays as it is."""
        if region.found_by == "user":
            return region
        return replace(region, verdict=self.verdict(self.evidence_of(region)))

    def evidence_of_missing(self, phrase: str, image: Image) -> PresenceEvidence:
        """Return what is known of a phrase that the detector did not find."""
        return PresenceEvidence(detector_score=self._grounder.best_score(image, phrase))

    def look_again(
        self, phrase: str, image: Image, evidence: PresenceEvidence, box: Box | None
    ) -> SecondLook | None:
        """Ask the route that was not asked, if the budget allows it.

        Args:
            phrase: what is unsure.
            image: its picture.
            evidence: so far.
            box: where the first route found it; None: nowhere.

        Returns:
            What it said; None where there is no other route or no budget.
        """
        ask = self._other_route(evidence)
        if ask is None or not phrase or self._looks_left < 1:
            return None
        self._looks_left -= 1
        started = time.perf_counter()
        model, boxes = ask(image, phrase)
        seconds = time.perf_counter() - started
        overlap = agreement(box, boxes) if box is not None and boxes else None
        if model == "detector":
            score = self._grounder.best_score(image, phrase)
            evidence = replace(evidence, detector_score=score, agreement=overlap)
        else:
            evidence = replace(evidence, pointed_at=bool(boxes), agreement=overlap)
        return SecondLook(evidence, tuple(boxes), model, seconds)

    def _other_route(
        self, evidence: PresenceEvidence
    ) -> Callable[[Image, str], tuple[str, list[Box]]] | None:
        if evidence.sources == "detector" and self._chat is not None:
            if self._dialect in DIALECTS_WITHOUT_BOXES:
                return None
            detector = chat_as_detector(self._chat, dialect=self._dialect)
            return lambda image, phrase: (
                "chat model",
                [detection.box for detection in detector.find(image, [phrase])],
            )
        if evidence.sources == "chat" and self._grounder.detector is not None:
            return lambda image, phrase: (
                "detector",
                [region.box for region in self._grounder.detect(image, [phrase])],
            )
        return None
