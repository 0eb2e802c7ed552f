"""Reads replies from the first chunk to the last, in whatever dialect.

Thoughts are taken out, each place is handed out once (`repetition.py`), and a reply that turns out
to be written as another family does is handed over to that family's dialect: tokens such as
`<loc0123>` are written by one family only. Where they come although another family was expected,
and before that one has given a place in its own form, that dialect reads on, and a remark says so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from segue.dialects import DIALECTS, Remark, ReplyEvent
from segue.dialects.parsing.repetition import Repetition
from segue.dialects.parsing.reply import ReplyParser
from segue.dialects.parsing.thoughts import ThoughtSplitter


class Reader(Protocol):
    """Reads one reply."""

    def feed(self, chunk: str) -> list[ReplyEvent]:
        """Read on; returns what became certain."""

    def end(self) -> list[ReplyEvent]:
        """End the reply, and return what is left."""


def read_reply(
    begin: Callable[[], Reader], chunks: Iterable[str], *, thinks: bool = False
) -> Iterator[ReplyEvent]:
    """Read a reply without its thoughts, and each place once.

    Args:
        begin: makes a reader that has read nothing; called again where a thought is withdrawn.
        chunks: the reply. A generator may return why the reply ended.
        thinks: see `Dialect.read`.
    """
    splitter, reader, repeated = ThoughtSplitter(thinks), begin(), Repetition()
    source, ended = iter(chunks), False
    thoughts: list[
        ReplyEvent
    ] = []  # they withdraw nothing, and what is still held comes before them
    while not ended:
        try:
            parts = splitter.feed(next(source))
        except StopIteration as end:
            parts, ended = splitter.end(str(end.value or "stop")), True
        for part in parts:
            if isinstance(part, str):
                yield from repeated.once(reader.feed(part))
                if repeated.is_loop:
                    yield from (repeated.remark(), *thoughts)
                    return
                continue
            if part.retracts:
                reader, repeated = begin(), Repetition()
                yield part
            else:
                thoughts.append(part)
    yield from repeated.once(reader.end())
    if repeated.count:
        yield repeated.remark()
    yield from thoughts


class FallbackReader:
    """Reads a reply as its family writes, until tokens show that another one writes it."""

    def __init__(self, reply: ReplyParser) -> None:
        self._reply = reply

    def feed(self, chunk: str) -> list[ReplyEvent]:
        """Read on; returns what became certain."""
        events = self._reply.feed(chunk)
        while self._reply.foreign:
            previous, self._reply = self._reply, reply_of(self._reply.foreign, self._reply.grounded)
            events += previous.leave()
            events.append(
                Remark(f"the reply goes on as {previous.foreign} writes, and is read so from there")
            )
            self._reply.resume(previous)
            events += self._reply.feed(previous.unread)
        return events

    def end(self) -> list[ReplyEvent]:
        """End the reply, and return what is left."""
        return self._reply.end()


class ReplyDialect:
    """Reads replies with a kind of `ReplyParser`. Holds no state between replies."""

    def __init__(self, kind: type[ReplyParser]) -> None:
        self._kind = kind

    def begin(self, grounded: bool = False) -> ReplyParser:
        """Return a reply of which nothing was read yet."""
        return self._kind(grounded)

    def read(
        self, chunks: Iterable[str], *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[ReplyEvent]:
        """Translate a reply while it streams in. See `Dialect.read`."""
        return read_reply(lambda: FallbackReader(self.begin(grounded)), chunks, thinks=thinks)


def reply_of(name: str, grounded: bool = False) -> ReplyParser:
    """Return a reply of a dialect of which nothing was read yet."""
    dialect = DIALECTS.load(name)
    assert isinstance(dialect, ReplyDialect)
    return dialect.begin(grounded)
