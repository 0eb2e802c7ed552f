"""The JSON documents of a response, however it is framed.

Server-sent events are what OpenAI documents. Servers also send one JSON document, JSON lines
without frames, errors under a field of their own (`error: {…}`), comments that only keep the
connection open, and now and then a byte that is no UTF-8. Nothing of that is believed before it is
read here.
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 64 * 2**20
"""Characters of one document."""


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON document."""

    value: Any
    is_error: bool = False
    """It stood under a field that says so."""


@dataclass(frozen=True, slots=True)
class End:
    """`[DONE]`: the server says that all was sent."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A line that brings nothing, as comments do: the connection is open, and no more."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is neither JSON nor known."""

    text: str


Line = Document | End | Idle | Unreadable


def lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a response; a byte that is no UTF-8 becomes U+FFFD."""
    decoder, pending = codecs.getincrementaldecoder("utf-8-sig")("replace"), ""
    for chunk in chunks:
        pending += decoder.decode(chunk).replace("\r\n", "\n").replace("\r", "\n")
        *lines, pending = pending.split("\n")
        yield from lines
        if len(pending) > MAX_CHARACTERS:
            break
    pending += decoder.decode(b"", final=True)
    if pending:
        yield pending


def read_lines(lines: Iterable[str]) -> Iterator[Line]:
    """Read what the lines of a stream of events say.

    Data of one event may stand on several lines; an event without an empty line behind it counts.

    >>> [*read_lines(['data: {"a":', 'data: 1}', '', ': ping', 'data: [DONE]'])]
    [Document(value={'a': 1}, is_error=False), Idle(), Idle(), End()]
    """
    data: list[str] = []
    fails = False  # the event is named "error"
    for line in lines:
        field, _, text = line.partition(":")
        field, text = field.strip().lower(), text.removeprefix(" ")
        if field == "data":
            if data and _parsed("\n".join(data)) is not None:  # no empty line between two events
                yield _document("\n".join(data), is_error=fails)
                data = []
            data.append(text)
            continue
        if data:
            yield _document("\n".join(data), is_error=fails)
            data = []
        if field == "event" or not line:
            fails = text.strip().lower() == "error"
        if field == "error":
            yield _document(text, is_error=True)
        elif line.lstrip()[:1] in ("{", "["):
            yield _document(line)
        elif field in ("", "event", "id", "retry"):
            yield Idle()
        else:
            yield Unreadable(line[:500])
    if data:
        yield _document("\n".join(data), is_error=fails)


def _document(text: str, *, is_error: bool = False) -> Line:
    text = text.strip()
    if text == "[DONE]":
        return End()
    if not text:
        return Idle()
    parsed = _parsed(text)
    if parsed is not None:
        return Document(parsed[0], is_error)
    return Document(text, True) if is_error else Unreadable(text[:500])


def _parsed(text: str) -> tuple[Any] | None:
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None
