"""Reads a reply from an endpoint, streamed or not, and how it ended.

Thoughts that come in a field of their own become part of the reply, between `<think>` and
`</think>`, so that nothing is lost and every reader of replies leaves them out.
"""

import json
from collections.abc import Callable, Generator, Iterator
from time import monotonic
from typing import Any

from segue.chat.openai.choices import (
    FILTERS,
    LENGTH,
    STOP,
    TOOLS,
    ReasoningDelta,
    ReplyMetadata,
    Spoken,
    UpstreamError,
    error_of,
    reason_of,
)
from segue.chat.openai.documents import Document, End, Idle, Line, Unreadable, lines_of, read_lines
from segue.chat.openai.transport import HTTP_ERRORS, TIMEOUTS
from segue.values.message import Finish

OPENING, CLOSING = "<think>", "</think>"
STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl", "text/plain", "")


class NoReplyError(Exception):
    """The endpoint said nothing; the message is a sentence about why."""

    def __init__(self, sentence: str, reason: str = "") -> None:
        """
        Args:
            sentence: about why.
            reason: the endpoint's own words, where it gave some.
        """
        super().__init__(sentence)
        self.reason = reason


class StallTimeout(Exception):
    """Nothing of the reply came for too long, although the connection was open."""


class EndpointReply:
    """One reply while it comes."""

    def __init__(
        self, response: Any, read_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """
        Args:
            response: of the openai client, its body not yet read.
            read_s: the longest wait, in seconds, for the next piece of the reply. Comments and
                other signs of life are no piece.
            clock: seconds since any time.
        """
        self._response, self._read_s, self._clock = response, read_s, clock
        self._metadata = ReplyMetadata()
        self._in_thought = False
        self._has_words = self._has_thoughts = False
        self._is_complete = False  # the endpoint said that all was sent
        self._unreadable: list[str] = []
        self._half = ""  # of a character that the endpoint cut in two

    def pieces(self) -> Generator[str, None, Finish]:
        """Yield the text of the reply as it comes.

        Returns:
            Why it ended.

        Raises:
            NoReplyError: nothing was said, and the sentence is why.
        """
        kind = self._response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (*STREAMS, "application/json") and not kind.endswith("+json"):
            raise NoReplyError(
                f"The endpoint answered with {kind}, not with a chat completion. Is the address "
                "right? It usually ends in /v1."
            )
        failure = ""
        try:
            for spoken in self._spoken(self._lines(kind)):
                yield from self._write_text(spoken)
            if reason := self._unframed_error():
                raise UpstreamError(reason)
        except UpstreamError as error:
            if not self._has_words and not self._has_thoughts:
                raise NoReplyError(f"The endpoint reports an error: {error}", str(error)) from error
            failure = f"the endpoint failed in the middle of its reply: {error}"
        except (StallTimeout, *TIMEOUTS) as error:  # type: ignore[misc]
            failure = f"nothing more came for {self._read_s:.0f} s, so the reply was ended"
            if not self._has_words and not self._has_thoughts:
                raise NoReplyError(
                    f"The endpoint accepted the question and said nothing for {self._read_s:.0f} s."
                ) from error
        except HTTP_ERRORS as error:
            if not self._has_words and not self._has_thoughts:
                raise NoReplyError(
                    f"The endpoint broke off before it said anything ({error})."
                ) from error
            failure = f"the connection broke off before the reply had ended ({error})"
        if self._half:
            yield "\ufffd"
        if self._in_thought:
            yield CLOSING
        if failure:
            return Finish("error", failure)
        if not self._has_words:
            return (yield from self._without_words())
        return self._finish()

    def _lines(self, kind: str) -> Iterator[Line]:
        if kind in STREAMS:
            yield from read_lines(lines_of(self._response.iter_bytes()))
            return
        text = b"".join(self._response.iter_bytes()).decode("utf-8-sig", "replace")
        self._is_complete = True
        try:
            yield Document(json.loads(text))
        except (ValueError, RecursionError):
            yield from read_lines(text.splitlines())

    def _spoken(self, lines: Iterator[Line]) -> Iterator[Spoken]:
        last = self._clock()
        for line in lines:
            match line:
                case Document(value, is_error):
                    if is_error:
                        raise UpstreamError(reason_of(value) or "an error without a reason")
                    for spoken in self._metadata.read(value):
                        yield spoken
                        last = self._clock()
                case End():
                    self._is_complete = True
                    return
                case Unreadable(text):
                    self._unreadable.append(text)
                case Idle():
                    pass
            if self._clock() - last > self._read_s:
                raise StallTimeout

    def _write_text(self, spoken: Spoken) -> Iterator[str]:
        if isinstance(spoken, ReasoningDelta) != self._in_thought:
            self._in_thought = not self._in_thought
            yield OPENING if self._in_thought else CLOSING
        self._has_words = self._has_words or not self._in_thought
        self._has_thoughts = self._has_thoughts or self._in_thought
        text, self._half = self._half + spoken.text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        yield text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _unframed_error(self) -> str | None:
        """Return the reason of an error that the endpoint wrote over several lines."""
        try:
            return error_of(json.loads("\n".join(self._unreadable)))
        except (ValueError, RecursionError):
            return None

    def _without_words(self) -> Generator[str, None, Finish]:
        """Yield the end of a reply that has no words, unless the model's refusal is some."""
        metadata, reason = self._metadata, self._metadata.reason
        if metadata.refusal:
            yield metadata.refusal
            return Finish("refused", "the model refused to answer")
        if metadata.tools or reason in TOOLS:
            names = ", ".join(dict.fromkeys(name for name in metadata.tools if name))
            raise NoReplyError(
                f"The model asked for a tool{f' ({names})' if names else ''} instead of answering. "
                "It was offered none: switch tools off at the server."
            )
        if reason in FILTERS:
            raise NoReplyError("The endpoint's content filter refused to answer.")
        if self._has_thoughts:
            return Finish("length" if reason in LENGTH else "stop")
        if reason in STOP:
            return Finish("stop", "; ".join(["the model answered nothing", *self._left_out()]))
        if reason in LENGTH:
            return Finish("length", "the model reached its limit of length before it said anything")
        if reason is not None:
            raise NoReplyError(
                f"The endpoint ended the reply with {reason!r} before it said anything."
            )
        raise NoReplyError(self._no_completion())

    def _no_completion(self) -> str:
        if self._unreadable:
            return (
                "The endpoint sent what is no chat completion: "
                f"{' '.join(self._unreadable[0].split())[:200]!r}. Is the address right?"
            )
        if self._metadata.had_choices or not self._is_complete:
            return "The endpoint sent an empty stream: neither text nor a reason to end."
        return "The endpoint answered with JSON that is no chat completion. Is the address right?"

    def _finish(self) -> Finish:
        """Why a reply with words ended, and what else there is to say of it."""
        reason, why, notices = self._metadata.reason, "stop", []
        if reason is None and not self._is_complete:
            why = "error"
            notices.append("the stream ended without a reason, so the reply may be cut off")
        elif reason in LENGTH:
            why = "length"
        elif reason in FILTERS:
            why = "refused"
            notices.append("the endpoint's content filter cut the reply off")
        elif reason is not None and reason not in (*STOP, *TOOLS):
            why = "error"
            notices.append(f"the endpoint ended the reply with {reason!r}")
        return Finish(why, "; ".join([*notices, *self._left_out()]))

    def _left_out(self) -> Iterator[str]:
        metadata = self._metadata
        if metadata.other_choices:
            yield f"other choices of the endpoint are left out: {len(metadata.other_choices)}"
        if metadata.parts:
            kinds = ", ".join(sorted(metadata.parts))
            yield f"parts of the reply that are no text are left out: {kinds}"
        if metadata.tools:
            names = ", ".join(dict.fromkeys(filter(None, metadata.tools)))
            tool = f"a tool ({names})" if names else "a tool"
            yield f"the model also asked for {tool}, which it was not offered"
        if self._unreadable:
            yield f"lines of the stream that could not be read: {len(self._unreadable)}"
