"""Who may come in, and how much they may bring: decided before anything is parsed.

In this order: the Host header (so that a stranger's name for this machine is of no use), the key or
the session token, the origin of requests that come from a browser, the rate, and then the body.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.server.http.bodies import METHODS_WITH_BODY, STREAMED, BodyReader
from segue.server.http.connections import AUTHENTICATED
from segue.server.http.errors import ApiError
from segue.server.http.keys import ApiKeys, SessionTokens, presented_key, session_cookie
from segue.server.http.rates import FailedKeyLimiter, RateLimiter
from segue.server.settings import Settings

PUBLIC_PATHS = ("/", "/video", "/healthz", "/readyz", "/favicon.ico", "/v1/login")
"""Addresses that need no key; everything under `/page/` needs none either."""
LABEL_STUDIO = "/label-studio/"
"""Under this address the key may also be the password of basic authentication."""
CLEANUPS = "segue.at_end"
"""In a request's scope: what to call when it is done, however it ends."""


FAILED_KEYS = "segue.failed_keys"
"""Where the limiter of failed keys is in the scope of a request."""


class AccessMiddleware:
    """Middleware before all routes. `scope["state"]["owner"]` says who came in."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.keys = ApiKeys(settings.keys)
        self.rate = RateLimiter(settings.requests_per_minute)
        self.failed_keys = FailedKeyLimiter()
        self.bodies = BodyReader(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_public = is_public_path(scope["path"])
        send = _add_nosniff(send)
        scope[FAILED_KEYS] = self.failed_keys
        try:
            await self._authorize(scope, Headers(scope=scope), is_public)
            if (scope["method"], scope["path"]) == STREAMED:
                receive, body = await self.bodies.stream(scope, receive), b""
            else:
                body = await self.bodies.read(scope, receive, is_public=is_public)
                receive = _replay_body(body, receive)
        except ApiError as problem:
            await problem.response()(scope, receive, send)
            return
        cleanups: list[Callable[[], None]] = scope.setdefault(CLEANUPS, [])
        try:
            await self.app(scope, receive, send)
        finally:
            self.bodies.release(body, is_public=is_public)
            for call in cleanups:
                call()

    async def _authorize(self, scope: Scope, headers: Headers, is_public: bool) -> None:
        self._check_host(headers.get("host", ""))
        path, method = scope["path"], scope["method"]
        bearer = presented_key(
            headers.get("authorization", ""), basic=path.startswith(LABEL_STUDIO)
        )
        token = None if bearer is not None else session_cookie(scope, headers)
        if method in METHODS_WITH_BODY and (bearer is None or not self.keys.required):
            self._check_origin(headers)
        if is_public or method == "OPTIONS":
            scope.setdefault("state", {})["owner"] = None
            return
        owner = self._owner(scope, bearer, token)
        scope.setdefault("state", {})["owner"] = owner
        if owner is None:
            if bearer is not None:
                await self.failed_keys.record_failure(client_address(scope))
            if bearer:
                raise ApiError(
                    401,
                    "invalid_api_key",
                    "This key is not known to the server. Its keys are those it was given, or the "
                    "one in the file 'key' of its data folder.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            raise ApiError(
                401,
                "invalid_api_key",
                "A key is needed: send 'Authorization: Bearer KEY'. The server keeps one in the "
                "file 'key' of its data folder, unless others were given to it.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        scope[AUTHENTICATED] = True
        if wait := self.rate.take(owner):
            raise ApiError(
                429,
                "rate_limit_exceeded",
                f"More than {self.rate.per_minute} requests a minute came with this key.",
                headers={"Retry-After": str(int(wait) + 1)},
            )

    def _owner(self, scope: Scope, bearer: str | None, token: str | None) -> str | None:
        if not self.keys.required:
            return self.keys.owner(None)
        if bearer is not None:
            self.failed_keys.check(client_address(scope))
            return self.keys.owner(bearer)
        tokens = session_tokens_of(scope)
        return tokens.owner(token) if tokens is not None else None

    def _check_host(self, host: str) -> None:
        allowed_hosts = self.settings.hosts
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if allowed_hosts and name.lower() not in allowed_hosts:
            raise ApiError(
                403,
                "wrong_host",
                f"This server does not answer for the host {name[:80]!r}. Call it by one of: "
                f"{', '.join(allowed_hosts)}; or start it with --allowed-host.",
            )

    def _check_origin(self, headers: Headers) -> None:
        """Refuse pages of other sites, which act with the cookie that a browser sends along."""
        origin = headers.get("origin") or _origin_of(headers.get("referer"))
        if origin is None and headers.get("sec-fetch-site") in (None, "same-origin", "none"):
            return
        is_same_origin = origin is not None and urlsplit(origin).netloc == headers.get("host")
        if not is_same_origin and origin not in self.settings.cors_origins:
            raise ApiError(
                403, "wrong_origin", f"Requests from pages of {str(origin)[:80]!r} are refused."
            )


def is_public_path(path: str) -> bool:
    """Whether an address needs no key."""
    return path in PUBLIC_PATHS or path.startswith("/page/")


def client_address(scope: Scope) -> str:
    """Return the address a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def session_tokens_of(scope: Scope) -> SessionTokens | None:
    """Return the logins of the server that a request came to; None before it has started."""
    app: Any = scope.get("app")
    services = getattr(getattr(app, "state", None), "services", None)
    tokens: SessionTokens | None = getattr(services, "tokens", None)
    return tokens


def _origin_of(referer: str | None) -> str | None:
    if not referer:
        return None
    parts = urlsplit(referer)
    return f"{parts.scheme}://{parts.netloc}"


def _add_nosniff(send: Send) -> Send:
    """Answers are what their type says, whatever they look like."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
        await send(message)

    return wrapped


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once, and then what really comes (a disconnect)."""
    is_replayed = False

    async def receive_body_first() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body_first
