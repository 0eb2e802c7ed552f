"""Translate what a chat model points at into pixels of the upright picture.

A dialect states the frame of a box. Some frames depend on the size to which the backend of the chat
model resized the picture, and some endpoints speak another frame than their dialect says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from segue.chat import frame_of, seen_size
from segue.dialects import BoxMention, PointMention
from segue.values.box import Size
from segue.values.frames import SEEN_PIXELS, AnyFrame, EitherFrame, Frame, SeenPixels

Mention = TypeVar("Mention", BoxMention, PointMention)


@dataclass(frozen=True, slots=True)
class CoordinateMapping:
    """What is needed to translate the boxes of one chat model."""

    resized: Callable[[Size], Size] = lambda size: size
    """Size of a picture -> the size at which the model sees it."""
    frame: AnyFrame | None = None
    """Replaces the frame that the dialect states."""

    @classmethod
    def of(cls, chat: object) -> "CoordinateMapping":
        """Ask a chat model; one that says nothing does not resize."""
        return cls(partial(seen_size, chat), frame_of(chat))

    def reframe(self, mention: Mention) -> Mention:
        """Return the mention in the frame that is known to be meant."""
        if self.frame is None:
            return mention
        if isinstance(mention, BoxMention):
            return replace(mention, box=replace(mention.box, frame=self.frame))
        return replace(mention, point=replace(mention.point, frame=self.frame))

    def to_json(self, sizes: Iterable[Size]) -> dict[str, Any]:
        """Write what `from_json` needs to translate boxes on pictures of these sizes again."""
        table = [[*size, *self.resized(size)] for size in dict.fromkeys(sizes)]
        return {"seen": table, "frame": None if self.frame is None else _frame_to_json(self.frame)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CoordinateMapping":
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
        return {"either": [_frame_to_json(choice) for choice in frame.frames]}
    return [frame.width, frame.height]


def _frame_from_json(value: Any) -> AnyFrame:
    if value == "seen":
        return SEEN_PIXELS
    if isinstance(value, Mapping):
        frames = [_frame_from_json(choice) for choice in value["either"]]
        return EitherFrame(tuple(f for f in frames if not isinstance(f, EitherFrame)))
    width, height = value
    return Frame(width, height)
