"""Turns the tokens of a reply into the text that a caller may see.

Nothing behind a stop string is shown, no loose blanks, and no half of a character.
"""

from collections.abc import Collection, Generator, Sequence
from typing import Protocol


class TokenDecoder(Protocol):
    """Decodes one reply, id by id."""

    def push(self, token_id: int, /) -> str:
        """Take one id; return the text that is certain now."""

    def finish(self) -> str:
        """End the text; return what was still held back."""


def reply_text(
    tokens: Generator[int, None, None],
    ends: Collection[int],
    decoder: TokenDecoder,
    stop: Sequence[str] = (),
) -> Generator[str, None, str]:
    """Write a reply as text while its ids arrive.

    Args:
        tokens: the ids; closed at the first end or stop string, and when this stream is closed.
        ends: ids that end the reply and are no part of it.
        decoder: a fresh one.
        stop: texts that end the reply and are no part of it.

    Yields:
        Pieces that never cut a character; joined they are the reply, without blanks at its ends.

    Returns:
        "stop" if an end or a stop string ended the reply, "length" if the ids ran out.
    """
    reply = ReplyText(stop)
    finish = "length"
    try:
        for token in tokens:
            if token in ends:
                finish = "stop"
                break
            if piece := reply.push(decoder.push(token)):
                yield piece
            if reply.stopped:
                return "stop"
    finally:
        tokens.close()
    if piece := reply.push(decoder.finish()) + reply.finish():
        yield piece
    return "stop" if reply.stopped else finish


class ReplyText:
    """Releases the text of a reply as soon as it is certain.

    Blanks at both ends of the reply are dropped (before a stop string they stay), and what may be
    the beginning of a stop string waits until it is clear whether it is one.

    Attributes:
        stopped: a stop string has come; nothing more is released.

    Example:
        >>> reply = ReplyText(["END"])
        >>> [reply.push(piece) for piece in (" a", "b E", "NT c", "EN", "D!")], reply.finish()
        (['a', 'b', ' ENT c', '', ''], '')
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self._begun = False
        self.stopped = False

    def push(self, piece: str) -> str:
        """Take decoded text; return what can be shown now."""
        if self.stopped or not piece:
            return ""
        self._held += piece
        if not self._begun:
            self._held = self._held.lstrip()
            self._begun = bool(self._held)
        places = [place for text in self._stop if (place := self._held.find(text)) >= 0]
        if places:
            self.stopped = True
            shown, self._held = self._held[: min(places)], ""
            return shown
        certain = len(self._held) - self._undecided()
        certain = len(self._held[:certain].rstrip())
        shown, self._held = self._held[:certain], self._held[certain:]
        return shown

    def finish(self) -> str:
        """End the reply; return what was still held back."""
        shown, self._held = self._held.rstrip(), ""
        return shown

    def _undecided(self) -> int:
        """Length of the longest end of the held text that may begin a stop string."""
        return max(
            (
                length
                for text in self._stop
                for length in range(1, min(len(text) - 1, len(self._held)) + 1)
                if self._held.endswith(text[:length])
            ),
            default=0,
        )
