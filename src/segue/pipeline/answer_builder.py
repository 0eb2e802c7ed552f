"""AnswerBuilder: gathers the events of one reply into an `Answer`."""

import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from segue.pipeline.answer import (
    Answer,
    Done,
    Event,
    MarkupBroken,
    MaskReady,
    NotFound,
    Notice,
    PhraseVerdict,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)
from segue.pipeline.contradictions import find_contradictions
from segue.pipeline.presence import PresenceAssessment
from segue.presence import PresenceEvidence
from segue.prompting.absence import says_absent
from segue.values.image import Image
from segue.values.presence import PresenceVerdict
from segue.values.region import Region


class AnswerBuilder:
    """Gathers the events of one reply into an `Answer`."""

    def __init__(self, question: str) -> None:
        self.question = question
        self.raw: list[str] = []
        self.text: list[str] = []
        self.regions: dict[str, Region] = {}
        self.not_found: list[str] = []
        self.broken: list[str] = []
        self.cut = False
        self.thought = 0
        self.notices: list[str] = []
        self.marked: tuple[str, ...] = ()
        self._missing: list[PhraseVerdict] = []
        self._looked_for: dict[str, PresenceVerdict | None] = {}
        self.from_register = False
        self.choices: tuple[str, ...] = ()
        self.finish: Any = "stop"
        self.chat_seconds = 0.0
        self.started = time.perf_counter()

    def tee(self, chunks: Iterator[str]) -> Generator[str, None, str]:
        """Pass a reply through, and keep it and the time it took to write."""
        while True:
            started = time.perf_counter()
            try:
                chunk = next(chunks)
            except StopIteration as end:
                self.finish = end.value or "stop"
                return self.finish
            finally:
                self.chat_seconds += time.perf_counter() - started
            self.raw.append(chunk)
            yield chunk

    def add(self, event: Event) -> None:
        """Add one event."""
        match event:
            case TextAdded(text):
                self.text.append(text)
            case RegionFound(region) | MaskReady(region):
                self.regions[region.id] = region
            case NotFound(phrase):
                self.not_found.append(phrase)
                if event.is_looked_for:
                    self._looked_for[phrase] = event.verdict
                if event.verdict is not None:
                    self._missing.append(PhraseVerdict(phrase, event.image, event.verdict))
            case MarkupBroken(text, cut):
                self.broken.append(text)
                self.cut = self.cut or cut
            case ThoughtEnded(characters, retracts):
                self.thought += characters
                if retracts:
                    self._withdraw()
            case Notice(text):
                self.notices.append(text)
            case Done():
                pass

    def _withdraw(self) -> None:
        """All that came so far was a thought."""
        for part in (self.text, self.regions, self.not_found, self.broken, self._missing):
            part.clear()
        self._looked_for.clear()
        self.cut = False

    def add_denials(
        self, phrases: Sequence[str], image: int, presence: PresenceAssessment | None
    ) -> None:
        """Add a verdict on each phrase that the words deny and nothing else speaks of.

        Args:
            phrases: what was asked for.
            image: index of the picture that was asked about.
            presence: gives verdicts; None: there are none.
        """
        text = "".join(self.text)
        settled_phrases = {one.phrase for one in self._verdicts()} | set(self.not_found)
        for phrase in phrases if presence is not None else ():
            assert presence is not None
            if phrase in settled_phrases or self.regions or not says_absent(text, phrase):
                continue
            verdict = presence.verdict(PresenceEvidence(pointed_at=False))
            if verdict is not None:
                self._missing.append(PhraseVerdict(phrase, image, verdict))

    def _verdicts(self) -> tuple[PhraseVerdict, ...]:
        """Return the verdicts of all phrases; of several regions of one the most likely counts."""
        verdicts = {(one.phrase, one.image): one for one in self._missing}
        for region in self.regions.values():
            key = (region.phrase, region.image)
            if region.verdict is None or not region.phrase:
                continue
            earlier = verdicts.get(key)
            if earlier is None or region.verdict.probability > earlier.verdict.probability:
                verdicts[key] = PhraseVerdict(*key, region.verdict)
        return tuple(verdicts.values())

    def contradictions(self) -> list[Notice]:
        """Return what to say where the words say the opposite of what was found."""
        sentences = find_contradictions(
            self.question,
            "".join(self.text),
            list(self.regions.values()),
            self._looked_for.items(),
        )
        return list(map(Notice, sentences))

    def final_notice(self) -> Notice | None:
        """Return what the user should know of how the reply ended."""
        if notice := getattr(self.finish, "notice", ""):
            return Notice(notice)
        has_content = self.regions or self.not_found or self.broken
        if self.thought and not has_content and not "".join(self.text).strip():
            self.finish = "thought"
            return Notice(
                f"the model only thought, {self.thought} characters, and gave no answer; "
                "raise --max-new-tokens (max_new_tokens)"
            )
        return None

    def answer(self, images: Sequence[Image]) -> Answer:
        """Return the answer as far as it is known."""
        total = time.perf_counter() - self.started
        return Answer(
            question=self.question,
            text="".join(self.text),
            raw="".join(self.raw),
            regions=tuple(self.regions.values()),
            images=tuple(images),
            not_found=tuple(self.not_found),
            broken=tuple(self.broken),
            cut=self.cut,
            finish=str(self.finish),  # type: ignore[arg-type]
            thought=self.thought,
            notices=tuple(self.notices),
            marked=self.marked,
            verdicts=self._verdicts(),
            from_register=self.from_register,
            choices=self.choices,
            seconds={"chat": self.chat_seconds, "total": total},
        )
