"""From a reply to regions and masks, while it is still being written.

The moment a box, a point or a tag closes, the detector and the segmenter are asked; their regions
go out before the next piece of the reply is read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from segue.dialects import (
    DIALECTS,
    Absence,
    BoxMention,
    DetectRequest,
    Dialect,
    MalformedMarkup,
    PlainText,
    PointMention,
    Remark,
    ReplyEvent,
    Thought,
)
from segue.pipeline.answer import (
    Event,
    MarkupBroken,
    MaskReady,
    NotFound,
    Notice,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)
from segue.pipeline.coordinates import CoordinateMapping
from segue.pipeline.grounder import Grounder, region_ids
from segue.pipeline.presence import PresenceAssessment
from segue.presence import PresenceEvidence
from segue.prompting.absence import says_absent
from segue.values.box import Box
from segue.values.frames import EitherFrame, known_frame
from segue.values.image import Image
from segue.values.region import FoundBy, Region

MIN_AREA = 0.5
"""A box that covers less, in square pixels of the picture, is no place."""
SURE_SCORE = 0.6
"""A detector's score from which older pictures are not looked at, where there is no verdict."""
CLEARLY_LIKELIER = 0.2
"""By so much a find in an older picture must be likelier than the one in a newer picture."""


Identify = Callable[[Sequence[Region]], list[Region]]
"""Gives regions that are found together their ids, in the same order."""


