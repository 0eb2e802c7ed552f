"""Reads what an endpoint sends back, streamed or not, and says what went wrong in words."""

import json
import logging
import re
from collections.abc import Generator, Iterator
from difflib import get_close_matches
from typing import Any

import openai

from segue.chat.openai.address import KEYS, Address
from segue.errors import ModelError

log = logging.getLogger(__name__)

ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>",
    "<end_of_utterance>", "<｜end▁of▁sentence｜>", "<|user|>", "<eos>", "</s>",
)  # fmt: skip
"""End-of-turn tokens; a server that keeps special tokens may send them along."""

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|maximum.{0,30}(tokens|length)|too (long|many tokens)"
    r"|max_model_len|exceeds? .{0,40}(context|tokens)",
    re.IGNORECASE | re.DOTALL,
)
_PICTURE = re.compile(r"image|picture|multi-?modal|vision|mmproj", re.IGNORECASE)


def pieces(response: Any) -> Generator[str, None, str]:
    """The text of a reply as it comes.

    Returns:
        "stop" or "length"; a stream that breaks off counts as "length".

    Raises:
        ModelError: the answer is none, or the server reports an error in it.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return (yield from _whole(response))
    if kind not in ("text/event-stream", "application/x-ndjson", "text/plain", ""):
        raise ModelError(
            f"The endpoint answered with {kind or 'no content type'}, not with a chat completion. "
            "Is the address right? It usually ends in /v1."
        )
    return (yield from _streamed(response.parse()))


def _whole(response: Any) -> Generator[str, None, str]:
    """A server that does not stream."""
    try:
        choice = json.loads(response.read())["choices"][0]
        text, why = choice["message"]["content"] or "", choice.get("finish_reason")
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(
            "The endpoint answered with JSON that is no chat completion. Is the address right?"
        ) from error
    yield text
    return _finish(why, bool(text))


def _streamed(chunks: Iterator[Any]) -> Generator[str, None, str]:
    why, begun = None, False
    try:
        for chunk in chunks:
            for choice in chunk.choices or ():
                if text := (choice.delta and choice.delta.content) or "":
                    begun = True
                    yield text
                why = choice.finish_reason or why
    except (openai.APIConnectionError, ValueError) as error:  # ValueError: half a line of JSON
        if not begun:
            raise ModelError(
                f"The endpoint broke off before it said anything ({error})."
            ) from error
        log.warning("the endpoint broke the stream off: %s", error)
        return "length"
    if why is None and not begun:
        raise ModelError("The endpoint sent an empty stream: neither text nor a reason to end.")
    return _finish(why, begun)


def _finish(why: str | None, begun: bool) -> str:
    if why == "content_filter" and not begun:
        raise ModelError("The endpoint's content filter refused to answer.")
    return "stop" if why in ("stop", "eos", "end_turn", "tool_calls") else "length"


def told(error: Exception, address: Address, known: list[str]) -> ModelError:
    """An error of the client as a sentence.

    Args:
        error: what it raised.
        address: who was asked.
        known: models that the endpoint says it has, if it was asked.
    """
    where = address.url
    message = " ".join(str(getattr(error, "message", error)).split())[:300]
    if isinstance(error, openai.APITimeoutError):
        return ModelError(f"{where} did not answer in time. Is it overloaded? Try again later.")
    if isinstance(error, openai.APIConnectionError):
        return ModelError(
            f"Nothing answers at {where} ({_cause(error)}). Is the server running, and the address "
            "right?"
        )
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        has = f"the one in {' or '.join(KEYS)} was refused" if address.key else f"set {KEYS[0]}"
        return ModelError(f"{where} asks for a key: {has}. ({message})")
    if isinstance(error, openai.RateLimitError):
        return ModelError(f"{where} has too much to do, also after several tries. ({message})")
    if isinstance(error, openai.NotFoundError):
        return _not_found(address, message, known)
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return _refused(address, error.status_code, message)
    return ModelError(f"{where} failed, also after several tries: {message}")


def _not_found(address: Address, message: str, known: list[str]) -> ModelError:
    if not known:
        return ModelError(
            f"{address.url} has no model {address.model!r}, or is no endpoint: the address "
            f"usually ends in /v1. ({message})"
        )
    near = get_close_matches(address.model, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ModelError(
        f"{address.url} has no model {address.model!r}.{hint} It has: {', '.join(known[:20])}."
    )


def _refused(address: Address, status: int, message: str) -> ModelError:
    if _TOO_LONG.search(message):
        return ModelError(
            f"The conversation is too long for {address.model}. Use fewer or shorter turns, or "
            f"smaller pictures. ({message})"
        )
    if status == 413 or _PICTURE.search(message):
        return ModelError(
            f"{address.model} refused the picture. Does this model see, and so many pictures? "
            f"({message})"
        )
    return ModelError(f"{address.url} refused the request with status {status}: {message}")


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())[:200]
