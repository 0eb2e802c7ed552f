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
    reply = StopStringFilter(stop)
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


class StopStringFilter:
    """Releases the text of a reply as soon as it is certain.

    Blanks at both ends of the reply are dropped (before a stop string they stay), and what may be
    the beginning of a stop string waits until it is clear whether it is one. Time is linear in the
    length of the reply, whatever it consists of.

    Attributes:
        stopped: a stop string has come; nothing more is released.

    Example:
        >>> reply = StopStringFilter(["END"])
        >>> [reply.push(piece) for piece in (" a", "b E", "NT c", "EN", "D!")], reply.finish()
        (['a', 'b', ' ENT c', '', ''], '')
    """

    def __init__(self, stop: Sequence[str] = (), trailing: Sequence[str] = ()) -> None:
        """
        Args:
            stop: texts that end the reply and are no part of it.
            trailing: texts that are left out where the reply ends with them.
        """
        self._stop = tuple(text for text in stop if text)
        self._trailing = tuple(text for text in trailing if text)
        texts = (*self._stop, *self._trailing)
        self._beginnings = frozenset(text[:n] for text in texts for n in range(1, len(text)))
        self._beginnings |= frozenset(self._trailing)
        self._longest = max(map(len, texts), default=0)
        self._blanks: list[str] = []  # held back, and too old to be part of a stop string
        self._held = ""  # blanks, then what may begin a stop string
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
        certain = len(self._held) - self._undecided()
        end = self._end()
        if end is not None and end <= certain:  # an earlier stop string may still become whole
            return self._stop_at(end)
        words = len(self._held[:certain].rstrip())
        if words:
            released, self._held = self._held[:words], self._held[words:]
            return self._with_blanks(released)
        old = certain - self._longest
        if old > self._longest + 256:
            self._blanks.append(self._held[:old])
            self._held = self._held[old:]
        return ""

    def finish(self) -> str:
        """End the reply; return what was still held back."""
        end = None if self.stopped else self._end()
        if end is not None:
            return self._stop_at(end)
        released, self._held = self._with_blanks(self._held).rstrip(), ""
        while ending := next((text for text in self._trailing if released.endswith(text)), ""):
            released = released.removesuffix(ending).rstrip()
        return released

    def _end(self) -> int | None:
        """Where the first stop string begins in the held text."""
        places = [place for text in self._stop if (place := self._held.find(text)) >= 0]
        return min(places, default=None)

    def _stop_at(self, end: int) -> str:
        self.stopped = True
        released, self._held = self._held[:end], ""
        return self._with_blanks(released)

    def _with_blanks(self, text: str) -> str:
        blanks, self._blanks = self._blanks, []
        return "".join((*blanks, text))

    def _undecided(self) -> int:
        """Length of the longest end of the held text that may begin a stop string."""
        max_length = min(self._longest, len(self._held))
        n_begun = next(
            (n for n in range(max_length, 0, -1) if self._held[-n:] in self._beginnings), 0
        )
        words = self._held.rstrip() if self._trailing else ""
        if len(self._held) - len(words) > 256:  # so much white space is no end
            words = ""
        ending = next((text for text in self._trailing if words.endswith(text)), "")
        return max(n_begun, len(self._held) - len(words) + len(ending) if ending else 0)