class ReplyProcessor:
    """Reads one reply and acts on it."""

    def __init__(
        self,
        grounder: Grounder,
        images: Sequence[Image],
        coordinates: CoordinateMapping,
        ids: Iterator[str] | None = None,
        phrases: Sequence[str] = (),
        pictures: Sequence[int] | None = None,
        identify: Identify | None = None,
        presence: PresenceAssessment | None = None,
    ) -> None:
        """
        Args:
            grounder: finds phrases and makes masks.
            images: all pictures of the conversation, the newest last.
            coordinates: how the chat model's coordinates become pixels.
            ids: names for the regions; "r1", "r2", … when left out.
            phrases: what the question asked for; a reply may say that it is not there without
                naming it.
            pictures: indexes of the pictures that the question names; None: it names none. Then
                boxes are on the newest, and a phrase is looked for in all, newest first.
            identify: gives regions that are found together their ids; `ids` do it when left out.
            presence: gives verdicts on what is found and what is not; None: there are none.
        """
        self.grounder, self.images, self.coordinates = grounder, images, coordinates
        self.ids = ids or region_ids()
        self.phrases = phrases
        self.pictures = pictures
        self._identify = identify or self._number
        self._presence = presence
        self._is_denied = False
        """Whether the chat model's words say that what is looked for is not there."""
        self._region_ids: list[str] = []  # of this reply, as far as they count

    def events(
        self, chunks: Iterable[str], dialect: str, *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[Event]:
        """Read a reply of a dialect. See `Pipeline.process_reply` and `Dialect.read`."""
        reader: Dialect = DIALECTS.load(dialect)
        for event in self._act(reader.read(chunks, thinks=thinks, grounded=grounded)):
            if isinstance(event, RegionFound):
                self._region_ids.append(event.region.id)
            yield event

    def _act(self, events: Iterable[ReplyEvent]) -> Iterator[Event]:
        for event in events:
            match event:
                case PlainText(text):
                    yield TextAdded(text)
                case MalformedMarkup(text, cut, reason):
                    yield MarkupBroken(text, cut, reason)
                case Thought(length, retracts, cut):
                    withdrawn = tuple(self._region_ids) if retracts else ()
                    yield ThoughtEnded(length, retracts, withdrawn, cut)
                    if retracts:
                        self._region_ids = []
                case Remark(text):
                    yield Notice(text)
                case Absence():
                    yield from self._report_absence(event)
                case BoxMention() if self.images:
                    yield from self._ground_box(event)
                case PointMention() if self.images:
                    yield from self._ground_point(event)
                case DetectRequest() if self.images:
                    yield from self._detect(event)
                case BoxMention(phrase) | PointMention(phrase) | DetectRequest(phrase):
                    yield NotFound(
                        phrase, event.span, reason="there is no picture", is_looked_for=False
                    )

    def _report_absence(self, absence: Absence) -> Iterator[Event]:
        """Report what is not in the picture, as the chat model says."""
        index = self._image_index(absence.image) if self.images else 0
        reason = "it is not in the picture, the chat model says"
        phrases = [absence.phrase] if absence.phrase else self.phrases or ("what was asked for",)
        for phrase in phrases:
            missing = NotFound(phrase, absence.span, index, reason=reason)
            evidence = PresenceEvidence(pointed_at=False)
            yield from self._report_missing(missing, evidence if absence.phrase else None)

    def _ground_box(self, mention: BoxMention) -> Iterator[Event]:
        """Ground a box that the chat model gave itself."""
        index = self._image_index(mention.image)
        mention = self.coordinates.reframe(mention)
        if (event := _ambiguous(mention, mention.box.frame, index)) is not None:
            yield event
            return
        size = self.images[index].size
        resized = self.coordinates.resized(size)
        box = mention.box.to_box(size, resized)
        quad = None
        if mention.quad is not None:
            frame = known_frame(mention.box.frame, size, resized)
            across, down = size.width / frame.width, size.height / frame.height
            quad = tuple((x * across, y * down) for x, y in mention.quad)
        if box.area < MIN_AREA:
            reason = "its box lies outside the picture or covers less than a pixel"
            yield NotFound(mention.phrase, mention.span, index, reason=reason, is_looked_for=False)
            return
        region = Region("", mention.phrase, box, "chat", index, span=mention.span, quad=quad)
        yield from self._segment(self._identify([region]), index)

    def _ground_point(self, mention: PointMention) -> Iterator[Event]:
        """Ground a point that the chat model gave itself."""
        index = self._image_index(mention.image)
        mention = self.coordinates.reframe(mention)
        if (event := _ambiguous(mention, mention.point.frame, index)) is not None:
            yield event
            return
        image = self.images[index]
        x, y = point = mention.point.to_point(image.size, self.coordinates.resized(image.size))
        box = Box(x, y, x, y)
        region = Region("", mention.phrase, box, "chat", index, span=mention.span, point=point)
        (region,) = self._identify([region])
        yield RegionFound(region)
        if region.mask is not None:
            yield MaskReady(region)
        elif self.grounder.segmenter is not None:
            (mask,) = self.grounder.view(image).mask(points=[[point]])
            yield from self._report_mask(replace(region, mask=mask, box=mask.box or box))

    def mark(self, phrases: Sequence[str], text: str = "") -> Iterator[Event]:
        """Look for phrases that no markup asked for.

        Args:
            phrases: what to look for.
            text: the clean text of the answer; where it holds a phrase, that is the span. What it
                denies counts against the phrase.
        """
        for phrase in phrases if self.images else ():
            self._is_denied = says_absent(text, phrase)
            yield from self._detect(DetectRequest(phrase, _span_in(phrase, text)))
            self._is_denied = False

    def _detect(self, request: DetectRequest) -> Iterator[Event]:
        """Ask the detector for a phrase."""
        phrase, span = request.phrase, request.span
        if self.grounder.detector is None:
            index = self._image_index(request.image)
            yield NotFound(phrase, span, index, reason="there is no detector", is_looked_for=False)
            return
        if request.image is None and self.pictures is None:
            yield from self._detect_anywhere(phrase, span)
            return
        named = self._image_index(request.image)
        for index in (self.pictures or ()) if request.image is None else [named]:
            regions = self._identify(self._find(phrase, span, index))
            yield from self._segment(regions, index)
            if not regions:
                where = self._picture_name(index) if len(self.images) > 1 else "the picture"
                missing = NotFound(phrase, span, index, reason=f"it is not in {where}")
                yield from self._report_missing(missing, self._evidence_of_missing(missing))

    def _detect_anywhere(self, phrase: str, span: tuple[int, int] | None) -> Iterator[Event]:
        """Ask the detector for a phrase in all pictures, newest first, as long as it is not sure.

        An older picture is taken where what it shows is clearly likelier.
        """
        newest = len(self.images) - 1
        chosen: tuple[int, list[Region], float] | None = None
        weaker: float | None = None
        for index in range(newest, -1, -1):
            found = self._find(phrase, span, index)
            if not found:
                continue
            likelihood, is_sure = max(map(self._likelihood, found))
            if chosen is None or likelihood > chosen[2] + CLEARLY_LIKELIER:
                weaker = chosen[2] if chosen is not None and chosen[0] == newest else weaker
                chosen = index, found, likelihood
            if is_sure:
                break
        if chosen is None:
            where = "it is not in the picture" if newest == 0 else "it is in none of the pictures"
            missing = NotFound(phrase, span, newest, reason=where)
            yield from self._report_missing(missing, self._evidence_of_missing(missing))
            return
        index, found, likelihood = chosen
        if index != newest:
            name = self._picture_name(index)
            in_newest = (
                "not in the newest"
                if weaker is None
                else f"where it is likelier than in the newest ({likelihood:.2f}, not {weaker:.2f})"
            )
            yield Notice(f"{phrase!r} is in {name}, {in_newest}.")
        yield from self._segment(self._identify(found), index)

    def _find(self, phrase: str, span: tuple[int, int] | None, index: int) -> list[Region]:
        """Return what the detector finds in a picture; it has no ids yet."""
        found = self.grounder.detect(self.images[index], [phrase], index=index)
        return [replace(region, phrase=phrase, span=span) for region in found]

    def _likelihood(self, region: Region) -> tuple[float, bool]:
        """Return how likely a find is right, and whether that is sure enough to look no further."""
        verdict = None
        if self._presence is not None:
            verdict = self._presence.verdict(self._presence.evidence_of(region))
        if verdict is not None:
            return verdict.probability, verdict.presence == "present"
        score = 1.0 if region.score is None else region.score
        return score, score >= SURE_SCORE

    def _evidence_of_missing(self, missing: NotFound) -> PresenceEvidence | None:
        if self._presence is None:
            return None
        evidence = self._presence.evidence_of_missing(missing.phrase, self.images[missing.image])
        return replace(evidence, pointed_at=False) if self._is_denied else evidence

    def _report_missing(
        self, missing: NotFound, evidence: PresenceEvidence | None
    ) -> Iterator[Event]:
        """Report what was not found with the verdict on it, after a second look where allowed."""
        if self._presence is None or evidence is None or not self.images:
            yield missing
            return
        verdict = self._presence.verdict(evidence)
        image = self.images[missing.image]
        if verdict is not None and verdict.presence == "unsure":
            look = self._presence.look_again(missing.phrase, image, evidence, None)
            if look is not None:
                new_verdict = self._presence.verdict(look.evidence) or verdict
                yield Notice(look.describe(missing.phrase, verdict, new_verdict))
                if look.boxes and new_verdict.presence == "present":
                    found_by: FoundBy = "chat" if look.model == "chat model" else "detector"
                    found_regions = [
                        Region(
                            "", missing.phrase, box, found_by, missing.image, span=missing.span,
                            verdict=new_verdict,
                        )
                        for box in look.boxes
                    ]  # fmt: skip
                    yield from self._segment(self._identify(found_regions), missing.image)
                    return
                verdict = new_verdict
        yield replace(missing, verdict=verdict)

    def _segment(self, regions: list[Region], index: int) -> Iterator[Event]:
        """Report regions of one picture, and make the masks of those that have none."""
        yield from map(RegionFound, regions)
        for region in regions:
            if region.mask is not None:
                yield from self._report_mask(region)
        rest = [region for region in regions if region.mask is None]
        for region in self.grounder.add_masks(rest, self.images[index]):
            yield from self._report_mask(region)

    def _report_mask(self, region: Region) -> Iterator[Event]:
        """Report a region that is complete, with the verdict on it."""
        event = RegionFound if region.mask is None else MaskReady
        if self._presence is None or region.verdict is not None:
            if region.mask is not None:
                yield MaskReady(region)
            return
        evidence = self._presence.evidence_of(region)
        if self._is_denied:
            evidence = replace(evidence, pointed_at=False)
        verdict = self._presence.verdict(evidence)
        if verdict is not None and verdict.presence == "unsure":
            image = self.images[region.image]
            look = self._presence.look_again(region.phrase, image, evidence, region.box)
            if look is not None:
                new_verdict = self._presence.verdict(look.evidence) or verdict
                yield Notice(look.describe(region.phrase, verdict, new_verdict))
                region = replace(region, agreement=look.evidence.agreement)
                verdict = new_verdict
        if region.mask is not None or verdict is not None:
            yield event(replace(region, verdict=verdict))

    def _number(self, regions: Sequence[Region]) -> list[Region]:
        return [replace(region, id=next(self.ids)) for region in regions]

    def _image_index(self, number: int | None) -> int:
        """Index of the picture a reply means: the one it numbers, else the question's, else the
        newest."""
        if number is not None and 1 <= number <= len(self.images):
            return number - 1
        return self.pictures[-1] if self.pictures else len(self.images) - 1

    def _picture_name(self, index: int) -> str:
        name = self.images[index].name
        return f"picture {index + 1}" + (f" ({name})" if name else "")


def _span_in(phrase: str, text: str) -> tuple[int, int] | None:
    """Return where a phrase, or its singular or plural, stands in a text; None: nowhere."""
    forms = [phrase, phrase.removesuffix("s"), phrase.removesuffix("es"), f"{phrase}s"]
    for form in filter(None, forms):
        boundary = r"\b" if form.isascii() else ""
        if match := re.search(boundary + re.escape(form) + boundary, text, re.IGNORECASE):
            return match.span()
    return None


def _ambiguous(mention: BoxMention | PointMention, frame: object, index: int) -> NotFound | None:
    if not isinstance(frame, EitherFrame):
        return None
    reason = f"its frame is ambiguous ({frame}); name the dialect, which settles it"
    return NotFound(mention.phrase, mention.span, index, reason=reason, is_looked_for=False)
