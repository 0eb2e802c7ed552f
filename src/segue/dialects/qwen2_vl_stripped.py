"""What is left of Qwen2-VL's markup when a server drops special tokens: words, then coordinates.

    图片(460,66),(683,252)
    The dog(12,30),(480,997) chases two cats(500,30),(700,997)(710,40),(800,900).

Two corners on a 0-1000 grid make a box. Nothing says where its phrase begins, so these are rules of
our own: it reaches back to the last punctuation mark, line end or box, and from there on English
words count from the last article or number word. Boxes in a row share a phrase. Quadrilaterals
cannot be told from boxes, and where a server loses the coordinates as well nothing is left to read.

Better than this dialect is a server that keeps the tokens: `skip_special_tokens=false`.

Source: vllm-project/vllm#27636.
"""

import re

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.bare_corners import PAIR, PARTIAL
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.markup import Phrase
from segue.dialects.parsing.places import meant_frame, sensible
from segue.dialects.parsing.reading import ReplyDialect
from segue.dialects.parsing.reply import ReplyParser
from segue.values.frames import GRID_1000, FramedBox

_NUMBERS = re.compile(r"[-+]?[0-9]{1,6}(?:\.[0-9]{1,4})?", re.ASCII)
_CLAUSE = re.compile(r"[.,;:!?。，、；：！？\n()（）\"“”]")
_ARTICLE = re.compile(r"\b(?:the|an?|one|two|three|four|five|another|this|that)\s", re.IGNORECASE)
_CHINESE = re.compile(r"(?:在|是|有|和|与|以及|还有|一个|一只|一架|一辆|这是|的位置)")
REACH = 80
"""A phrase is at most this long."""


class StrippedReply(FamilyReply):
    """Reads corners in prose."""

    family = "Qwen2-VL without its tokens"
    shape = JsonShape()
    tokens = family_tokens(pattern=PAIR, beginning=PARTIAL, starts="<(")

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self._clause = ""  # the last words, as far as they may be a phrase
        self._last: Phrase | None = None  # the phrase of the box just before

    def resume(self, previous: ReplyParser) -> None:
        """Read on where another dialect left off, whose last words may be a phrase."""
        super().resume(previous)
        self._clause = self._recent[-REACH:]

    def show(self, text: str) -> None:
        """Words, the last of which may be a phrase."""
        super().show(text)
        self._clause = (self._clause + text)[-REACH:]
        if text.strip():
            self._last = None

    def stray(self, token: str) -> None:
        """Corners, or another token."""
        if not token.startswith("("):
            self._clause, self._last = "", None
            super().stray(token)
            return
        xa, ya, xb, yb = map(float, _NUMBERS.findall(token))
        box = FramedBox(xa, ya, xb, yb, meant_frame((xa, ya, xb, yb), GRID_1000))
        phrase = self._last or self._phrase()
        self._clause = ""
        if not sensible(box):
            self.malformed(token)
            return
        self.place((box, None), phrase, self.picture(phrase))
        self._last = phrase

    def _phrase(self) -> Phrase:
        """Return the words that the coming box belongs to."""
        clause = self._clause
        start = max((match.end() for match in _CLAUSE.finditer(clause)), default=0)
        for rule, keep in ((_ARTICLE, True), (_CHINESE, False)):
            for match in rule.finditer(clause, start):
                words_after = clause[match.end() :]
                if words_after.strip():
                    start = match.start() if keep else match.end()
        words = clause[start:]
        text = words.strip()
        lead = len(words) - len(words.lstrip())
        return Phrase(text, self._position - len(words) + lead) if text else Phrase("", 0)


def dialect() -> ReplyDialect:
    """Return the dialect of Qwen2-VL behind a server that drops special tokens."""
    return ReplyDialect(StrippedReply)
