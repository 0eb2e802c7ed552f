"""The dialect of a model that is not known: recognised from the reply while it streams.

Words and `<gsam>` tags come out at once. At the first sign of a family the reply is read in its
dialect. JSON alone does not tell its frame, so it is held until the reply is over; where its
numbers do not tell either, its places come out in an `EitherFrame`, which nobody draws.

Naming the dialect is better where it is known: places in JSON then come while the reply streams.
"""

from collections.abc import Iterable, Iterator

from segue.dialects import PlainText, Remark, ReplyEvent
from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import read_reply, reply_of
from segue.dialects.parsing.reply import ReplyParser
from segue.dialects.recognition.probe import Probe
from segue.dialects.recognition.recognize import judge
from segue.values.frames import GRID_1000, SEEN_PIXELS, EitherFrame

Y_FIRST = (
    'the key "box_2d" is read y first, as Gemini writes it; other models write it x first: where '
    "boxes lie across, name the dialect"
)


class AmbiguousReply(FamilyReply):
    """Reads places whose frame nobody knows."""

    shape = JsonShape(EitherFrame((GRID_1000, SEEN_PIXELS)))


class Handover:
    """What was handed out of a reply before it was read anew in another way."""

    def __init__(self) -> None:
        self._raw: list[str] = []
        self._words = 0  # characters of the clean text
        self._others = 0  # other events

    def keep(self, chunk: str) -> None:
        """Remember what was read."""
        self._raw.append(chunk)

    @property
    def raw(self) -> str:
        """All that was read."""
        return "".join(self._raw)

    def record(self, events: list[ReplyEvent]) -> list[ReplyEvent]:
        """Remember what is handed out."""
        for event in events:
            if isinstance(event, PlainText):
                self._words += len(event.text)
            else:
                self._others += 1
        return events

    def to(self, reply: ReplyParser) -> list[ReplyEvent]:
        """Read all of it as another reply; returns what was not handed out before."""
        replayed: list[ReplyEvent] = []
        words, n_others = self._words, self._others
        for event in reply.feed(self.raw):
            if isinstance(event, PlainText):
                new_text = event.text[words:]
                words = max(words - len(event.text), 0)
                replayed += [PlainText(new_text)] if new_text else []
            elif n_others:
                n_others -= 1
            else:
                replayed.append(event)
        return replayed


class AutoDialect:
    """Reads replies of any dialect. Holds no state between replies."""

    def read(
        self, chunks: Iterable[str], *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[ReplyEvent]:
        """Translate a reply while it streams in. See `Dialect.read`."""
        return read_reply(lambda: _AutoReply(grounded), chunks, thinks=thinks)


class _AutoReply:
    """One reply, first looked at by a probe, then read in the dialect that it shows."""

    def __init__(self, grounded: bool) -> None:
        self._grounded = grounded
        self._probe = Probe(grounded)
        self._inner: ReplyParser | None = None
        self._handover = Handover()
        self._held: list[ReplyEvent] = []  # what families read in different ways

    def feed(self, chunk: str) -> list[ReplyEvent]:
        """Read on; returns what became certain."""
        if self._inner is not None:
            return self._inner.feed(chunk)
        self._handover.keep(chunk)
        events = self._probe.feed(chunk)
        if self._probe.signs:
            self._inner = self._inner_of(next(iter(self._probe.signs)))
            return self._handover.to(self._inner)
        if self._probe.founds:
            return []  # only the whole reply can tell its frame
        if self._probe.unclear:
            self._held += events
            return []
        return self._handover.record(events)

    def end(self) -> list[ReplyEvent]:
        """End the reply."""
        if self._inner is not None:
            return self._inner.end()
        events = self._probe.end()
        if not self._probe.founds and not self._probe.signs:
            return self._held + events
        name = judge(self._probe).dialect
        inner = self._inner_of(name)
        by_key: list[ReplyEvent] = (
            [] if self._probe.signs or name != "gemini" else [Remark(Y_FIRST)]
        )
        return [*self._handover.to(inner), *inner.end(), *by_key]

    def _inner_of(self, name: str) -> ReplyParser:
        """Return a reply of the dialect that was recognised."""
        ambiguous = name == "ambiguous"
        return AmbiguousReply(self._grounded) if ambiguous else reply_of(name, self._grounded)


def dialect() -> AutoDialect:
    """Return the dialect of a model that is not known."""
    return AutoDialect()
