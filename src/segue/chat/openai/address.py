"""Which model at which address, and with which key."""

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from segue.errors import InputError

OFFICIAL = "https://api.openai.com/v1"
KEYS = ("SEGUE_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first that is set counts."""


_SECRET = re.compile(r"key|token|secret|sig|code|auth|password", re.IGNORECASE)
"""Names in a query whose values are keys."""


@dataclass(frozen=True, slots=True)
class Address:
    """One model of one endpoint."""

    model: str
    url: str
    """Up to and with "/v1"; without query."""
    query: tuple[tuple[str, str], ...] = ()
    """Goes with every request, as Azure's api-version does."""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read "MODEL@http://host:port/v1"; without address it is the one of OPENAI_BASE_URL.

        Raises:
            InputError: there is no model, or the address is no http(s) address.

        >>> Address.parse("Qwen/Qwen3-VL-4B-Instruct@http://localhost:8000/v1").model
        'Qwen/Qwen3-VL-4B-Instruct'
        """
        model, at, url = text.partition("@http")
        url = f"http{url}" if at else os.environ.get("OPENAI_BASE_URL") or OFFICIAL
        try:
            parts = urlsplit(url)
            is_valid = (
                parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            )
        except ValueError:
            is_valid = False
        if not is_valid or "@http" in url or "@" in parts.netloc:
            raise InputError(
                f"An endpoint must be MODEL@http://host:port/v1, got {text!r}. "
                f"A key goes into the environment variable {KEYS[0]}."
            )
        if not model.strip() or "://" in model:
            raise InputError(
                f"An endpoint must be MODEL@http://host:port/v1, got {text!r} without a model."
            )
        bare = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(model.strip(), bare, tuple(parse_qsl(parts.query, keep_blank_values=True)))

    @property
    def name(self) -> str:
        """For reports, profiles and sessions: model and address, without the keys of its query."""
        public_query = [(name, value) for name, value in self.query if not _SECRET.search(name)]
        return (
            f"openai:{self.model}@{self.url}{'?' + urlencode(public_query) if public_query else ''}"
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must come back in no text: the key, and keys of the query."""
        hidden = [value for name, value in self.query if _SECRET.search(name)]
        return tuple(key for key in (self.key, *hidden) if key)

    @property
    def official(self) -> bool:
        """True for OpenAI's own service, which refuses fields that other servers know."""
        return urlsplit(self.url).hostname == urlsplit(OFFICIAL).hostname

    @property
    def key(self) -> str | None:
        """The key of the environment, if there is one."""
        return next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
