"""Sight: how a chat model saw the pictures, as far as its boxes need it.

A dialect states the frame of a box. Some frames depend on the size to which the backend of the chat
model resized the picture, and some endpoints speak another frame than their dialect says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from segue.chat import frame_of, seen_size
from segue.dialects import Pointed, Spotted
from segue.values.box import Size
from segue.values.frames import SEEN_PIXELS, AnyFrame, EitherFrame, Frame, SeenPixels


@dataclass(frozen=True, slots=True)
class Sight:
    """What is needed to translate the boxes of one chat model."""

    seen: Callable[[Size], Size] = lambda size: size
    """Size of a picture -> the size at which the model saw it."""
    frame: AnyFrame | None = None
    """Replaces the frame that the dialect states."""

    @classmethod
    def of(cls, chat: object) -> "Sight":
        """What a chat model says of itself; one that says nothing does not resize."""
        return cls(partial(seen_size, chat), frame_of(chat))

    def framed(self, event: Pointed | Spotted) -> Pointed | Spotted:
        """The event in the frame that is known to be meant."""
        if self.frame is None:
            return event
        if isinstance(event, Pointed):
            return replace(event, box=replace(event.box, frame=self.frame))
        return replace(event, point=replace(event.point, frame=self.frame))

    def to_json(self, sizes: Iterable[Size]) -> dict[str, Any]:
        """What `from_json` needs to translate boxes on pictures of these sizes again."""
        seen = [[*size, *self.seen(size)] for size in dict.fromkeys(sizes)]
        return {"seen": seen, "frame": None if self.frame is None else _frame_to_json(self.frame)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Sight":
        """Read what `to_json` wrote; sizes that are not in it count as not resized."""
        table = {Size(a, b): Size(c, d) for a, b, c, d in value.get("seen", ())}
        frame = value.get("frame")
        return cls(
            lambda size: table.get(size, size), None if frame is None else _frame_from_json(frame)
        )


def _frame_to_json(frame: AnyFrame) -> Any:
    if isinstance(frame, SeenPixels):
        return "seen"
    if isinstance(frame, EitherFrame):
        return {"either": [_frame_to_json(one) for one in frame.frames]}
    return [frame.width, frame.height]


def _frame_from_json(value: Any) -> AnyFrame:
    if value == "seen":
        return SEEN_PIXELS
    if isinstance(value, Mapping):
        frames = [_frame_from_json(one) for one in value["either"]]
        return EitherFrame(tuple(f for f in frames if not isinstance(f, EitherFrame)))
    width, height = value
    return Frame(width, height)
