"""Keeps keys out of everything that an endpoint sends back: one function for every text of it."""

import base64
import re
from functools import cache

REDACTED = "[key]"
MIN_KEY_LENGTH = 6
"""Shorter keys are words that may stand anywhere; they are not looked for."""

_NAMES = r"(?:[\w-]*api[-_]?key|subscription[-_]key|access[-_]?token|auth[-_]?token)"
_IN_QUERIES = r"(?:[\w-]*key|[\w-]*token|secret|sig|signature|code|password)"
_SHAPES = (
    re.compile(r"(?P<keep>\bbearer(?:\s+|%20|\+))[\w.~+/=:*-]{4,}", re.IGNORECASE),
    re.compile(
        r"(?P<keep>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic\s+|token\s+)?)[\w.~+/=:*-]{4,}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<keep>[?&]{_IN_QUERIES}=)[^&\s\"'<>]+", re.IGNORECASE),
    re.compile(
        rf"(?P<keep>\b{_NAMES}[\"']?\s*(?:[:=]|%3[ad])\s*[\"']?)[\w.~+/=*-]{{8,}}", re.IGNORECASE
    ),
    re.compile(r"(?P<keep>://)[^/@\s:]+:[^/@\s]+(?=@)"),
    re.compile(r"(?P<keep>)\b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx)[-_][A-Za-z0-9_*-]{8,}"),
    re.compile(r"(?P<keep>)\b(?:gh[opsu]|github_pat|glpat)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?P<keep>)\b(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    re.compile(r"(?P<keep>)\bAIza[A-Za-z0-9_-]{20,}"),
    re.compile(r"(?P<keep>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}"),
)
"""What looks like a key, whoever's it is; `keep` stays."""


@cache
def _pattern_of_key(key: str) -> re.Pattern[str]:
    """Return a key in any spelling: case, percent signs, escapes of JSON, base64."""
    encoded = base64.b64encode(key.encode()).decode()
    wrapped = base64.b64encode(f"Bearer {key}".encode()).decode()
    letters = "".join(_letter(letter) for letter in key)
    encoded_forms = [re.escape(text.rstrip("=")) + "=*" for text in (encoded, wrapped)]
    return re.compile(f"(?i:{letters})|{'|'.join(encoded_forms)}")


def _letter(letter: str) -> str:
    percent = "".join(f"%{byte:02x}" for byte in letter.encode())
    escape = "".join(f"\\\\u{unit:04x}" for unit in [ord(letter)] if unit < 0x10000)
    forms = [
        re.escape(letter),
        percent,
        *([escape] if escape else []),
        *(["\\+"] * (letter == " ")),
    ]
    return f"(?:{'|'.join(forms)})"


def redact(text: str, *keys: str | None) -> str:
    """Return a text of an endpoint without keys.

    Args:
        text: a message, a reason, an address.
        keys: those that were sent to it, and must not come back in any spelling.

    >>> redact("Incorrect API key provided: hunter2-hunter2", "hunter2-hunter2")
    'Incorrect API key provided: [key]'
    >>> redact("https://h/v1?api-key=abc&x=1 refused Bearer xyz-123")
    'https://h/v1?api-key=[key]&x=1 refused Bearer [key]'
    """
    for key in keys:
        if key and len(key) >= MIN_KEY_LENGTH:
            text = _pattern_of_key(key).sub(REDACTED, text)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<keep>{REDACTED}", text)
    return text


class KeyFilter:
    """Takes keys out of a reply while it streams, wherever the pieces are cut."""

    def __init__(self, *keys: str) -> None:
        """
        Args:
            keys: those that were sent to the endpoint.
        """
        self._keys = tuple(key for key in keys if len(key) >= MIN_KEY_LENGTH)
        self._held = ""
        self.count = 0
        """How often one was there."""

    def push(self, piece: str) -> str:
        """Take a piece; return what can be shown now."""
        text = self._held + piece
        for key in self._keys:
            self.count += text.count(key)
            text = text.replace(key, REDACTED)
        n_held_back = max((_length_of_beginning(text, key) for key in self._keys), default=0)
        self._held = text[len(text) - n_held_back :]
        return text[: len(text) - n_held_back]

    def finish(self) -> str:
        """End the reply; return what was held back."""
        held_back, self._held = self._held, ""
        return held_back


def _length_of_beginning(text: str, key: str) -> int:
    """Length of the longest end of a text that may begin a key."""
    max_length = min(len(key) - 1, len(text))
    return next((n for n in range(max_length, 0, -1) if text.endswith(key[:n])), 0)
