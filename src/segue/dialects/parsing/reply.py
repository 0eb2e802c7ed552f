"""One reply being read: what every dialect shares.

A `ReplyParser` holds back what may become markup and lets go of everything else at once; it keeps
count of the clean text, so that phrases know their span (`clean_text.py`); and it reads the tags of
a dialect and, in every dialect, `<gsam>`, since a model that was taught the tag may speak any of
them. A dialect is a `ReplyParser` with its own tags and its own way to read prose.

    <gsam>dog, cup</gsam>     a detector must find these (how phrases are cut: gsam_phrases.py)

Thoughts were taken out before (`thoughts.py`).

What shows: the words, those inside tags with words included; never tags or coordinates. White space
between a phrase and its box does not show either.

What comes out as `MalformedMarkup`, word for word: markup that makes no sense. A tag with words
that is never closed costs its opening tag only, as the words behind it have already been shown. A
tag not closed within `LIMIT` characters is given up, so memory stays bounded; time is linear. Where
the reply ends inside markup, what is complete comes out, and `MalformedMarkup` says `cut`.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

from segue.dialects import (
    Absence,
    BoxMention,
    DetectRequest,
    MalformedMarkup,
    PointMention,
    ReplyEvent,
)
from segue.dialects.parsing.clean_text import CleanText
from segue.dialects.parsing.gsam_phrases import split_phrases
from segue.dialects.parsing.markup import GSAM, Phrase, Tag, Tokens
from segue.dialects.parsing.places import BoxPlace, Place, flaw_inside
from segue.values.frames import AnyFrame, FramedPoint

LIMIT = 2000
"""A tag that is not closed within this many characters is given up."""
_JOINING = " \t\r\n,，、;；:："


@dataclass(slots=True)
class _Open:
    """A tag that waits for its closing tag."""

    tag: Tag
    opener: str
    """As written."""
    start: int
    """Where its words begin in the clean text."""
    inside: list[str] = field(default_factory=list)
    length: int = 0
    is_taken: bool = False
    """Places were handed out before it closed."""


class ReplyParser(CleanText):
    """One reply being read. What it does depends on the characters only, not on their chunks."""

    tokens: ClassVar[Tokens] = Tokens.of()
    tags: ClassVar[tuple[Tag, ...]] = ()
    silent: ClassVar[tuple[str, ...]] = ()
    """Tokens, in lower case, that mean nothing here and are no defect."""

    def __init__(self, grounded: bool = False) -> None:
        """
        Args:
            grounded: see `Dialect.read`.
        """
        super().__init__()
        self.grounded = grounded
        self.has_places = False
        """A place was handed out."""
        self.foreign = ""
        """A dialect whose tokens came, while this one had found no place."""
        self._openers = {tag.opener: tag for tag in (*self.tags, GSAM)}
        self._closers = {tag.closer for tag in (*self.tags, GSAM)}
        self._unread = ""  # the beginning of what may become a token
        self._open: _Open | None = None
        self._named: Phrase | None = None  # the phrase that a coming box belongs to
        self._space: str | None = None  # white space held back behind it; None: not holding

    def feed(self, chunk: str) -> list[ReplyEvent]:
        """Read on; returns what became certain."""
        text, at = self._unread + chunk, 0
        n_begun = self.tokens.partial_length(text, 0)
        for match in self.tokens.complete.finditer(text):
            if match.start() > n_begun:
                break  # it may be part of a longer token
            self._words(text[at : match.start()])
            self._token(match.group())
            if self.foreign:
                self._unread = text[match.start() :]
                return self._certain()
            at = match.end()
        self._unread = text[max(n_begun, at) :]
        self._words(text[at : max(n_begun, at)])
        return self._certain()

    @property
    def unread(self) -> str:
        """What was held back, or is left to another dialect."""
        return self._unread

    def leave(self) -> list[ReplyEvent]:
        """Another dialect reads on: hand out what is still open."""
        self._give_up()
        self._release_space()
        self.interrupt()
        return self._certain()

    def resume(self, previous: "ReplyParser") -> None:
        """Read on where another dialect left off."""
        self._position, self._line = previous._position, previous._line

    def end(self) -> list[ReplyEvent]:
        """End the reply: what is still open will not be closed."""
        was_open, cut_off = self._open is not None, self._unread
        self._unread = ""
        if self._open is not None and self._open.tag.places is not None and cut_off[:1] == "(":
            self._open.inside.append(cut_off)  # corners that were not complete
            cut_off = ""
        self._give_up(cut=True)
        self._release_space()
        if len(cut_off) > 1 or (cut_off and was_open):
            self.finish()
            self.malformed(cut_off, cut=True)
        else:
            self._words(cut_off)
            self.finish()
            self._release_space()
        return self._certain()

    # For dialects to replace

    def prose(self, text: str) -> None:
        """Words outside any tag: show them."""
        self.show(text)

    def stray(self, token: str) -> None:
        """Read a token that is no tag of this dialect, or closes nothing."""
        self._release_space()
        self.malformed(token)

    def note_form(self, form: str) -> None:
        """Note that the coming place is written in this form."""

    def interrupt(self) -> None:
        """Stop waiting for more prose: a tag opens, or a stray token comes."""

    def finish(self) -> None:
        """End the reply."""

    # Words

    def _words(self, text: str) -> None:
        while text and self._open is not None:
            head, text = text[: LIMIT - self._open.length], text[LIMIT - self._open.length :]
            self._open.inside.append(head)
            self._open.length += len(head)
            if self._open.tag.places is None:
                self.show(head)
            else:
                self._take_places(self._open)
            if text and self._open.length >= LIMIT:
                self._give_up()
        if text and self._space is not None:
            text = self._hold_space(text)
        if text:
            self.prose(text)
            if text.strip(_JOINING):
                self._named = None

    def _hold_space(self, text: str) -> str:
        """Keep leading white space back until it is known what follows; returns the rest."""
        words = text.lstrip()
        self._space = (self._space or "") + text[: len(text) - len(words)]
        too_long = len(self._space) > LIMIT
        if words or too_long:
            self._release_space()
        if too_long:
            self._named = None
        return words

    def _release_space(self) -> None:
        space, self._space = self._space, None
        self.show(space or "")

    # Tags

    def _token(self, token: str) -> None:
        name, open_tag = token.lower(), self._open
        if (
            open_tag is not None
            and open_tag.tag.places is not None
            and name != open_tag.tag.closer
            and name not in self.silent
        ):
            self._give_up()  # what stood inside is words, and may change what the token means
            self._token(token)
        elif open_tag is not None and name == open_tag.tag.closer:
            self._open = None
            self._close(open_tag, token)
        elif name in self.silent:
            return
        elif name in self._openers:
            self.interrupt()
            self._open_tag(self._openers[name], token)
        else:
            if name in self._closers or name.startswith("</"):
                self._give_up()
            self.interrupt()
            self.stray(token)

    def _open_tag(self, tag: Tag, token: str) -> None:
        open_tag = self._open
        self._give_up()
        if tag.places is not None:
            if open_tag is not None and open_tag.tag.places is None and not open_tag.tag.is_request:
                self._named = _stripped(open_tag)  # its closing tag was forgotten
        else:
            self._release_space()
            self._named = None
        self._open = _Open(tag, token, self._position)

    def _close(self, open_tag: _Open, closer: str) -> None:
        inside = "".join(open_tag.inside)
        if open_tag.tag.is_request:
            phrases = _phrases(inside, open_tag.start)
            for phrase in phrases:
                self.emit(DetectRequest(phrase.text, phrase.span, self.picture(phrase)))
            if not phrases:
                self.malformed(open_tag.opener + inside + closer)
        elif open_tag.tag.places is None:
            self._named, self._space = _stripped(open_tag), ""
        elif self._named is not None and not open_tag.is_taken and _NOTHING.fullmatch(inside):
            self._space = ""
            picture = self.picture(self._named)
            self.emit(Absence(self._named.text, self._named.span, picture))
        else:
            places, unread = open_tag.tag.places(inside, True)
            self._point(places, open_tag.opener)
            if unread is not None and not (open_tag.is_taken and _SEPARATORS.fullmatch(unread)):
                self._release_space()
                reason = flaw_inside(unread, open_tag.tag.frame)
                self.malformed(open_tag.opener + unread + closer, reason=reason)

    def _take_places(self, open_tag: _Open) -> None:
        """Hand out the places that are complete before the tag is."""
        assert open_tag.tag.places is not None
        inside = "".join(open_tag.inside)
        places, unread = open_tag.tag.places(inside, False)
        if places and unread is not None:
            open_tag.inside, open_tag.length, open_tag.is_taken = [unread], len(unread), True
            self._point(places, open_tag.opener)

    def _point(self, places: list[Place], opener: str) -> None:
        if not places:
            return
        self.note_form(opener)
        self._space = None if self._named is None else ""
        phrase = self._named or Phrase("", self._position)
        picture = self.picture(phrase)
        for place in places:
            if isinstance(place, FramedPoint):
                self.spot(place.x, place.y, place.frame, phrase, picture)
            else:
                self.place(place, phrase, picture)

    def _give_up(self, cut: bool = False) -> None:
        """Report an open tag that will not be closed, and let no word of it get lost."""
        open_tag, self._open = self._open, None
        if open_tag is None:
            return
        if open_tag.tag.places is None:
            self.malformed(open_tag.opener, cut)
            return
        inside = "".join(open_tag.inside)
        if cut and not inside[-1:].isdigit():
            places, unread = open_tag.tag.places(inside, True)
            half = any(isinstance(place, FramedPoint) for place in places)  # of a box
            if places and unread is None and not (half and "point" not in open_tag.tag.opener):
                self._point(places, open_tag.opener)
                self.malformed(open_tag.opener, cut)
                return
        self._release_space()
        match = _COORDINATES.match(inside)
        numbers = match.group().rstrip() if match else ""
        self.malformed(open_tag.opener + numbers, cut)
        self._words(inside[len(numbers) :])

    # Events

    def place(self, place: BoxPlace, phrase: Phrase, picture: int | None) -> None:
        """Report a box."""
        box, quad = place
        self.has_places = True
        self.emit(BoxMention(phrase.text, box, phrase.span, quad, picture))

    def spot(
        self,
        x: float,
        y: float,
        frame: AnyFrame,
        phrase: Phrase,
        picture: int | None = None,
        unnamed: str = "",
    ) -> None:
        """Report a point; `unnamed` is its name where no phrase of the text is."""
        point = FramedPoint(x, y, frame)
        self.has_places = True
        picture = picture or self.picture(phrase)
        self.emit(PointMention(phrase.text or unnamed, point, phrase.span, picture))

    def malformed(self, markup: str, cut: bool = False, reason: str = "") -> None:
        """Report markup without sense."""
        self.emit(MalformedMarkup(markup, cut, reason))


_SEPARATORS = re.compile(r"[\s,，\[\]]*")
_NOTHING = re.compile(
    r"[\s\[\]()]*|[\s\[\](]*(?:none|null|n/?a|not found|absent|无|没有)[\s\[\]).]*"
    r"|[\s\[\](),]*(?:0(?:\.0+)?[\s,()]+){3}0(?:\.0+)?[\s\[\]()]*",
    re.IGNORECASE,
)
"""What stands between the tags of a place where the thing before them is not there."""
_COORDINATES = re.compile(
    r"(?:[\s\d()\[\].,;+\-（）［］，．；、－＋]|</?[a-z_0-9]{1,40}/?>?)*", re.IGNORECASE
)
"""What a place that never closed takes with it."""


def _stripped(open_tag: _Open) -> Phrase | None:
    words = "".join(open_tag.inside)
    phrase = words.strip()
    if not phrase:
        return None
    return Phrase(phrase, open_tag.start + len(words) - len(words.lstrip()))


def _phrases(words: str, start: int) -> list[Phrase]:
    """Return the phrases of a tag, by the rule of `gsam_phrases`."""
    return [Phrase(text, start + at) for text, at in split_phrases(words)]
