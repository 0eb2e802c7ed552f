"""Which failed requests are made again, and after which pause."""

import random
from collections.abc import Mapping

import openai

from segue.chat.openai.transport import NOT_CONNECTED

FIRST_S = 0.5
LONGEST_S = 8.0
MAX_REQUESTED_PAUSE_S = 60.0
"""A server that asks for a longer pause is not waited for."""
_RETRIED_STATUSES = (408, 409, 425, 429)


def pause_before_retry(error: openai.OpenAIError, tries: int) -> float | None:
    """How long to wait before the request is made again; None: it is not.

    A time-out while reading is no reason: the server has the question, and asking again would have
    it answer twice.

    Args:
        error: of the client.
        tries: how many requests were made.

    Returns:
        Seconds.
    """
    if isinstance(error, openai.APITimeoutError):
        if not isinstance(error.__cause__, NOT_CONNECTED):
            return None
    elif isinstance(error, openai.APIStatusError):
        if error.status_code not in _RETRIED_STATUSES and error.status_code < 500:
            return None
        requested_pause = _requested_pause(error.response.headers)
        if requested_pause is not None:
            return requested_pause if requested_pause <= MAX_REQUESTED_PAUSE_S else None
    elif not isinstance(error, openai.APIConnectionError):
        return None
    longest = min(FIRST_S * 2.0 ** (tries - 1), LONGEST_S)
    return longest * random.uniform(0.75, 1.0)


def _requested_pause(headers: Mapping[str, str]) -> float | None:
    """Return the pause that a server asks for, in seconds."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(float(headers[name]) * scale, 0.0)
        except (KeyError, ValueError):
            continue
    return None
