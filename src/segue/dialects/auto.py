"""The dialect of a model that is not known: recognised from the reply while it streams.

Words and `<gsam>` tags come out at once. At the first sign of a family the reply is read in its
dialect. JSON alone does not tell its frame, so it is held until the reply is over; where its
numbers do not tell either, its places come out in an `EitherFrame`, which nobody draws.

Naming the dialect is better where it is known: places in JSON then come while the reply streams.
"""

from collections.abc import Iterable, Iterator

from segue.box import GRID_1000, SEEN_PIXELS, EitherFrame
from segue.dialects import DIALECTS, Event, Text
from segue.dialects.json_meaning import Shape
from segue.dialects.json_reply import JsonReply
from segue.dialects.markup import Tag, Tokens
from segue.dialects.places import corners, lists
from segue.dialects.probe import Probe
from segue.dialects.qwen_vl import QwenVLReply
from segue.dialects.recognize import recognize
from segue.dialects.reply import Reply, ReplyDialect, read_reply


class AmbiguousReply(JsonReply):
    """Reads JSON whose frame nobody knows."""

    shape = Shape(EitherFrame((GRID_1000, SEEN_PIXELS)))


class TaggedReply(QwenVLReply):
    """Reads `<ref>` and `<box>` as Qwen-VL and InternVL write them."""

    tags = (
        Tag("<ref>", "</ref>"),
        Tag("<box>", "</box>", lists()),
        Tag("<quad>", "</quad>", corners(4)),
    )
    tokens = Tokens.of(
        *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>"),
        *("<img>", "</img>", "<imgpad>", "<IMG_CONTEXT>"),
    )


class AutoDialect:
    """Reads replies of any dialect. Holds no state between replies."""

    def read(
        self, chunks: Iterable[str], *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[Event]:
        """Translate a reply while it streams in. See `Dialect.read`."""
        return read_reply(_AutoReply, chunks, thinks=thinks)


class _AutoReply:
    """One reply, first looked at by a probe, then read in the dialect that it shows."""

    def __init__(self) -> None:
        self._probe = Probe()
        self._inner: Reply | None = None
        self._raw: list[str] = []
        self._words = 0  # characters of the clean text handed out so far
        self._others = 0  # other events handed out so far
        self._held: list[Event] = []  # what families read in different ways

    def feed(self, chunk: str) -> list[Event]:
        """Read on; returns what became certain."""
        if self._inner is not None:
            return self._inner.feed(chunk)
        self._raw.append(chunk)
        events = self._probe.feed(chunk)
        if self._probe.signs:
            sign = next(iter(self._probe.signs))
            return self._decide(_reply_of(sign))
        if self._probe.founds:
            return []  # only the whole reply can tell its frame
        if self._probe.unclear:
            self._held += events
            return []
        return self._counted(events)

    def end(self) -> list[Event]:
        """The reply is over."""
        if self._inner is not None:
            return self._inner.end()
        events = self._probe.end()
        if not self._probe.founds and not self._probe.signs:
            return self._held + events
        name = recognize("".join(self._raw)).dialect
        inner = AmbiguousReply() if name == "ambiguous" else _reply_of(name)
        return self._decide(inner) + inner.end()

    def _counted(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Text):
                self._words += len(event.text)
            else:
                self._others += 1
        return events

    def _decide(self, inner: Reply) -> list[Event]:
        """Read what came so far in the dialect; returns what was not handed out before."""
        self._inner = inner
        left: list[Event] = []
        words, others = self._words, self._others
        for event in inner.feed("".join(self._raw)):
            if isinstance(event, Text):
                rest = event.text[words:]
                words = max(words - len(event.text), 0)
                left += [Text(rest)] if rest else []
            elif others:
                others -= 1
            else:
                left.append(event)
        return left


def _reply_of(name: str) -> Reply:
    if name == "qwen_vl":
        return TaggedReply()
    dialect = DIALECTS.load(name)
    assert isinstance(dialect, ReplyDialect)
    return dialect.begin()


def dialect() -> AutoDialect:
    """The dialect of a model that is not known."""
    return AutoDialect()
