"""What travels in a conversation: messages in, events and an answer out.

The events of one answer come as a single stream, in the order in which they become known; a mask
may come before the sentence that mentions it has ended. Command line, server, annotation and
`ask()` are four readers of this one stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from segue.image import Image
from segue.region import Region


@dataclass(frozen=True, slots=True)
class Message:
    """One turn, as a chat model gets to see it."""

    role: Literal["system", "user", "assistant"]
    text: str
    """What a person typed (never markup that opens anything), or what the model wrote (raw)."""
    images: tuple[Image, ...] = ()
    """Pictures shown with this turn."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a chat model picks its words. None means: as the weights' own settings say."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    """0 is greedy."""
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """The reply ends before any of these strings."""


@dataclass(frozen=True, slots=True)
class TextAdded:
    """More words of the answer, free of markup."""

    text: str


@dataclass(frozen=True, slots=True)
class RegionFound:
    """A box is known; its mask follows."""

    region: Region


@dataclass(frozen=True, slots=True)
class MaskReady:
    """The mask of a region found earlier."""

    region: Region


@dataclass(frozen=True, slots=True)
class NotFound:
    """The detector looked for a phrase and it is not in the picture. An answer, not an error."""

    phrase: str
    span: tuple[int, int] | None = None
    image: int = 0
    reason: str = "it is not in the picture"


@dataclass(frozen=True, slots=True)
class MarkupBroken:
    """Markup that never made sense, kept word for word. Data, not an error."""

    text: str
    cut: bool = False
    """The reply ended inside it: more might have come."""
    reason: str = ""
    """For people, where it is more than that it makes no sense."""


@dataclass(frozen=True, slots=True)
class ThoughtEnded:
    """The model thought for a while; what it thought is neither shown nor acted on."""

    characters: int
    """Length of the thought."""
    retracts: bool = False
    """Its beginning was not marked, so all earlier events of this reply belong to it and no longer
    count: words, regions, what was not found. The clean text begins anew."""
    regions: tuple[str, ...] = ()
    """Ids of the regions that are withdrawn."""
    cut: bool = False
    """The reply ended inside the thought."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a user should know of how an answer came about: a fall-back, a loop, a server's word."""

    text: str
    """A sentence."""


class Finish(str):
    """Why a reply ended, as the return value of a chat model's stream, with a word about it.

    It equals the plain text: "stop", "length", "cancelled", "error" (the endpoint failed in the
    middle; what it had said is kept) or "refused".

    >>> Finish("error", "The endpoint failed: out of memory.") == "error"
    True
    """

    notice: str
    """A sentence for the user; "" where there is nothing to say."""

    __slots__ = ("notice",)

    def __new__(cls, why: str, notice: str = "") -> "Finish":
        """
        Args:
            why: one of the texts above.
            notice: see the attribute.
        """
        finish = super().__new__(cls, why)
        finish.notice = notice
        return finish


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything one question brought."""

    question: str
    text: str
    """Clean words."""
    raw: str
    """As the model wrote it, markup included."""
    regions: tuple[Region, ...] = ()
    images: tuple[Image, ...] = ()
    """All pictures of the conversation so far; `Region.image` counts in here."""
    not_found: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    """Markup that could not be read."""
    cut: bool = False
    """The reply ended inside markup: what is complete is here, more might have come."""
    finish: Literal["stop", "length", "cancelled", "error", "refused", "thought"] = "stop"
    """Why the reply ended. After "error" and "refused" what had been said until then is kept;
    "thought": the model only thought, and gave no answer."""
    thought: int = 0
    """Characters of the reply that were thoughts; they are part of `raw` alone."""
    notices: tuple[str, ...] = ()
    """What a user should know of how the answer came about, as sentences."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent, by stage."""

    def draw(self, image: int | None = None) -> Any:
        """The picture with masks, boxes and phrases drawn on it, as a PIL image.

        Args:
            image: which picture; by default the one the first region is on, else the newest.
        """
        from segue.draw import draw_regions

        if image is None:
            image = self.regions[0].image if self.regions else len(self.images) - 1
        here = [region for region in self.regions if region.image == image]
        return draw_regions(self.images[image], here)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values; masks as COCO RLE, boxes as [x0, y0, x1, y1]."""
        from segue.export.json import answer_to_json

        return answer_to_json(self)


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the stream, with everything collected."""

    answer: Answer


Event = TextAdded | RegionFound | MaskReady | NotFound | MarkupBroken | ThoughtEnded | Notice | Done


def images_of(messages: Sequence[Message]) -> tuple[Image, ...]:
    """All pictures of a conversation, in the order they were shown."""
    return tuple(image for message in messages for image in message.images)
