"""One cache for what is expensive to compute and large: least recently used out, within bytes.

`cachetools.LRUCache` measures a value once, when it comes in, and refuses one that is larger than
the whole cache. What is kept here grows while it is kept (a view that was asked again), and the
newest value must stay even where it alone is over the budget.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ByteCache(Generic[Key, Value]):
    """Values by key within a budget of bytes. Safe to share between threads.

    >>> cache = ByteCache[str, bytes](5, size_of=len)
    >>> cache.put("a", b"123"), cache.put("b", b"456")
    (None, None)
    >>> cache.get("a"), cache.get("b"), cache.size_bytes
    (None, b'456', 3)
    """

    def __init__(
        self,
        budget_bytes: int,
        size_of: Callable[[Value], int],
        max_entries: int | None = None,
    ) -> None:
        """
        Args:
            budget_bytes: how much all values may hold together; it may be changed at any time.
            size_of: bytes that a value holds now.
            max_entries: how many values at most; None: any number.
        """
        self.budget_bytes = budget_bytes
        self.max_entries = max_entries
        self._size_of = size_of
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return a value, which becomes the most recently used; None when it is not here."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value; the least recently used ones go until the rest fits."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            self._evict()

    def get_or_compute(self, key: Key, compute: Callable[[], Value]) -> Value:
        """Return a value, computed where it is not here; outside the lock, so perhaps twice."""
        value = self.get(key)
        if value is None:
            value = compute()
            self.put(key, value)
        return value

    def _evict(self) -> None:
        sizes = {key: self._size_of(value) for key, value in self._values.items()}
        total = sum(sizes.values())
        while len(self._values) > 1 and (
            total > self.budget_bytes
            or (self.max_entries is not None and len(self._values) > self.max_entries)
        ):
            key, _ = self._values.popitem(last=False)
            total -= sizes[key]

    def remove(self, key: Key) -> None:
        """Drop a value, where it is here."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()

    @property
    def size_bytes(self) -> int:
        """Bytes that all values hold together."""
        with self._lock:
            return sum(map(self._size_of, self._values.values()))

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values
