"""From a reply to regions and masks, while it is still being written.

The moment a box, a point or a tag closes, the detector and the segmenter are asked; what they say
goes out before the next piece of the reply is read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from segue.dialects import (
    DIALECTS,
    Absence,
    Dialect,
    Malformed,
    Pointed,
    Remark,
    Spotted,
    Text,
    Thought,
    Wanted,
)
from segue.dialects import Event as DialectEvent
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
from segue.pipeline.coordinates import Sight
from segue.values.box import Box
from segue.values.frames import EitherFrame, known_frame
from segue.values.image import Image
from segue.values.region import Region

if TYPE_CHECKING:
    from segue.assistant import Assistant


SMALLEST = 0.5
"""A box that covers less, in square pixels of the picture, is no place."""


def region_ids(first: int = 1) -> Iterator[str]:
    """Names for regions: "r1", "r2", …"""
    return (f"r{number}" for number in count(first))


class Follower:
    """Acts on one reply."""

    def __init__(
        self,
        assistant: "Assistant",
        images: Sequence[Image],
        ids: Iterator[str],
        sight: Sight,
        phrases: Sequence[str] = (),
    ) -> None:
        """
        Args:
            assistant: whose detector and segmenter are asked.
            images: all pictures of the conversation, the newest last.
            ids: names for the regions.
            sight: how the chat model saw the pictures.
            phrases: what the question asked for; a reply may say that it is not there without
                naming it.
        """
        self.assistant, self.images, self.ids, self.sight = assistant, images, ids, sight
        self.phrases = phrases
        self._found: list[str] = []  # ids of the regions of this reply

    def follow(
        self, chunks: Iterable[str], dialect: str, *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[Event]:
        """Read a reply of a dialect. See `Assistant.follow` and `Dialect.read`."""
        reader: Dialect = DIALECTS.load(dialect)
        for event in self._act(reader.read(chunks, thinks=thinks, grounded=grounded)):
            if isinstance(event, RegionFound):
                self._found.append(event.region.id)
            yield event

    def _act(self, events: Iterable[DialectEvent]) -> Iterator[Event]:
        for event in events:
            match event:
                case Text(text):
                    yield TextAdded(text)
                case Malformed(text, cut, reason):
                    yield MarkupBroken(text, cut, reason)
                case Thought(length, retracts, cut):
                    withdrawn = tuple(self._found) if retracts else ()
                    yield ThoughtEnded(length, retracts, withdrawn, cut)
                    self._found = [id for id in self._found if not retracts]
                case Remark(text):
                    yield Notice(text)
                case Absence():
                    yield from self._absent(event)
                case Pointed() | Spotted() if self.images:
                    yield from self._place(event)
                case Wanted() if self.images:
                    yield from self._want(event)
                case Pointed(phrase) | Spotted(phrase) | Wanted(phrase):
                    yield NotFound(phrase, event.span, reason="there is no picture")

    def _absent(self, event: Absence) -> Iterator[Event]:
        """Something that is not in the picture, as the chat model says."""
        index = self._index(event.image) if self.images else 0
        reason = "it is not in the picture, the chat model says"
        for phrase in [event.phrase] if event.phrase else self.phrases or ("what was asked for",):
            yield NotFound(phrase, event.span, index, reason=reason)

    def _place(self, event: Pointed | Spotted) -> Iterator[Event]:
        """A place that the chat model gave itself: a box, or a point."""
        index = self._index(event.image)
        place = self.sight.framed(event)
        stated = (place.box if isinstance(place, Pointed) else place.point).frame
        if isinstance(stated, EitherFrame):
            reason = f"its frame is ambiguous ({stated}); name the dialect, which settles it"
            yield NotFound(place.phrase, place.span, index, reason=reason)
        elif isinstance(place, Pointed):
            region = self._box(place, index)
            if region.box.area < SMALLEST:
                reason = "its box lies outside the picture or covers less than a pixel"
                yield NotFound(place.phrase, place.span, index, reason=reason)
                return
            yield RegionFound(region)
            yield from self._masks([region], index)
        else:
            yield from self._spot(place, index)

    def _box(self, event: Pointed, index: int) -> Region:
        size = self.images[index].size
        seen = self.sight.seen(size)
        quad = None
        if event.quad is not None:
            frame = known_frame(event.box.frame, size, seen)
            across, down = size.width / frame.width, size.height / frame.height
            quad = tuple((x * across, y * down) for x, y in event.quad)
        box = event.box.to_box(size, seen)
        return Region(next(self.ids), event.phrase, box, "chat", index, span=event.span, quad=quad)

    def _spot(self, event: Spotted, index: int) -> Iterator[Event]:
        image = self.images[index]
        x, y = point = event.point.to_point(image.size, self.sight.seen(image.size))
        box = Box(x, y, x, y)
        region = Region(
            next(self.ids), event.phrase, box, "chat", index, span=event.span, point=point
        )
        yield RegionFound(region)
        if self.assistant.segmenter is not None:
            (mask,) = self.assistant.look(image).mask(points=[[point]])
            yield MaskReady(replace(region, mask=mask, box=mask.box or box))

    def _want(self, event: Wanted) -> Iterator[Event]:
        """A phrase for the detector."""
        index = self._index(event.image)
        if self.assistant.detector is None:
            yield NotFound(event.phrase, event.span, index, reason="there is no detector")
            return
        image = self.images[index]
        found = self.assistant.detect(image, [event.phrase], index=index, ids=self.ids)
        regions = [replace(one, phrase=event.phrase, span=event.span) for one in found]
        if not regions:
            yield NotFound(event.phrase, event.span, index)
        yield from map(RegionFound, regions)
        yield from self._masks(regions, index)

    def _masks(self, regions: list[Region], index: int) -> Iterator[Event]:
        if self.assistant.segmenter is not None and regions:
            yield from map(MaskReady, self.assistant.with_masks(regions, self.images[index]))

    def _index(self, number: int | None) -> int:
        """The picture a reply means: the one it numbers, else the newest."""
        if number is not None and 1 <= number <= len(self.images):
            return number - 1
        return len(self.images) - 1
