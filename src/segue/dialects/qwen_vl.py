"""The dialect of Qwen-VL and Qwen-VL-Chat, and the `<gsam>` tag of models tuned to ask for masks.

    <ref>a dog</ref><box>(12,30),(480,997)</box>            a phrase and its box, 0-1000 grid
    <ref>dogs</ref><box>…</box><box>…</box>                 one phrase, several boxes
    <box>(12,30),(480,997)</box>                            a box without a name
    <ref>EXIT</ref><quad>(1,2),(9,2),(9,4),(1,4)</quad>     four corners, for lines of text
    <gsam>dog, cup</gsam>                                   a detector must find these

What shows: the words, those inside `<ref>` and `<gsam>` included; never tags or coordinates.
White space between a phrase and its box does not show either.

What is tolerated: tags in any case, spaces, floats, signs, full-width marks, corners in any order,
square brackets or none, numbers off the grid (whoever knows the picture clips them), a missing
`</ref>` right before a box, several boxes inside one tag.

What is not: anything else comes out as `Malformed`, word for word, and reading goes on behind it.
A `<ref>` or `<gsam>` that is never closed costs its opening tag only, as the words behind it have
already been shown. A box without sense, or empty on the grid, is `Malformed` whole. A tag not
closed within `LIMIT` characters is given up, so memory stays bounded; time is linear.

Which picture: the last mention "Picture 2", "图2", "图片2", "第2张" or "第二张" on the same line,
at most `REACH` characters before the end of the phrase, names the picture. Without one it is the
newest.

Sources: the Qwen-VL technical report (arXiv:2308.12966), section 2.2, for the markup; everything
about tolerance is our own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from segue.box import FramedBox, Size
from segue.dialects import Event, Malformed, Pointed, Text, Wanted

LIMIT = 2000
"""A tag that is not closed within this many characters is given up."""
REACH = 200
"""How far back, in characters, the mention of a picture may stand."""

_TAG = re.compile(
    r"</?(?:ref|box|quad|gsam|img)>|<imgpad>|<\|[a-z0-9_]{1,24}\|>", re.IGNORECASE | re.ASCII
)
_LONGEST_TAG = 28
_GRID = Size(1000, 1000)
_NAMES = ("<ref>", "<box>", "<quad>", "<gsam>", "<img>", "<imgpad>",
          "</ref>", "</box>", "</quad>", "</gsam>", "</img>")  # fmt: skip
_TAG_BEGUN = re.compile(
    "|".join({re.escape(name[:n]) for name in _NAMES for n in range(1, len(name))})
    + r"|<\|[a-z0-9_]{0,24}\|?",
    re.IGNORECASE | re.ASCII,
)
_WORDY = ("<ref>", "<gsam>")
_SPATIAL = ("<box>", "<quad>")

_COORDINATES = re.compile(r"[\s\d()\[\].,;+\-（）［］，．；、－＋]*")
_PLAIN = str.maketrans("（）［］[]，；、;．－＋", "()()(),,,,.-+")
_NUMBER = re.compile(r"[-+]?[0-9]{1,6}(?:\.[0-9]{1,20})?")
_BETWEEN_PHRASES = re.compile(r"[;；，、。\n]|(?<![0-9])[.,]|[.,](?![0-9])")
_PICTURE = re.compile(
    r"(?:Picture |图片? ?)([0-9]{1,3})(?![0-9])|第 ?([0-9]{1,3}|[一二三四五六七八九]) ?[张幅]"
)
_DIGITS = "零一二三四五六七八九"
_AROUND_PHRASES = ' \t\r\n"“”「」'
_JOINING = " \t\r\n,，、;；:："


class QwenVLDialect:
    """Reads replies of Qwen-VL, and `<gsam>` tags. Holds no state between replies."""

    def read(self, chunks: Iterable[str]) -> Iterator[Event]:
        """Translate a reply while it streams in; each event comes as soon as it is certain."""
        reply = _Reply()
        for chunk in chunks:
            yield from reply.feed(chunk)
        yield from reply.end()


@dataclass(slots=True)
class _Open:
    """A tag that waits for its closing tag."""

    name: str
    """In lower case, "<ref>"."""
    opener: str
    """As written."""
    start: int
    """Where its words begin in the clean text."""
    inside: list[str] = field(default_factory=list)
    length: int = 0


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words with their place in the clean text."""

    text: str
    start: int

    @property
    def span(self) -> tuple[int, int] | None:
        return (self.start, self.start + len(self.text)) if self.text else None


