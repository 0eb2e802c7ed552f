"""API keys, and the session tokens that browsers get in exchange for one."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

from segue.server.conversations.store import ConversationStore

LOCAL_OWNER = "local"
"""Who owns what is made on a server without keys."""
TOKEN_SECONDS = 7 * 24 * 3600
"""How long a browser stays logged in."""
TOKENS_OF_OWNER = 50
"""Browsers of one owner that are logged in; the oldest login ends when there are more."""
COOKIE_PATH = "/v1"
"""Other servers of this machine get the cookie for no other address than this."""


def owner_of(key: str) -> str:
    """Return a name for the holder of a key, from which the key cannot be derived."""
    return hashlib.sha256(b"segue owner\0" + key.encode()).hexdigest()[:32]


class ApiKeys:
    """The keys of a server, compared in constant time."""

    def __init__(
        self, keys: tuple[str, ...], equal: Callable[[bytes, bytes], bool] = hmac.compare_digest
    ) -> None:
        self._equal = equal
        self._digests = [(hashlib.sha256(key.encode()).digest(), owner_of(key)) for key in keys]

    @property
    def required(self) -> bool:
        return bool(self._digests)

    @property
    def owners(self) -> frozenset[str]:
        """Whose keys they are."""
        return frozenset(owner for _, owner in self._digests)

    def owner(self, presented: str | None) -> str | None:
        """Return whose key it is; None when it is nobody's. Every key is compared, to the end."""
        if not self.required:
            return LOCAL_OWNER
        presented_digest = hashlib.sha256(
            (presented or "").encode("utf-8", "surrogatepass")
        ).digest()
        matching_owner = None
        for digest, owner in self._digests:
            if self._equal(presented_digest, digest):
                matching_owner = owner
        return matching_owner if presented else None


class SessionTokens:
    """Logins of browsers: random tokens, of which the store keeps the digests.

    A token is worth nothing to another server, cannot be turned into the key, ends by itself after
    a week, and is revoked by logging out.
    """

    def __init__(self, store: ConversationStore, owners: frozenset[str]) -> None:
        """
        Args:
            store: where they are kept.
            owners: of the keys that this server knows; tokens of others are void.
        """
        self._store, self._owners = store, owners

    def issue(self, owner: str) -> str:
        """Issue a new token, valid for `TOKEN_SECONDS`."""
        token = secrets.token_urlsafe(32)
        self._store.add_token(_digest(token), owner, time.time() + TOKEN_SECONDS, TOKENS_OF_OWNER)
        return token

    def owner(self, token: str | None) -> str | None:
        """Whose token it is; None when it is nobody's, was revoked, or is too old."""
        if not token:
            return None
        owner = self._store.token_owner(_digest(token), time.time())
        return owner if owner in self._owners else None

    def revoke(self, token: str) -> None:
        """End one login."""
        self._store.remove_token(_digest(token))

    def revoke_all(self, owner: str) -> None:
        """End all logins of an owner."""
        self._store.remove_tokens(owner)


def cookie_name(scope: Scope) -> str:
    """Name the session cookie of the server on this port: browsers send cookies to every port."""
    server = scope.get("server") or (None, None)
    return f"segue_session_{server[1] or 'local'}"


def session_cookie(scope: Scope, headers: Headers) -> str | None:
    """Return the session token that came as a cookie."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    name = cookie_name(scope)
    return jar[name].value if name in jar else None


def presented_key(value: str, *, basic: bool) -> str | None:
    """Return the key of an Authorization header; with `basic` a password is one too."""
    scheme, _, key = value.partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if basic and scheme.lower() == "basic":
        try:
            return base64.b64decode(key.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return None


def _digest(token: str) -> str:
    return hashlib.sha256(b"segue session\0" + token.encode("utf-8", "replace")).hexdigest()
