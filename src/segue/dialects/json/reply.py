"""Replies of words and JSON.

What shows of JSON that points at things: its labels, each once, with commas between them, so that
they have a span, and items that say nothing of places, as written. JSON that holds no place is
words and shows letter for letter. A code fence around pointing JSON does not show; several pieces
with nothing but commas between them count as one.

A list of numbers without a key is a place only with a reason: words before it that speak of
coordinates, or a question that asked for places where the list stands alone or behind a name.

An empty list that is the whole reply, or stands in a code fence, says that nothing was found.

Where the reply ends inside JSON, the items that are complete come out, and a last `MalformedMarkup`
with `cut` holds what is not.
"""

import re
from typing import ClassVar

from segue.dialects import Absence, Remark
from segue.dialects.json.block import JsonBlock, Reasons
from segue.dialects.json.meaning import (
    AbsentItem,
    JsonPlaces,
    JsonShape,
    OddPlace,
    SideText,
    Unplaced,
)
from segue.dialects.parsing.markup import Phrase
from segue.dialects.parsing.reply import ReplyParser

REVERSED = (
    "the corners of a box stand in reverse order; if they are x, y, width and height, the box is "
    "wrong"
)
STRAY_POINT = "a point lies outside its own box; the box counts"
REACH = 160
"""How far back, in characters, the words may stand that make a list of numbers a place."""
_START = re.compile(r"(?:```[A-Za-z0-9]{0,10}[ \t\r\n]{0,20})?[\[{]")
_MAY_START = re.compile(r"`{1,2}|```[A-Za-z0-9]{0,10}[ \t\r\n]{0,20}")
_WINDOW = 33
_SEPARATOR = re.compile(r"[ \t\r\n]*[,;]?[ \t\r\n]*")
_CUE = re.compile(
    r"(?:\b(?:bounding[ -]?box(?:es)?|b(?:ounding)?[ _-]?box(?:es)?(?:_2d)?|coordinates?|coords|"
    r"located|location|position(?:ed)?)\b|坐标|边界框|检测框|位置|位于)[^.!?。！？\n\[\]{}]{0,80}$"
    r"|\b(?:is|are|located|found|seen|appears?|sits?|stands?|lies|placed|visible|click)"
    r" (?:\w+ )?at[ :]{0,3}$|\bclick[ :]{0,3}$|在[ ：:]{0,2}$",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:^|\n)[ \t]*(?:[-*•]|[0-9]{1,3}[.)])?[ \t]*([^\n:：\[\]{}]{1,80}?)[ \t]*[:：][ \t]*$"
)


