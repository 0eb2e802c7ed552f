"""Turns decoded text into what a caller may see: nothing behind a stop string, no loose blanks."""

from collections.abc import Sequence


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
