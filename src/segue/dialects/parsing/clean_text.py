"""The words of a reply as they are shown, and what is reported between them.

Which picture is meant: the last mention on the same line, at most `REACH` characters before the end
of the phrase, names it: "Picture 2", "Image-2", "photo #2", "the second image", "图2", "图片2",
"第2张" or "第二张". Without one it is the one that the question names, else the newest.
"""

import re

from segue.dialects import PlainText, ReplyEvent
from segue.dialects.parsing.markup import Phrase

REACH = 200
"""How far back, in characters, the mention of a picture may stand."""


_NOUN = "picture|image|photograph|photo"
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_PICTURE = re.compile(
    rf"\b(?:{_NOUN})[ #-]{{0,2}}([0-9]{{1,3}})(?![0-9]|[.,:x×%][0-9]|%)"
    rf"|\b({'|'.join(_ORDINALS)}) (?:{_NOUN})\b"
    r"|图[片像]? ?([0-9]{1,3})(?![0-9])"
    r"|第 ?([0-9]{1,3}|[一二三四五六七八九十]) ?[张幅]",
    re.IGNORECASE,
)
_DIGITS = "零一二三四五六七八九十"


class CleanText:
    """Clean text that grows, and events in their places in it."""

    def __init__(self) -> None:
        self._shown: list[str] = []  # clean text not yet handed out
        self._position = 0  # length of the clean text
        self._line = ""  # its last characters, for the mention of a picture
        self._events: list[ReplyEvent] = []

    def show(self, text: str) -> None:
        """Add words to the clean text."""
        if text:
            self._shown.append(text)
            self._position += len(text)

    def emit(self, event: ReplyEvent) -> None:
        """Report an event, behind the words shown so far."""
        self._flush()
        self._events.append(event)

    def _flush(self) -> None:
        text = "".join(self._shown)
        self._shown.clear()
        if text:
            self._events.append(PlainText(text))
            self._line = (self._line + text[-REACH:])[-REACH:]

    def _certain(self) -> list[ReplyEvent]:
        self._flush()
        events, self._events = self._events, []
        return events

    def picture(self, phrase: Phrase) -> int | None:
        """Return the number of the picture that was mentioned last before the end of a phrase."""
        self._flush()
        behind = self._position - phrase.start - len(phrase.text)
        line_before = self._line[: max(len(self._line) - behind, 0)]
        mentions = _PICTURE.findall(line_before.rpartition("\n")[2])
        if not mentions:
            return None
        number = "".join(mentions[-1]).lower()  # all groups but one are empty
        if number.isdecimal():
            return int(number) or None
        if number in _ORDINALS:
            return _ORDINALS.index(number) + 1
        return _DIGITS.index(number)