class JsonReply(ReplyParser):
    """Reads JSON in prose. What its numbers mean is the dialect's `shape`."""

    shape: ClassVar[JsonShape]

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self._held = ""  # prose that may be the beginning of a code fence
        self._fence: str | None = None  # what stood before the block's bracket; None: no block
        self._block: JsonBlock | None = None
        self._phrases: dict[str, Phrase] = {}  # labels of this block, already shown
        self._closing: str | None = None  # behind fenced JSON: what may be the closing fence
        self._separator: str | None = None  # behind other JSON: what may lead to more of it
        self._empty = ""  # an empty list that may be the whole reply
        self._recent = ""  # the last words shown
        self._doubts: set[str] = set()  # remarks that were made
        self._marked = False  # between tags that say that an answer stands there

    def prose(self, text: str) -> None:
        """Words and JSON."""
        while text:
            if self._block is not None:
                text = self._in_block(text)
            elif self._closing is not None:
                text = self._in_closing(text)
            elif self._separator is not None:
                text = self._in_separator(text)
            else:
                text = self._outside(text)

    def show(self, text: str) -> None:
        """Add words to the clean text."""
        super().show(text)
        self._recent = (self._recent + text)[-REACH:]

    def resume(self, previous: ReplyParser) -> None:
        """Read on where another dialect left off."""
        super().resume(previous)
        if isinstance(previous, JsonReply):
            self._recent = previous._recent

    def _token(self, token: str) -> None:
        if self._block is not None:
            if self._block.in_string:
                self.prose(token)  # a string may hold anything
                return
            self._leave(self._block)
        super()._token(token)

    def interrupt(self) -> None:
        """Let go of prose that was held back."""
        pending = self._empty + (self._separator or "") + self._held + (self._closing or "")
        self._empty = self._held = ""
        self._closing = self._separator = None
        self.show(pending)

    def finish(self) -> None:
        """End the reply, maybe inside JSON."""
        block, self._block = self._block, None
        if block is None:
            if self._closing is not None and self._closing.strip():
                self._closing = None  # a closing fence, cut
            if self._empty and not self._held.strip():
                self._empty = self._held = ""
                self.emit(Absence(""))
            self.interrupt()
            return
        unread = block.give_up()
        self._report(block)
        if block.points or self._is_meant(block):
            self.malformed((unread + block.unfinished) or block.opener, cut=True)
        else:
            self.show((self._separator or "") + (self._fence or "") + block.raw)
            self._separator = None

    def _outside(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        match = _START.search(text)
        if match is None:
            self._held = _held_back(text)
            words = text[: len(text) - len(self._held)]
        else:
            words = text[: match.start()]
        if self._empty and words.strip():
            words, self._empty = self._empty + words, ""
        if self._empty:
            self._empty += words
        else:
            self.show(words)
        if match is None:
            return ""
        self._begin(match.group()[:-1], {})
        return text[match.end() - 1 :]

    def _begin(self, fence: str, phrases: dict[str, Phrase]) -> None:
        """Open a bracket."""
        if self._empty:
            self.show(self._empty)
            self._empty = ""
        self._fence, self._phrases = fence, phrases
        self._block = JsonBlock(self.shape, self._reasons())

    def _reasons(self) -> Reasons:
        """Why numbers of the block that opens may be places."""
        if self._marked:
            return Reasons(bare=True, sure=True, keyed=self.grounded)
        if _CUE.search(self._recent):
            return Reasons(bare=True, keyed=self.grounded)
        if not self.grounded:
            return Reasons(attached=self._recent[-1:].isalpha())
        name_match = _NAME.search(self._recent)
        alone = not self._recent.strip() or self._recent.endswith("\n")
        return Reasons(
            bare=bool(name_match) or alone,
            keyed=True,
            label=name_match.group(1).strip("*_ ") if name_match else "",
        )

    def _in_block(self, text: str) -> str:
        block = self._block
        assert block is not None
        n_read = block.feed(text)
        if block.state == "open":
            self._report(block)
        else:
            self._leave(block)
        return text[n_read:]

    def _leave(self, block: JsonBlock) -> None:
        """Leave the JSON: it is closed, or continued as something else."""
        unread = "" if block.state == "closed" else block.give_up()
        self._report(block)
        self._block = None
        separator, self._separator = self._separator or "", None
        broken = block.state == "broken" and self._is_meant(block)
        if not block.points and not broken:
            raw_block = separator + (self._fence or "") + block.raw
            if block.holds_nothing and (self._fence or not self._recent.strip()):
                self._empty, self._closing = raw_block, "" if self._fence else None
            else:
                self.show(raw_block)
            return
        self._closing = "" if self._fence else None
        if unread:
            self.malformed(unread)
        if block.state == "broken":
            self.show(block.space + (block.unfinished if block.points else ""))
        elif not self._fence:
            self._separator = ""

    def _in_separator(self, text: str) -> str:
        """Behind JSON: a comma, and more JSON that belongs to it."""
        waiting = (self._separator or "") + text
        match = _SEPARATOR.match(waiting)
        assert match is not None
        if match.end() == len(waiting) and len(waiting) < 64:
            self._separator = waiting
            return ""
        self._separator = None
        if waiting[match.end() : match.end() + 1] in ("{", "["):
            self._separator = match.group()
            self._begin("", self._phrases)
        else:
            self.show(match.group())
        return waiting[match.end() :]

    def _in_closing(self, text: str) -> str:
        """Behind fenced JSON: leave out white space and the closing fence."""
        waiting = (self._closing or "") + text
        match = re.match(r"[ \t\r\n]{0,20}(`{0,3})", waiting)
        assert match is not None
        if match.group(1) == "```":
            self._closing = None
            if self._empty:
                self._empty = ""
                self.emit(Absence(""))
            return waiting[match.end() :]
        if match.end() == len(waiting) and len(waiting) < 24:
            self._closing = waiting
            return ""
        self._closing = None
        self.show(self._empty + waiting[: match.end()])
        self._empty = ""
        return waiting[match.end() :]

    def _report(self, block: JsonBlock) -> None:
        if not block.points:
            return
        for finding in block.out:
            if isinstance(finding, OddPlace):
                self.malformed(finding.text, reason=finding.reason)
            elif isinstance(finding, AbsentItem):
                phrase = self._label(finding.label)
                self.emit(Absence(phrase.text, phrase.span, self.picture(phrase)))
            elif isinstance(finding, SideText):
                self._between()
                self.show(finding.text)
            elif isinstance(finding, Unplaced):
                self._label(finding.label)
            else:
                self._add_place(finding)
        block.out.clear()

    def _between(self) -> None:
        """Show a comma between two labels, or what stood between two pieces of JSON instead."""
        separator, self._separator = self._separator, None
        if separator and not separator.strip():
            self.show(separator)
        elif self._phrases:
            self.show(", ")

    def _label(self, label: str) -> Phrase:
        """Return the label of a place; it shows where it is new."""
        phrase = self._phrases.get(label) if label else Phrase("", self._position)
        if phrase is None:
            self._between()
            phrase = self._phrases[label] = Phrase(label, self._position)
            self.show(label)
        return phrase

    def _add_place(self, place: JsonPlaces) -> None:
        label = self._named_before(place.label)
        phrase = label or self._label(place.label)
        self.note_form("JSON")
        doubt = REVERSED if place.is_reversed else STRAY_POINT if place.has_stray_point else ""
        if doubt and doubt not in self._doubts:
            self._doubts.add(doubt)
            self.emit(Remark(doubt))
        if place.box is not None:
            self.place((place.box, place.quad), phrase, self.picture(phrase))
        elif place.point is not None:
            self.spot(*place.point, place.frame, phrase)

    def _named_before(self, label: str) -> Phrase | None:
        """Return the words right before a list of numbers that are its label."""
        block = self._block
        if block is None or not label or label != block.reasons.label:
            return None
        at = self._recent.rfind(label)
        if label in self._phrases or at < 0:
            return self._phrases.get(label)
        phrase = Phrase(label, self._position - len(self._recent) + at)
        self._phrases[label] = phrase
        return phrase

    def _is_meant(self, block: JsonBlock) -> bool:
        """Whether JSON that was not finished was going to hold places."""
        bare = block.reasons.bare and _ROWS.fullmatch(block.raw)
        return bool(bare or _PLACE_KEY.search(block.raw))


_ROWS = re.compile(r"\[\s*\[?[\s\[\]\d.,+-]*,[\s\[\]\d.,+-]*")
_PLACE_KEY = re.compile(r"[\"'](?:bbox|box_?2d|point_?2d|x_min|xmin|quad_2d)", re.IGNORECASE)


def _held_back(text: str) -> str:
    """Return the end of `text` that may begin a code fence."""
    for start in range(max(0, len(text) - _WINDOW), len(text)):
        if text[start] == "`" and _MAY_START.fullmatch(text, start):
            return text[start:]
    return ""
