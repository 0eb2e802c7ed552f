"""From a reply to regions and masks, while it is still being written.

The moment a box, a point or a tag closes, the detector and the segmenter are asked; their regions
go out before the next piece of the reply is read.
"""

from collections.abc import Iterable, Iterator, Sequence
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
from segue.values.box import Box
from segue.values.frames import EitherFrame, known_frame
from segue.values.image import Image
from segue.values.region import Region

MIN_AREA = 0.5
"""A box that covers less, in square pixels of the picture, is no place."""


class ReplyProcessor:
    """Reads one reply and acts on it."""

    def __init__(
        self,
        grounder: Grounder,
        images: Sequence[Image],
        coordinates: CoordinateMapping,
        ids: Iterator[str] | None = None,
        phrases: Sequence[str] = (),
    ) -> None:
        """
        Args:
            grounder: finds phrases and makes masks.
            images: all pictures of the conversation, the newest last.
            coordinates: how the chat model's coordinates become pixels.
            ids: names for the regions; "r1", "r2", … when left out.
            phrases: what the question asked for; a reply may say that it is not there without
                naming it.
        """
        self.grounder, self.images, self.coordinates = grounder, images, coordinates
        self.ids = ids or region_ids()
        self.phrases = phrases
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
                    yield NotFound(phrase, event.span, reason="there is no picture")

    def _report_absence(self, absence: Absence) -> Iterator[Event]:
        """Report what is not in the picture, as the chat model says."""
        index = self._image_index(absence.image) if self.images else 0
        reason = "it is not in the picture, the chat model says"
        phrases = [absence.phrase] if absence.phrase else self.phrases or ("what was asked for",)
        for phrase in phrases:
            yield NotFound(phrase, absence.span, index, reason=reason)

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
        id = next(self.ids)
        region = Region(id, mention.phrase, box, "chat", index, span=mention.span, quad=quad)
        if box.area < MIN_AREA:
            reason = "its box lies outside the picture or covers less than a pixel"
            yield NotFound(mention.phrase, mention.span, index, reason=reason)
            return
        yield RegionFound(region)
        yield from self._segment([region], index)

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
        id = next(self.ids)
        region = Region(id, mention.phrase, box, "chat", index, span=mention.span, point=point)
        yield RegionFound(region)
        if self.grounder.segmenter is not None:
            (mask,) = self.grounder.view(image).mask(points=[[point]])
            yield MaskReady(replace(region, mask=mask, box=mask.box or box))

    def _detect(self, request: DetectRequest) -> Iterator[Event]:
        """Ask the detector for a phrase."""
        index = self._image_index(request.image)
        phrase, span = request.phrase, request.span
        if self.grounder.detector is None:
            yield NotFound(phrase, span, index, reason="there is no detector")
            return
        regions = [
            replace(region, phrase=phrase, span=span)
            for region in self.grounder.detect(
                self.images[index], [phrase], index=index, ids=self.ids
            )
        ]
        if not regions:
            yield NotFound(phrase, span, index)
        yield from map(RegionFound, regions)
        yield from self._segment(regions, index)

    def _segment(self, regions: list[Region], index: int) -> Iterator[Event]:
        if self.grounder.segmenter is not None:
            yield from map(MaskReady, self.grounder.add_masks(regions, self.images[index]))

    def _image_index(self, number: int | None) -> int:
        """Index of the picture a reply means: the one it numbers, else the newest."""
        if number is not None and 1 <= number <= len(self.images):
            return number - 1
        return len(self.images) - 1


def _ambiguous(mention: BoxMention | PointMention, frame: object, index: int) -> NotFound | None:
    if not isinstance(frame, EitherFrame):
        return None
    reason = f"its frame is ambiguous ({frame}); name the dialect, which settles it"
    return NotFound(mention.phrase, mention.span, index, reason=reason)
