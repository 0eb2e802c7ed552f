"""The stages of one assistant, put together: chat -> dialect -> detect -> segment.

A `Conversation` asks the chat model and hands its reply to `Pipeline.process_reply`. There is one
stream of events and everything else reads it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from segue.chat import ChatModel, thinks
from segue.detect import Detector
from segue.errors import InputError
from segue.pipeline.answer import Event
from segue.pipeline.coordinates import CoordinateMapping
from segue.pipeline.cross_check import cross_check
from segue.pipeline.grounder import Grounder
from segue.pipeline.presence import PresenceAssessment
from segue.pipeline.reply_processor import Identify, ReplyProcessor
from segue.pipeline.routing import Policy, Route, default_policy
from segue.presence.calibration import PresenceCalibration, bundled_calibration
from segue.runtime.memory import MemoryBudget
from segue.segment import Segmenter
from segue.values.image import Image
from segue.values.region import Region


def check_history(history: int | str) -> int | Literal["auto", "all"]:
    """Read how much history is sent, as the user wrote it.

    Raises:
        InputError: it is no number of turns, "auto" or "all".

    >>> check_history("6"), check_history("auto")
    (6, 'auto')
    """
    if history in ("auto", "all"):
        return history  # type: ignore[return-value]
    try:
        count = int(history)
    except ValueError:
        count = -1
    if count < 0:
        raise InputError(
            f"The history must be a number of turns, 'auto' or 'all', got {history!r}."
        )
    return count


class Pipeline:
    """A chat model, a detector and a segmenter that work together; each may be missing."""

    def __init__(
        self,
        chat: ChatModel | None = None,
        detector: Detector | None = None,
        segmenter: Segmenter | None = None,
        box_threshold: float | None = None,
        text_threshold: float | None = None,
        dialect: str | None = None,
        teach_tag: bool = False,
        route: Route = "reply",
        policy: Policy = default_policy,
        memory: MemoryBudget | None = None,
        history: int | Literal["auto", "all"] = "auto",
        calibration: PresenceCalibration | None = None,
        second_look: int = 0,
    ) -> None:
        """
        Args:
            chat: answers questions.
            detector: finds phrases.
            segmenter: makes masks.
            box_threshold: passed to the detector; None: the detector's own. Lowered alone, it has
                its effect.
            text_threshold: passed to the detector; None: its own, and never above a
                `box_threshold` that is set.
            dialect: the markup of the chat model's replies; None: as it says of itself.
            teach_tag: a system prompt teaches the chat model the tag `<gsam>`.
            route: how questions are answered, unless `Conversation.ask` says otherwise; see
                `segue.pipeline.routing`.
            policy: what the route "auto" goes by.
            memory: how much all caches may hold together; None: see `MemoryBudget.of_machine`.
            history: how many earlier turns the chat model is sent: a number, "auto" (as many as it
                can follow), or "all".
            calibration: turns evidence into verdicts; None: the bundled one, where it was fitted
                for these models, else verdicts come from the detector alone, if it states a
                presence score.
            second_look: how many second looks an answer may cost, where a verdict is unsure; see
                `segue.pipeline.presence`.

        Raises:
            InputError: the calibration was fitted for other models, or a number is negative.
        """
        if second_look < 0:
            raise InputError(f"second_look must be 0 or a higher number, got {second_look}.")
        self.chat = chat
        self.grounder = Grounder(
            detector, segmenter, box_threshold=box_threshold, text_threshold=text_threshold
        )
        self.dialect = dialect
        self.teach_tag = teach_tag
        self.route = route
        self.policy = policy
        self.history = check_history(history)
        self.second_look = second_look
        self._calibration = calibration
        if calibration is not None and not calibration.fits(self.stage_names):
            raise InputError(
                f"The calibration was fitted for {dict(calibration.names)}, not for "
                f"{self.stage_names}. Fit one with: segue evaluate calibrate"
            )
        self.memory = memory or MemoryBudget.of_machine()
        self.limit_memory(self.memory)

    @property
    def detector(self) -> Detector | None:
        """The detector; it may be exchanged."""
        return self.grounder.detector

    @detector.setter
    def detector(self, detector: Detector | None) -> None:
        self.grounder.detector = detector

    @property
    def segmenter(self) -> Segmenter | None:
        """The segmenter; it may be exchanged."""
        return self.grounder.segmenter

    @segmenter.setter
    def segmenter(self, segmenter: Segmenter | None) -> None:
        self.grounder.segmenter = segmenter

    @property
    def box_threshold(self) -> float | None:
        """Passed to the detector; None: the detector's own."""
        return self.grounder.box_threshold

    @box_threshold.setter
    def box_threshold(self, threshold: float | None) -> None:
        self.grounder.box_threshold = threshold

    @property
    def text_threshold(self) -> float | None:
        """Passed to the detector; None: the detector's own."""
        return self.grounder.text_threshold

    @text_threshold.setter
    def text_threshold(self, threshold: float | None) -> None:
        self.grounder.text_threshold = threshold

    @property
    def dialect_name(self) -> str:
        """The name of the dialect in which replies are read."""
        return self.dialect or getattr(self.chat, "dialect", None) or "qwen_vl"

    @property
    def calibration(self) -> PresenceCalibration | None:
        """What turns evidence into verdicts; None: there is none for the models at work."""
        if self._calibration is not None:
            names = self.stage_names
            return self._calibration if self._calibration.fits(names) else None
        return bundled_calibration(self.stage_names)

    @calibration.setter
    def calibration(self, calibration: PresenceCalibration | None) -> None:
        self._calibration = calibration

    @property
    def stage_names(self) -> dict[str, str | None]:
        """The names of the models at work: "chat", "detect", "segment"."""
        stages = {"chat": self.chat, "detect": self.detector, "segment": self.segmenter}
        return {kind: getattr(stage, "name", None) for kind, stage in stages.items()}

    def presence_assessment(self) -> PresenceAssessment | None:
        """Return what gives verdicts for one reply.

        None where no calibration is known and the detector states no presence score.
        """
        calibration = self.calibration
        if calibration is None and self.grounder.presence_threshold is None:
            return None
        return PresenceAssessment(
            calibration, self.grounder, self.chat, self.dialect_name, self.second_look
        )

    def limit_memory(self, budget: MemoryBudget) -> None:
        """Bound what the caches hold; what is over goes as new things come."""
        self.memory, parts = budget, budget.parts
        self.grounder.views.budget_bytes = parts["views"]
        if (limit := getattr(self.chat, "limit_memory", None)) is not None:
            limit(features=parts["features"], sequences=parts["sequences"])
        if (limit := getattr(self.grounder.detector, "limit_memory", None)) is not None:
            limit(features=parts["detector"])

    def memory_bytes(self) -> dict[str, int]:
        """Return what the caches hold now, by kind; see `MemoryBudget.parts`."""
        of_chat = getattr(self.chat, "memory_bytes", dict)
        views = self.grounder.views.size_bytes
        of_detector = getattr(self.grounder.detector, "memory_bytes", int)
        return {
            "views": views, "features": 0, "sequences": 0, "detector": of_detector(), **of_chat()
        }  # fmt: skip

    def process_reply(
        self,
        chunks: Iterable[str],
        images: Sequence[Image],
        ids: Iterator[str] | None = None,
        dialect: str | None = None,
        coordinates: CoordinateMapping | None = None,
        grounded: bool = False,
        phrases: Sequence[str] = (),
        pictures: Sequence[int] | None = None,
        identify: Identify | None = None,
    ) -> Iterator[Event]:
        """Read a reply while it is written, and act on what it says.

        A closed `<box>` is segmented and a closed tag is detected and segmented at once, before
        the next piece of the reply is asked for.

        Args:
            chunks: the raw reply in pieces; how it is cut changes nothing.
            images: all pictures of the conversation, the newest last.
            ids: names for the regions; "r1", "r2", … when left out.
            dialect: its markup; None: the one this pipeline's chat model speaks.
            coordinates: how the model's coordinates become pixels; None: as the chat model says.
            grounded: the question asked for places, so bare numbers may be some.
            phrases: what it asked for.
            pictures: indexes of the pictures that it names; None: none, so boxes are on the newest,
                and a phrase is looked for in all, newest first.
            identify: gives regions that are found together their ids; `ids` do when left out.

        Yields:
            Every event but `Done`, in the order in which things become known.
        """
        processor = ReplyProcessor(
            self.grounder,
            images,
            coordinates or CoordinateMapping.of(self.chat),
            ids,
            phrases,
            pictures,
            identify,
            self.presence_assessment(),
        )
        may_think = dialect is None and thinks(self.chat)
        return processor.events(
            chunks, dialect or self.dialect_name, thinks=may_think, grounded=grounded
        )

    def mark(
        self,
        phrases: Sequence[str],
        images: Sequence[Image],
        *,
        text: str = "",
        pictures: Sequence[int] | None = None,
        identify: Identify | None = None,
    ) -> Iterator[Event]:
        """Look for phrases of a question that the reply only spoke of.

        Args:
            phrases: what to look for.
            images: all pictures of the conversation, the newest last.
            text: the clean text of the answer, for the spans.
            pictures: see `process_reply`.
            identify: see `process_reply`.

        Yields:
            Regions, masks, and what was not found.
        """
        processor = ReplyProcessor(
            self.grounder,
            images,
            CoordinateMapping(),
            pictures=pictures,
            identify=identify,
            presence=self.presence_assessment(),
        )
        return processor.mark(phrases, text)

    def cross_check(self, regions: Sequence[Region], images: Sequence[Image]) -> tuple[Region, ...]:
        """Return the regions with how far the other route agrees with each.

        See `segue.pipeline.cross_check`.
        """
        checked = cross_check(regions, images, self.grounder, self.chat, self.dialect_name)
        presence = self.presence_assessment()
        if presence is None:
            return checked
        return tuple(
            region
            if region.agreement is None
            else replace(
                region,
                verdict=presence.verdict(presence.evidence_of_both(region, images[region.image])),
            )
            for region in checked
        )

    def model_names(self) -> dict[str, str | None]:
        """Return the names of the models at work and of the dialect, as a session keeps them."""
        return {
            "chat": getattr(self.chat, "name", None),
            "dialect": None if self.chat is None else self.dialect_name,
            "detect": getattr(self.detector, "name", None),
            "segment": getattr(self.segmenter, "name", None),
        }