class _Reply:
    """One reply being read. What it does depends on the characters only, not on their chunks."""

    def __init__(self) -> None:
        self._unread = ""  # the beginning of what may become a tag
        self._open: _Open | None = None
        self._named: _Phrase | None = None  # the phrase that a coming box belongs to
        self._space: str | None = None  # white space held back behind it; None: not holding
        self._shown: list[str] = []  # clean text not yet handed out
        self._position = 0  # length of the clean text
        self._line = ""  # its last characters, for the mention of a picture
        self._events: list[Event] = []

    def feed(self, chunk: str) -> list[Event]:
        """Read on; returns what became certain."""
        text, at = self._unread + chunk, 0
        for match in _TAG.finditer(text):
            self._words(text[at : match.start()])
            self._tag(match.group())
            at = match.end()
        last = text.rfind("<", max(at, len(text) - _LONGEST_TAG))
        if last < 0 or not _TAG_BEGUN.fullmatch(text, last):
            last = len(text)
        self._unread = text[last:]
        self._words(text[at:last])
        return self._certain()

    def end(self) -> list[Event]:
        """The reply is over: what is still open will not be closed."""
        was_open, cut_off = self._open is not None, self._unread
        self._give_up()
        self._release_space()
        if len(cut_off) > 1 or (cut_off and was_open):
            self._malformed(cut_off)
        else:
            self._show(cut_off)
        return self._certain()

    # Words

    def _words(self, text: str) -> None:
        while text and self._open is not None:
            head, text = text[: LIMIT - self._open.length], text[LIMIT - self._open.length :]
            self._open.inside.append(head)
            self._open.length += len(head)
            if self._open.name in _WORDY:
                self._show(head)
            if text:
                self._give_up()
        if text and self._space is not None:
            text = self._hold_space(text)
        if text:
            self._show(text)
            if text.strip(_JOINING):
                self._named = None

    def _hold_space(self, text: str) -> str:
        """Keep leading white space back until it is known what follows; returns the rest."""
        rest = text.lstrip()
        self._space = (self._space or "") + text[: len(text) - len(rest)]
        too_long = len(self._space) > LIMIT
        if rest or too_long:
            self._release_space()
        if too_long:
            self._named = None
        return rest

    def _release_space(self) -> None:
        space, self._space = self._space, None
        self._show(space or "")

    def _show(self, text: str) -> None:
        if text:
            self._shown.append(text)
            self._position += len(text)

    # Tags

    def _tag(self, tag: str) -> None:
        name, opened = tag.lower(), self._open
        if opened is not None and name == "</" + opened.name[1:]:
            self._open = None
            self._close(opened, tag)
        elif name in _SPATIAL:
            self._give_up()
            if opened is not None and opened.name == "<ref>":
                self._named = _stripped(opened)  # its closing tag was forgotten
            self._open = _Open(name, tag, self._position)
        elif name in _WORDY:
            self._give_up()
            self._release_space()
            self._named = None
            self._open = _Open(name, tag, self._position)
        else:
            # A closing tag that closes nothing, or a token that has no business in a reply.
            if name.startswith("</") or (opened is not None and opened.name in _SPATIAL):
                self._give_up()
            self._release_space()
            self._malformed(tag)

    def _close(self, tag: _Open, closer: str) -> None:
        if tag.name == "<ref>":
            self._named, self._space = _stripped(tag), ""
        elif tag.name == "<gsam>":
            phrases = _phrases("".join(tag.inside), tag.start)
            for phrase in phrases:
                self._emit(Wanted(phrase.text, phrase.span, self._picture(phrase)))
            if not phrases:
                self._malformed(tag.opener + "".join(tag.inside) + closer)
        else:
            places = _places(tag)
            if not places:
                self._release_space()
                self._malformed(tag.opener + "".join(tag.inside) + closer)
                return
            self._space = None if self._named is None else ""
            phrase = self._named or _Phrase("", self._position)
            picture = self._picture(phrase)
            for box, quad in places:
                self._emit(Pointed(phrase.text, box, phrase.span, quad, picture))

    def _give_up(self) -> None:
        """The open tag will not be closed: report it, and let no word of it get lost."""
        tag, self._open = self._open, None
        if tag is None:
            return
        if tag.name in _WORDY:
            self._malformed(tag.opener)
            return
        self._release_space()
        inside = "".join(tag.inside)
        match = _COORDINATES.match(inside)
        numbers = match.group().rstrip() if match else ""
        self._malformed(tag.opener + numbers)
        self._words(inside[len(numbers) :])

    # Events

    def _malformed(self, markup: str) -> None:
        self._emit(Malformed(markup))

    def _emit(self, event: Event) -> None:
        self._flush()
        self._events.append(event)

    def _flush(self) -> None:
        text = "".join(self._shown)
        self._shown.clear()
        if text:
            self._events.append(Text(text))
            self._line = (self._line + text[-REACH:])[-REACH:]

    def _certain(self) -> list[Event]:
        self._flush()
        events, self._events = self._events, []
        return events

    def _picture(self, phrase: _Phrase) -> int | None:
        """The number of the picture that was mentioned last before the end of a phrase."""
        self._flush()
        behind = self._position - phrase.start - len(phrase.text)
        before = self._line[: max(len(self._line) - behind, 0)]
        mentions = _PICTURE.findall(before.rpartition("\n")[2])
        if not mentions:
            return None
        number = "".join(mentions[-1])  # one of its two halves is empty
        return (int(number) if number.isdecimal() else _DIGITS.index(number)) or None


