"""Who may come in, and how much they may bring: decided before anything is parsed.

In this order: the Host header (so that a stranger's name for this machine is of no use), the key,
the origin of requests that come with a cookie, the rate, and then the body, which is read whole
within bounds of length and time before a handler sees it.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.server.problem import Problem
from segue.server.settings import Settings

COOKIE = "segue_key"
OPEN_PATHS = ("/", "/healthz", "/readyz", "/favicon.ico", "/v1/login")
"""Addresses that need no key; everything under `/page/` needs none either."""
LABEL_STUDIO = "/label-studio/"
"""Under this address the key may also be the password of basic authentication."""
NOBODY = "local"
"""Who owns what is made on a server without keys."""

AT_END = "segue.at_end"
"""In a request's scope: what to call when it is done, however it ends."""

_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
_OWNERS_REMEMBERED = 1024


def owner_of(key: str) -> str:
    """A name for the holder of a key, from which the key cannot be told."""
    return hashlib.sha256(b"segue owner\0" + key.encode()).hexdigest()[:32]


class Keys:
    """The keys of a server, compared in constant time."""

    def __init__(
        self, keys: tuple[str, ...], equal: Callable[[bytes, bytes], bool] = hmac.compare_digest
    ) -> None:
        self._equal = equal
        self._digests = [(hashlib.sha256(key.encode()).digest(), owner_of(key)) for key in keys]

    @property
    def required(self) -> bool:
        return bool(self._digests)

    def owner(self, shown: str | None) -> str | None:
        """Whose key was shown; None when it is nobody's. Every key is compared, to the end."""
        if not self.required:
            return NOBODY
        given = hashlib.sha256((shown or "").encode("utf-8", "surrogatepass")).digest()
        found = None
        for digest, owner in self._digests:
            if self._equal(given, digest):
                found = owner
        return found if shown else None


class Rate:
    """So many requests a minute for each owner; bursts up to that number."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, owner: str) -> float:
        """Count one request; the seconds to wait when there were too many, else 0."""
        if self.per_minute <= 0:
            return 0.0
        now = monotonic()
        left, then = self._left.get(owner, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        allowed = left >= 1
        self._left[owner] = (left - 1 if allowed else left, now)
        self._left.move_to_end(owner)
        while len(self._left) > _OWNERS_REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute


class Gate:
    """Middleware before all routes. `scope["state"]["owner"]` says who came in."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.keys = Keys(settings.keys)
        self.rate = Rate(settings.requests_per_minute)
        self._held = 0  # bytes of all bodies that are in memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._let_in(scope, Headers(scope=scope))
            body = await self._body(scope, receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        at_end: list[Callable[[], None]] = scope.setdefault(AT_END, [])
        try:
            await self.app(scope, _replayed(body, receive), send)
        finally:
            self._held -= len(body)
            for call in at_end:
                call()

    def _let_in(self, scope: Scope, headers: Headers) -> None:
        self._check_host(headers.get("host", ""))
        path, method = scope["path"], scope["method"]
        bearer = _bearer(headers.get("authorization", ""), basic=path.startswith(LABEL_STUDIO))
        cookie = None if bearer is not None else _cookie(headers)
        owner = self.keys.owner(bearer if bearer is not None else cookie)
        by_browser = bearer is None or not self.keys.required
        if method in _CHANGING and by_browser:
            self._check_origin(headers)
        if path in OPEN_PATHS or path.startswith("/page/") or method == "OPTIONS":
            scope.setdefault("state", {})["owner"] = owner
            return
        if owner is None:
            raise Problem(
                401,
                "invalid_api_key",
                "A key is needed: send 'Authorization: Bearer KEY'. The server printed one when it "
                "was started, unless others were given to it.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        scope.setdefault("state", {})["owner"] = owner
        if wait := self.rate.take(owner):
            raise Problem(
                429,
                "rate_limit_exceeded",
                f"More than {self.rate.per_minute} requests a minute came with this key.",
                headers={"Retry-After": str(int(wait) + 1)},
            )

    def _check_host(self, host: str) -> None:
        known = self.settings.hosts
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if known and name.lower() not in known:
            raise Problem(
                403,
                "wrong_host",
                f"This server does not answer for the host {name[:80]!r}. Call it by one of: "
                f"{', '.join(known)}; or start it with --allowed-host.",
            )

    def _check_origin(self, headers: Headers) -> None:
        """A page of another site must not act with the cookie that a browser sends along."""
        origin = headers.get("origin")
        if origin is None and headers.get("sec-fetch-site") in (None, "same-origin", "none"):
            return
        same = origin is not None and urlsplit(origin).netloc == headers.get("host")
        if not same and origin not in self.settings.cors_origins:
            raise Problem(
                403, "wrong_origin", f"Requests from pages of {str(origin)[:80]!r} are refused."
            )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body; it counts as held until the request is done."""
        if scope["method"] not in _CHANGING:
            return b""
        limit = self.settings.max_body_bytes
        claimed = Headers(scope=scope).get("content-length", "0")
        if not claimed.isdecimal() or int(claimed) > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        length = 0
        try:
            async with asyncio.timeout(self.settings.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "invalid_value", "The request broke off.")
                    part = message.get("body", b"")
                    length += len(part)
                    if length > limit:
                        raise _too_large(limit)
                    if self._held + len(part) > 8 * limit:
                        raise Problem(
                            429,
                            "queue_full",
                            "Too many large requests at once. Try again in a moment.",
                            headers={"Retry-After": "2"},
                        )
                    self._held += len(part)
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except BaseException as error:
            self._held -= sum(map(len, parts))
            if isinstance(error, TimeoutError):
                raise Problem(408, "timeout", "The request took too long to arrive.") from error
            raise


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"A request may have {limit} bytes at most. Make the picture smaller, or send fewer.",
        headers={"Connection": "close"},
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then what really comes (the client's leaving)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _bearer(value: str, *, basic: bool) -> str | None:
    """The key of a header; where `basic` is allowed, the password is one too."""
    scheme, _, key = value.partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if basic and scheme.lower() == "basic":
        try:
            return base64.b64decode(key.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return None


def _cookie(headers: Headers) -> str | None:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None
