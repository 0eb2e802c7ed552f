"""Which model at which address, and with which key."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from segue.errors import InputError

OFFICIAL = "https://api.openai.com/v1"
KEYS = ("SEGUE_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first that is set counts."""


@dataclass(frozen=True, slots=True)
class Address:
    """One model of one endpoint."""

    model: str
    url: str
    """Up to and with "/v1"; without key."""

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
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fine = False
        if not fine or "@http" in url or "@" in parts.netloc:
            raise InputError(
                f"An endpoint must be MODEL@http://host:port/v1, got {text!r}. "
                f"A key goes into the environment variable {KEYS[0]}."
            )
        if not model.strip() or "://" in model:
            raise InputError(
                f"An endpoint must be MODEL@http://host:port/v1, got {text!r} without a model."
            )
        return cls(model.strip(), url.rstrip("/"))

    @property
    def official(self) -> bool:
        """True for OpenAI's own service, which refuses fields that other servers know."""
        return urlsplit(self.url).hostname == urlsplit(OFFICIAL).hostname

    @property
    def key(self) -> str | None:
        """The key of the environment, if there is one."""
        return next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
