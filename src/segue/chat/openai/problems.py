"""What went wrong with an endpoint, as a sentence for a user; never with a key in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import openai

from segue.chat.openai.address import KEYS, Address
from segue.chat.openai.choices import error_of, reason_of
from segue.chat.openai.replies import NoReplyError
from segue.chat.openai.secrets import redact
from segue.errors import ContextOverflow, ModelError
from segue.runtime.catalog import nearest_name

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|maximum.{0,30}(tokens|length)|too (long|many tokens)"
    r"|max_model_len|exceeds? .{0,40}(context|tokens)|context_length_exceeded",
    re.IGNORECASE | re.DOTALL,
)
_PICTURE = re.compile(r"image|picture|multi-?modal|vision|mmproj", re.IGNORECASE)
NEUTRAL = "The chat model's endpoint failed. Try again later; the operator's log says more."


@dataclass(frozen=True, slots=True)
class EndpointFailure:
    """What went wrong, for the operator and for strangers."""

    sentence: str
    neutral: str = NEUTRAL
    """Without the endpoint's own words and address."""
    is_overflow: bool = False
    """The prompt was too long."""

    def error(self, *, is_public: bool = False) -> ModelError:
        """Return the error, in the endpoint's words or, for the public, in neutral ones."""
        kind = ContextOverflow if self.is_overflow else ModelError
        return kind(self.neutral if is_public else self.sentence)


def failure_of(
    error: Exception, address: Address, *, tries: int = 1, model_names: Sequence[str] = ()
) -> EndpointFailure:
    """Return an error as a sentence.

    Args:
        error: of the openai client, or `NoReplyError`.
        address: who was asked.
        tries: how many requests were made.
        model_names: models that the endpoint says it has, if it was asked.
    """
    failure = _failure(error, address, tries, model_names)
    return replace(failure, sentence=redact(failure.sentence, *address.secrets))


def _failure(
    error: Exception, address: Address, tries: int, model_names: Sequence[str]
) -> EndpointFailure:
    where, message = address.url, upstream_reason(error)
    several = f", also after {tries} tries" if tries > 1 else ""
    if isinstance(error, NoReplyError):
        return _too_long(error.reason, address) or EndpointFailure(str(error))
    if isinstance(error, openai.APITimeoutError):
        return EndpointFailure(
            f"{where} did not answer in time. Is it overloaded? Try again later."
        )
    if isinstance(error, openai.APIConnectionError):
        return EndpointFailure(
            f"Nothing answers at {where} ({_cause(error)}){several}. Is the server running, and "
            "the address right?"
        )
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        has = f"the one in {' or '.join(KEYS)} was refused" if address.key else f"set {KEYS[0]}"
        return EndpointFailure(f"{where} asks for a key: {has}. ({message})")
    if isinstance(error, openai.RateLimitError):
        return EndpointFailure(
            f"{where} has too much to do{several}. ({message})",
            "The chat model's endpoint has too much to do. Try again later.",
        )
    if isinstance(error, openai.NotFoundError):
        return EndpointFailure(_not_found(address, message, model_names))
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return _refused(address, error.status_code, message)
    return _too_long(message, address) or EndpointFailure(f"{where} failed{several}: {message}")


def upstream_reason(error: Exception) -> str:
    """Return the endpoint's own words in an error of the client."""
    body: Any = getattr(error, "body", None)
    response = getattr(error, "response", None)
    reason = ""
    if body is not None:
        for document in body if isinstance(body, list) else [body]:
            reason = reason or error_of(document) or reason_of(document)
    if not reason and response is not None:
        reason = _html_title(getattr(response, "text", "")) if _is_read(response) else ""
    return " ".join((reason or str(getattr(error, "message", error))).split())[:300]


def _is_read(response: Any) -> bool:
    consumed = getattr(response, "is_stream_consumed", False)
    return bool(consumed or getattr(response, "is_closed", False))


def _html_title(text: str) -> str:
    match = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return match.group(1) if match else ""


def _not_found(address: Address, message: str, model_names: Sequence[str]) -> str:
    if not model_names:
        return (
            f"{address.url} has no model {address.model!r}, or is no endpoint: the address "
            f"usually ends in /v1. ({message})"
        )
    near = nearest_name(address.model, model_names)
    hint = f" Did you mean {near!r}?" if near is not None else ""
    names = ", ".join(model_names[:20])
    return f"{address.url} has no model {address.model!r}.{hint} It has: {names}."


def _refused(address: Address, status: int, message: str) -> EndpointFailure:
    if (failure := _too_long(message, address)) is not None:
        return failure
    if status == 413 or _PICTURE.search(message):
        return EndpointFailure(
            f"{address.model} refused the picture. Does this model see, and so many pictures? "
            f"({message})",
            "The chat model refused the picture, or so many pictures.",
        )
    return EndpointFailure(f"{address.url} refused the request with status {status}: {message}")


def _too_long(message: str, address: Address) -> EndpointFailure | None:
    if not _TOO_LONG.search(message):
        return None
    return EndpointFailure(
        f"The conversation is too long for {address.model}. Use fewer or shorter turns, or "
        f"smaller pictures. ({message})",
        "The conversation is too long for the chat model. Use fewer or shorter turns, or smaller "
        "pictures.",
        is_overflow=True,
    )


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())[:200]