def _stripped(tag: _Open) -> _Phrase | None:
    words = "".join(tag.inside)
    phrase = words.strip()
    if not phrase:
        return None
    return _Phrase(phrase, tag.start + len(words) - len(words.lstrip()))


def _phrases(words: str, start: int) -> list[_Phrase]:
    """Cut an enumeration apart; marks between two digits ("1.5", "1,000") do not cut."""
    found, at = [], 0
    for cut in [*_BETWEEN_PHRASES.finditer(words), None]:
        part = words[at : cut.start() if cut else None]
        phrase = part.strip(_AROUND_PHRASES)
        if any(character.isalnum() for character in phrase):
            lead = len(part) - len(part.lstrip(_AROUND_PHRASES))
            found.append(_Phrase(phrase, start + at + lead))
        at = cut.end() if cut else at
    return found


Corner = tuple[float, float]


def _places(tag: _Open) -> list[tuple[FramedBox, tuple[Corner, ...] | None]]:
    """The boxes, with their corners when they are quadrilaterals; empty when there is no sense."""
    corners = _corners("".join(tag.inside))
    each = 4 if tag.name == "<quad>" else 2
    if len(corners) % each:
        return []
    groups = [tuple(corners[i : i + each]) for i in range(0, len(corners), each)]
    boxes = [_around(group) for group in groups]
    if any(box.to_box(_GRID).is_empty for box in boxes):
        return []
    return [(box, group if each == 4 else None) for box, group in zip(boxes, groups, strict=True)]


def _corners(inside: str) -> list[Corner]:
    """Read "(1,2),(3,4)" and its looser forms; empty when it is not a row of points."""
    if not _COORDINATES.fullmatch(inside):
        return []
    corners: list[Corner] = []
    for group in re.split(r"[()]+", inside.translate(_PLAIN)):
        numbers = re.split(r"[,\s]+", group.strip(" ,\t\r\n")) if group.strip(" ,\t\r\n") else []
        if len(numbers) % 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
            return []
        values = [float(number) for number in numbers]
        corners += zip(values[::2], values[1::2], strict=True)
    return corners


def _around(corners: Sequence[Corner]) -> FramedBox:
    """Two corners as they were written; of more corners the rectangle around them."""
    if len(corners) == 2:
        (xa, ya), (xb, yb) = corners
        return FramedBox(xa, ya, xb, yb)
    across, down = [x for x, _ in corners], [y for _, y in corners]
    return FramedBox(min(across), min(down), max(across), max(down))
