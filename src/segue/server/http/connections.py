"""Connections: how many there may be, and how long one may say nothing.

A connection costs memory and a place before it has shown a key. So a place is lent: a request must
be there whole within seconds, who does not read the answer is cut off, and when all places are
taken the connection that has been idle longest makes room, first among those of the address that
has most. A request without a key counts as idle. A newcomer is turned away only when all others
are being answered.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from h11 import CLIENT, IDLE, SERVER, Connection
from uvicorn.protocols.http.h11_impl import H11Protocol

AUTHENTICATED = "segue.admitted"
"""In a request's scope: whether it came with a key."""


@dataclass
class Connections:
    """All connections of a server, and their bounds; for one event loop."""

    max_connections: int = 512
    """Connections at the same time."""
    max_per_address: int = 256
    """Of them, from one address. (Behind a proxy, and on loopback, everybody has one address.)"""
    head_timeout_s: float = 15.0
    """So long a request's head may take, from the connection or from the first byte."""
    unread_timeout_s: float = 60.0
    """So long a client may leave an answer unread."""
    closed: Counter[str] = field(default_factory=Counter)
    """How many were closed, by reason: "head", "unread", "idle", "full"."""
    _open: dict["BoundedProtocol", str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._open)

    def add(self, connection: "BoundedProtocol", address: str) -> bool:
        """Give a new connection a place; False when there is none."""
        self._open[connection] = address
        is_crowded = (
            sum(open_address == address for open_address in self._open.values())
            > self.max_per_address
        )
        if is_crowded or len(self._open) > self.max_connections:
            return self._make_room(connection, address if is_crowded else self._busiest())
        return True

    def remove(self, connection: "BoundedProtocol") -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)

    def _busiest(self) -> str:
        return Counter(self._open.values()).most_common(1)[0][0]

    def _make_room(self, newcomer: "BoundedProtocol", address: str) -> bool:
        """Close the connection of an address that has been idle longest."""
        for other, place in self._open.items():  # in the order in which they became idle
            if place == address and other is not newcomer and other.can_be_evicted:
                self.closed["idle"] += 1
                self.remove(other)
                other.transport.abort()
                return True
        self.closed["full"] += 1
        self.remove(newcomer)
        return False

    def mark_idle(self, connection: "BoundedProtocol") -> None:
        """Its request is done: others have been idle longer."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)


def protocol_for(connections: Connections) -> type[asyncio.Protocol]:
    """Return the protocol of a server, for uvicorn's `http`."""
    return type("BoundedProtocol", (BoundedProtocol,), {"registry": connections})


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, within the bounds of `Connections`."""

    registry = Connections()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._is_rejected = False

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def can_be_evicted(self) -> bool:
        """Whether it may be closed for another: nobody with a key is being answered."""
        return self.is_idle or not self.scope.get(AUTHENTICATED, False)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or say that there is none."""
        super().connection_made(transport)
        if self.registry.add(self, self.client[0] if self.client else ""):
            self._watch_head()
            return
        self._is_rejected = True
        body = json.dumps(
            {"error": {"message": "Too many connections. Try again in a moment.",
                       "type": "server_error", "param": None, "code": "queue_full"}}
        ).encode()  # fmt: skip
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
        )
        transport.write(head.encode() + body)
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass data on; a head that has begun must end in time."""
        if self._is_rejected:
            return
        super().data_received(data)
        if not self.is_idle:
            self._forget(head=True)
        elif self._head_timer is None and not _is_between(self.conn):
            self._watch_head()

    def on_response_complete(self) -> None:
        """From now on it is idle, and uvicorn's own time for the next request runs."""
        self._forget(head=True)
        self.registry.mark_idle(self)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._forget(head=True, unread=True)
        self.registry.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a while: the client does not read."""
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_timer = self.loop.call_later(
                self.registry.unread_timeout_s, self._give_up, "unread"
            )

    def resume_writing(self) -> None:
        """Stop waiting: the client reads again."""
        self._forget(unread=True)
        super().resume_writing()

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(self.registry.head_timeout_s, self._give_up, "head")

    def _give_up(self, reason: str) -> None:
        if self.transport.is_closing() and reason == "head":
            return
        self.registry.closed[reason] += 1
        self.transport.abort()

    def _forget(self, *, head: bool = False, unread: bool = False) -> None:
        if head and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if unread and self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


def _is_between(connection: Connection) -> bool:
    """Whether nothing of a next request has come yet."""
    idle = connection.states[CLIENT] is IDLE and connection.states[SERVER] is IDLE
    return idle and not connection.trailing_data[0]
