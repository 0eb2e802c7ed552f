"""What goes into a chat model: messages and sampling settings; and why its reply ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from segue.values.image import Image


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


def images_of(messages: Sequence[Message]) -> tuple[Image, ...]:
    """All pictures of a conversation, in the order they were shown."""
    return tuple(image for message in messages for image in message.images)
