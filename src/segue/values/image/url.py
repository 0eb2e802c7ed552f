"""Bytes behind `data:` and http(s) URLs, for people and servers that open pictures by address.

A server that fetches what strangers name must not become their way into its own network. So:
- each hop's host is resolved once, every address must be a public one (private, loopback,
  link-local, cloud metadata, multicast and reserved ones are refused, IPv6 forms of them too), and
  the connection goes to the very address that was checked: a second lookup cannot swap it;
- redirects, bytes and total seconds are bounded; only http and https; no user:password in a URL;
- proxies of the environment are not used, for then the proxy, not we, would resolve the name.

Standard library only.
"""

import base64
import binascii
import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urljoin, urlsplit

from segue.errors import InputError
from segue.values.image.pixels import Limits

Resolve = Callable[[str, int], str]
"""(host, port) -> an IP address to connect to, or InputError."""

_PIECE = 2**16
_REDIRECTS = {301, 302, 303, 307, 308}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24"),
            *("192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
            *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
        ),
    )
)
"""What the registries set aside for something else than hosts of the public internet, anycast
relays and tunnels included. Python's own properties differ from version to version.

Source: IANA's IPv4 and IPv6 Special-Purpose Address Registries, and RFC 7526 (192.88.99.0/24)."""


def read_data(source: str, limits: Limits) -> bytes:
    """Read the bytes of a `data:` URL, base64 or percent-encoded.

    Raises:
        InputError: it has no comma, or is not valid base64, or is too long.
    """
    head, comma, body = source.partition(",")
    if not comma:
        raise InputError(f"A data: URL needs a comma before its content, got {short(source)}.")
    if len(body) > 4 * limits.max_bytes:
        raise InputError(f"The data: URL is longer than {limits.max_bytes} bytes.")
    content = _decode_percent(body)
    if not head.lower().endswith(";base64"):
        return content
    try:
        return base64.b64decode(content.translate(None, b" \t\r\n\f\v"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"The data: URL is not valid base64 ({error}).") from error


def _decode_percent(body: str) -> bytes:
    """Take percent-encoding off, piece by piece: at once it takes fifty times the text's memory."""
    if "%" not in body:
        return body.encode("utf-8", "replace")
    parts, start = bytearray(), 0
    while start < len(body):
        end = min(start + _PIECE, len(body))
        escape_start = body.rfind("%", max(start, end - 2), end)  # no code across two pieces
        end = escape_start if escape_start > start and end < len(body) else end
        parts += unquote_to_bytes(body[start:end])
        start = end
    return bytes(parts)


def fetch(
    source: str,
    limits: Limits,
    resolve: Resolve | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """GET an http(s) URL.

    Args:
        source: the URL.
        limits: bounds on bytes, seconds and redirects.
        resolve: how names become addresses; by default `public_address`, which is what protects.
        headers: sent to the host of `source` in its scheme, and to no other that it redirects to.

    Raises:
        InputError: refused, unreachable, too slow, too large, or answered with an error.
    """
    deadline = monotonic() + limits.timeout_s
    address, first = source, _checked(source)[:2]
    for _ in range(limits.max_redirects + 1):
        parts = _checked(address)
        try:
            secret = (headers or {}) if parts[:2] == first else {}
            answer = _get(parts, limits, deadline, resolve or public_address, secret)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, InputError):
                raise
            slow = isinstance(error, TimeoutError) or monotonic() >= deadline
            reason = f"no answer within {limits.timeout_s:g} s" if slow else str(error)
            raise InputError(
                f"Cannot fetch {short(address)}: {reason or type(error).__name__}. "
                "Check the address, or download the file first."
            ) from error
        if isinstance(answer, bytes):
            return answer
        address = urljoin(address, answer)
    raise InputError(
        f"{short(source)} redirects more than {limits.max_redirects} times. Give its final address."
    )


def public_address(host: str, port: int) -> str:
    """Resolve a name and return an address, if every one it has is public.

    Raises:
        InputError: it does not resolve, or one of its addresses is not public.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"There is no host named {host!r}. Check the address.") from error
    addresses = [str(entry[4][0]) for entry in entries]
    for address in addresses:
        if not is_public(address):
            raise InputError(
                f"{host!r} is not on the public internet ({address}), so nothing is fetched from "
                "it. Download the file yourself and give its path."
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address, v4 or v6 in any disguise, belongs to the public internet.

    >>> is_public("93.184.216.34"), is_public("::ffff:10.0.0.1"), is_public("169.254.169.254")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    special = any(ip in network for network in _SPECIAL if network.version == ip.version)
    return ip.is_global and not special and not ip.is_multicast and not ip.is_reserved


def short(source: str) -> str:
    """Return a URL for an error message: no query, no password, not endless."""
    if source[:5].lower() == "data:":
        return repr(source[:32] + "…")
    without_query = source.partition("?")[0].partition("#")[0]
    scheme, mark, host_and_path = without_query.partition("://")
    host, slash, path = host_and_path.partition("/")
    return repr((scheme + mark + host.rpartition("@")[2] + slash + path)[:200])


def file_name(source: str) -> str:
    """Return the last part of a URL's path, or its host."""
    parts = urlsplit(source)
    last = unquote(parts.path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return last or parts.hostname or ""


def _checked(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError as error:
        raise InputError(f"{short(address)} is not a valid URL ({error}).") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_number:
        raise InputError(f"Only http and https URLs are fetched, got {short(address)}.")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"URLs with a user name or password are not fetched: {short(address)}.")
    return parts


def _get(
    parts: SplitResult,
    limits: Limits,
    deadline: float,
    resolve: Resolve,
    headers: Mapping[str, str],
) -> bytes | str:
    """One hop: the body, or where a redirect points."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    ip = resolve(host, port)
    seconds_left = deadline - monotonic()
    if seconds_left <= 0:
        raise TimeoutError
    link = _Connection(host, port, ip, seconds_left, parts.scheme == "https")
    # A server that sends a byte now and then never runs into a socket's timeout: cut the line.
    alarm = threading.Timer(seconds_left, link.cut)
    alarm.daemon = True
    alarm.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        link.request(
            "GET",
            _quoted(target),
            headers={
                "User-Agent": "segue",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                **headers,
            },
        )
        answer = link.getresponse()
        place = answer.getheader("Location")
        if answer.status in _REDIRECTS and place:
            return place
        if answer.status != 200:
            raise InputError(
                f"{short(parts.geturl())} answered {answer.status} {answer.reason}, not a picture. "
                "Check the address."
            )
        return _body(answer, limits, deadline, short(parts.geturl()))
    finally:
        alarm.cancel()
        link.close()


def _body(answer: http.client.HTTPResponse, limits: Limits, deadline: float, what: str) -> bytes:
    claimed = answer.length or 0
    chunks, total = [], 0
    while claimed <= limits.max_bytes and total <= limits.max_bytes:
        chunk = answer.read(65536)
        if monotonic() >= deadline:
            raise TimeoutError
        if not chunk:
            break
        chunks.append(chunk)
        total += len(chunk)
    if max(claimed, total) > limits.max_bytes:
        raise InputError(f"{what} sends more than {limits.max_bytes} bytes, nothing was read.")
    if claimed and total < claimed:
        raise InputError(f"{what} broke off after {total} of {claimed} bytes. Try again.")
    return b"".join(chunks)


def _quoted(target: str) -> str:
    """Percent-encode what may not stand in a request line; leave what is encoded already."""
    return "".join(
        c if "!" <= c <= "~" else "".join(f"%{byte:02X}" for byte in c.encode()) for c in target
    )


class _Connection(http.client.HTTPConnection):
    """HTTP(S) to one given address; the host's name serves the Host header and the TLS check."""

    def __init__(self, host: str, port: int, ip: str, timeout: float, tls: bool) -> None:
        super().__init__(host, port, timeout=timeout)
        if tls:
            self.default_port = 443
        self._ip, self._tls = ip, tls
        # Kept beside `sock`, which http.client forgets once the answer's body begins.
        self._line: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self._line = socket.create_connection((self._ip, self.port), self.timeout)
        if self._tls:
            secure = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock = self._line = secure
            secure.do_handshake()

    def cut(self) -> None:
        """End a transfer from another thread."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                # Not the TLS way of closing, which would wait for the other side.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)
