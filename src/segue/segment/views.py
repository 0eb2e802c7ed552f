"""A cache of encoded pictures: by content, least recently used first out, within a byte budget."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from segue.segment import View
from segue.values.image import Image


class Views:
    """Views of recent pictures. Safe to share between threads."""

    def __init__(self, budget_bytes: int = 512 * 2**20) -> None:
        self.budget_bytes = budget_bytes
        self._views: OrderedDict[str, View] = OrderedDict()
        self._lock = Lock()

    def of(self, image: Image, look: Callable[[Image], View]) -> View:
        """The view of `image`; `look` makes it when it is not here.

        The newest view is kept even if it alone is over the budget.
        """
        with self._lock:
            if image.digest in self._views:
                self._views.move_to_end(image.digest)
                return self._views[image.digest]
        view = look(image)
        with self._lock:
            self._views[image.digest] = view
            while len(self._views) > 1 and self.size_bytes > self.budget_bytes:
                self._views.popitem(last=False)
        return view

    @property
    def size_bytes(self) -> int:
        """What all views hold together."""
        return sum(view.size_bytes for view in self._views.values())

    def __len__(self) -> int:
        return len(self._views)
