"""What a network needs of a picture, computed ahead by other threads while the network works."""

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from segue.values.image import Image

Input = TypeVar("Input")


class PreparedInputs(Generic[Input]):
    """Inputs by picture, each for as long as its picture lives.

    >>> import numpy as np
    >>> sizes = PreparedInputs(lambda image: print("computed") or image.size)
    >>> picture = Image(np.zeros((2, 3, 3), np.uint8))
    >>> sizes.prepare(picture)
    computed
    >>> sizes.get(picture)
    Size(height=2, width=3)
    """

    def __init__(self, compute: Callable[[Image], Input]) -> None:
        """
        Args:
            compute: returns the input for a picture; called in any thread.
        """
        self._compute = compute
        self._values: dict[int, tuple[weakref.ref[Image], Input]] = {}

    def prepare(self, image: Image) -> None:
        """Compute the input of a picture, for `get`."""
        key = id(image)
        reference = weakref.ref(image, lambda _: self._values.pop(key, None))
        self._values[key] = (reference, self._compute(image))

    def get(self, image: Image) -> Input:
        """Return the input of a picture, computed now where it was not prepared."""
        entry = self._values.get(id(image))
        if entry is not None and entry[0]() is image:
            return entry[1]
        return self._compute(image)
