"""Places that a reply gives more than once, and replies that go in circles.

Models that decode greedily sometimes write the same box again and again until they are cut off. The
same place under the same name counts once; a reply that gives nothing but places it has given
before is a loop, and reading it further brings nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from segue.dialects import BoxMention, PointMention, Remark, ReplyEvent
from segue.values.box import Box
from segue.values.frames import FramedBox, FramedPoint

SAME_IOU = 0.98
"""Two boxes of one phrase with a higher IoU are one."""
LOOP = 12
"""So many places in a row that were given before are a loop."""
COMPARED = 200
"""A box is compared with so many before it; equal ones are found however far back they are."""

_Key = tuple[str, int | None, object]


class Repetition:
    """The places of one reply so far."""

    def __init__(self) -> None:
        self.count = 0
        """How many places were left out."""
        self.is_loop = False
        """The reply goes in circles."""
        self._in_a_row = 0
        self._seen: set[tuple[_Key, FramedBox | FramedPoint]] = set()
        self._boxes: dict[_Key, deque[Box]] = {}

    def once(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        """Yield the events without places that were given before; ends where a loop shows."""
        for event in events:
            if isinstance(event, BoxMention | PointMention) and self._is_repeated(event):
                self.count += 1
                self._in_a_row += 1
                self.is_loop = self._in_a_row >= LOOP
                if self.is_loop:
                    return
                continue
            if isinstance(event, BoxMention | PointMention):
                self._in_a_row = 0
            yield event

    def remark(self) -> Remark:
        """Return what was left out, in words."""
        if self.is_loop:
            return Remark(
                "the reply goes in circles: it gives the same places over and over, so the rest of "
                "it was not read"
            )
        places = "place was" if self.count == 1 else "places were"
        return Remark(f"{self.count} {places} given more than once and counted once")

    def _is_repeated(self, event: BoxMention | PointMention) -> bool:
        place = event.box if isinstance(event, BoxMention) else event.point
        key = (event.phrase, event.image, place.frame)
        if (key, place) in self._seen:
            return True
        self._seen.add((key, place))
        if isinstance(place, FramedPoint):
            return False
        box = Box.spanning(place.xa, place.ya, place.xb, place.yb)
        earlier = self._boxes.setdefault(key, deque(maxlen=COMPARED))
        if any(box.iou(earlier_box) > SAME_IOU for earlier_box in earlier):
            return True
        earlier.append(box)
        return False
