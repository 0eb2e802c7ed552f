"""Replies of words and JSON, for the dialects that point in JSON.

What shows of JSON that points at things: its labels, each once, with commas between them, so that
they have a span. JSON that holds no place is words and shows as it is. A code fence around pointing
JSON does not show.

Where the reply ends inside JSON, the items that are complete come out, and a last `Malformed` with
`cut` holds what is not.
"""

import re
from typing import ClassVar

from segue.dialects.json_block import JsonBlock
from segue.dialects.json_meaning import Found, Odd, Shape
from segue.dialects.markup import Phrase
from segue.dialects.reply import Reply

_START = re.compile(r"(?:```[A-Za-z0-9]{0,10}[ \t\r\n]{0,20})?[\[{]")
_MAY_START = re.compile(r"`{1,2}|```[A-Za-z0-9]{0,10}[ \t\r\n]{0,20}")
_WINDOW = 33


class JsonReply(Reply):
    """Reads JSON in prose. What its numbers mean is the dialect's `shape`."""

    shape: ClassVar[Shape]

    def __init__(self) -> None:
        super().__init__()
        self._held = ""  # prose that may be the beginning of a code fence
        self._fence: str | None = None  # what stood before the block's bracket; None: no block
        self._block: JsonBlock | None = None
        self._phrases: dict[str, Phrase] = {}  # labels of this block, already shown
        self._closing: str | None = None  # behind fenced JSON: what may be the closing fence

    def prose(self, text: str) -> None:
        """Words and JSON."""
        while text:
            if self._block is not None:
                text = self._in_block(text)
            elif self._closing is not None:
                text = self._in_closing(text)
            else:
                text = self._outside(text)

    def _token(self, token: str) -> None:
        if self._block is not None:
            if self._block.in_string:
                self.prose(token)  # a string may hold anything
                return
            self._leave(self._block)
        super()._token(token)

    def interrupt(self) -> None:
        """Let go of prose that was held back."""
        held, self._held = self._held + (self._closing or ""), ""
        self._closing = None
        self.show(held)

    def finish(self) -> None:
        """The reply is over, maybe inside JSON."""
        block, self._block = self._block, None
        if block is None:
            if self._closing is not None and self._closing.strip():
                self._closing = None  # a closing fence, cut
            self.interrupt()
            return
        rest = block.give_up()
        self._report(block)
        if block.points or _is_meant(block.raw):
            self.malformed(rest or block.opener, cut=True)
        else:
            self.show((self._fence or "") + block.raw)

    def _outside(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        match = _START.search(text)
        if match is None:
            self._held = _held_back(text)
            self.show(text[: len(text) - len(self._held)])
            return ""
        self.show(text[: match.start()])
        self._fence = match.group()[:-1]
        self._block, self._phrases = JsonBlock(self.shape), {}
        return text[match.end() - 1 :]

    def _in_block(self, text: str) -> str:
        block = self._block
        assert block is not None
        taken = block.feed(text)
        if block.state == "open":
            self._report(block)
        else:
            self._leave(block)
        return text[taken:]

    def _leave(self, block: JsonBlock) -> None:
        """The JSON is closed, or went on as something else."""
        rest = "" if block.state == "closed" else block.give_up()
        self._report(block)
        self._block = None
        broken = block.state == "broken" and _is_meant(block.raw)
        if not block.points and not broken:
            self.show((self._fence or "") + block.raw)
            return
        self._closing = "" if self._fence else None
        if rest:
            self.malformed(rest)
        if block.state == "broken":
            self.show(block.space)

    def _in_closing(self, text: str) -> str:
        """Behind fenced JSON: leave out white space and the closing fence."""
        waiting = (self._closing or "") + text
        match = re.match(r"[ \t\r\n]{0,20}(`{0,3})", waiting)
        assert match is not None
        if match.group(1) == "```":
            self._closing = None
            return waiting[match.end() :]
        if match.end() == len(waiting) and len(waiting) < 24:
            self._closing = waiting
            return ""
        self._closing = None
        self.show(waiting[: match.end()])
        return waiting[match.end() :]

    def _report(self, block: JsonBlock) -> None:
        for one in block.out:
            if isinstance(one, Odd):
                self.malformed(one.text)
            else:
                self._found(one)
        block.out.clear()

    def _found(self, one: Found) -> None:
        phrase = self._phrases.get(one.label) if one.label else Phrase("", self._position)
        if phrase is None:
            if self._phrases:
                self.show(", ")
            phrase = self._phrases[one.label] = Phrase(one.label, self._position)
            self.show(one.label)
        if one.box is not None:
            self.place((one.box, one.quad), phrase, self.picture(phrase))
        elif one.point is not None:
            self.spot(*one.point, self.shape.frame, phrase)


_ROWS = re.compile(r"\[\s*\[[\s\[\]\d.,+-]*,[\s\[\]\d.,+-]*")
_PLACE_KEY = re.compile(r"[\"'](?:bbox|box|point|x_min|xmin|x1|quad|polygon)", re.IGNORECASE)


def _is_meant(raw: str) -> bool:
    """Whether JSON that was not finished was going to hold places."""
    return bool(_PLACE_KEY.search(raw) or _ROWS.fullmatch(raw))


def _held_back(text: str) -> str:
    """The end of `text` that may begin a code fence."""
    for start in range(max(0, len(text) - _WINDOW), len(text)):
        if text[start] == "`" and _MAY_START.fullmatch(text, start):
            return text[start:]
    return ""
