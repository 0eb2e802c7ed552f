"""How often somebody may ask, and how often somebody may be wrong."""

import asyncio
import ipaddress
from collections import OrderedDict
from time import monotonic

from segue.server.http.errors import ApiError

_REMEMBERED = 4096


class RateLimiter:
    """So many requests a minute for each owner; bursts up to that number."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, owner: str) -> float:
        """Count one request; the seconds to wait when there were too many, else 0."""
        if self.per_minute <= 0:
            return 0.0
        now = monotonic()
        tokens, last_time = self._left.get(owner, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + (now - last_time) * self.per_minute / 60)
        is_allowed = tokens >= 1
        self._left[owner] = (tokens - 1 if is_allowed else tokens, now)
        self._left.move_to_end(owner)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if is_allowed else (1 - tokens) * 60 / self.per_minute


class FailedKeyLimiter:
    """Wrong keys by address: after a few, answers take their time; after more, none is looked at.

    On the machine itself everybody has the same address. There a right key is looked at whatever
    happened before, so that nobody can lock out the others.
    """

    FREE_FAILURES = 10
    """Wrong keys of an address in a minute that are answered at once."""
    MAX_FAILURES = 30
    """Beyond this many the answer is 429 until the minute is over."""
    SLOW_S = 0.5
    """How long the answers between the two take."""

    def __init__(self, seconds: float = 60.0, slow_s: float = SLOW_S) -> None:
        self._seconds, self._slow_s = seconds, slow_s
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, end of its time

    def check(self, address: str) -> None:
        """To be called before a key is looked at.

        Raises:
            ApiError: 429, too many wrong ones came from there.
        """
        if not _is_own(address):
            self._refuse(address)

    async def record_failure(self, address: str) -> None:
        """Count a wrong key, and wait as long as its answer shall take.

        Raises:
            ApiError: 429, there were too many.
        """
        place, now = _place(address), monotonic()
        count, ends = self._wrong.get(place, (0, now + self._seconds))
        if ends <= now:
            count, ends = 0, now + self._seconds
        self._wrong[place] = (count + 1, ends)
        self._wrong.move_to_end(place)
        while len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        self._refuse(address)
        if count + 1 > self.FREE_FAILURES:
            await asyncio.sleep(self._slow_s)

    def _refuse(self, address: str) -> None:
        count, ends = self._wrong.get(_place(address), (0, 0.0))
        seconds_left = ends - monotonic()
        if count > self.MAX_FAILURES and seconds_left > 0:
            raise ApiError(
                429,
                "rate_limit_exceeded",
                "Too many wrong keys came from this address. Wait, and check the key.",
                headers={"Retry-After": str(int(seconds_left) + 1)},
            )


def _place(address: str) -> str:
    """Return what counts as one address: of IPv6 the first half, which one subscriber has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _is_own(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
