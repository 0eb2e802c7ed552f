"""Keeps keys out of everything that an endpoint sends back: one function for every text of it."""

import re
from urllib.parse import quote

REDACTED = "[key]"
LEAST = 6
"""Shorter keys are words that may stand anywhere; they are not looked for."""

_NAMES = r"(?:api[-_]?key|subscription[-_]key|access[-_]?token|auth[-_]?token|token|secret|sig|key)"
_SHAPES = (
    re.compile(r"(?P<keep>\bbearer\s+)[\w.~+/=:-]{4,}", re.IGNORECASE),
    re.compile(
        r"(?P<keep>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic\s+|token\s+)?)[\w.~+/=:-]{4,}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<keep>[?&]{_NAMES}=)[^&\s\"'<>]+", re.IGNORECASE),
    re.compile(rf"(?P<keep>\b{_NAMES}[\"']?\s*[:=]\s*[\"']?)[\w.~+/=-]{{8,}}", re.IGNORECASE),
    re.compile(r"(?P<keep>://)[^/@\s:]+:[^/@\s]+(?=@)"),
    re.compile(r"(?P<keep>)\b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx|or)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?P<keep>)\bAIza[A-Za-z0-9_-]{20,}"),
    re.compile(r"(?P<keep>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}"),
)
"""What looks like a key, whoever's it is; `keep` stays."""


def redact(text: str, *keys: str | None) -> str:
    """A text of an endpoint without keys.

    Args:
        text: a message, a reason, an address.
        keys: those that were sent to it, and must not come back in any spelling.

    >>> redact("Incorrect API key provided: hunter2-hunter2", "hunter2-hunter2")
    'Incorrect API key provided: [key]'
    >>> redact("https://h/v1?api-key=abc&x=1 refused Bearer xyz-123")
    'https://h/v1?api-key=[key]&x=1 refused Bearer [key]'
    """
    for key in keys:
        if key and len(key) >= LEAST:
            for spelling in {key, quote(key, safe="")}:
                text = text.replace(spelling, REDACTED)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<keep>{REDACTED}", text)
    return text


class KeyFilter:
    """Takes a key out of a reply while it streams, wherever the pieces are cut."""

    def __init__(self, key: str | None) -> None:
        self._key = key if key and len(key) >= LEAST else ""
        self._held = ""
        self.count = 0
        """How often it was there."""

    def push(self, piece: str) -> str:
        """Take a piece; return what can be shown now."""
        if not self._key:
            return piece
        text = self._held + piece
        self.count += text.count(self._key)
        text = text.replace(self._key, REDACTED)
        most = min(len(self._key) - 1, len(text))
        held = next((n for n in range(most, 0, -1) if text.endswith(self._key[:n])), 0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """End the reply; return what was held back."""
        held, self._held = self._held, ""
        return held
