"""Scenes to learn from: an endless, seeded sequence of which the latest are shown again."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

Scene = TypeVar("Scene")


class ReplayPool(Generic[Scene]):
    """The latest scenes of an endless sequence: a scene is expensive, a new view of it is cheap.

    Scene `i` depends on `key` and on `i` alone, so that a resumed run draws its pool again and
    resumes exactly.

    >>> pool = ReplayPool(lambda rng: int(rng.integers(100)), (1,), size=3, fresh=0.5)
    >>> latest = [pool.advance() for _ in range(5)][-3:]
    >>> restored = ReplayPool(pool.draw, (1,), size=3, fresh=0.5)
    >>> restored.load_state_dict(pool.state_dict())
    >>> list(restored.scenes) == latest
    True
    """

    min_scenes = 8
    """Scenes that must be there before any is shown again."""

    def __init__(
        self,
        draw: Callable[[np.random.Generator], Scene],
        key: tuple[int, ...],
        size: int,
        fresh: float,
    ) -> None:
        """Make an empty pool.

        Args:
            draw: draws a scene.
            key: seeds the sequence.
            size: how many of the latest scenes are kept.
            fresh: the share of new scenes among those that `take` returns.
        """
        self.draw, self.key, self.fresh = draw, key, fresh
        self.scenes: deque[Scene] = deque(maxlen=size)
        self.drawn = 0

    def advance(self) -> Scene:
        """Draw the next scene of the sequence."""
        self.scenes.append(self.draw(np.random.default_rng([*self.key, self.drawn])))
        self.drawn += 1
        return self.scenes[-1]

    def take(self, rng: np.random.Generator) -> Scene:
        """Return a new scene, or one of the latest."""
        if len(self.scenes) < self.min_scenes or rng.random() < self.fresh:
            return self.advance()
        return self.scenes[int(rng.integers(len(self.scenes)))]

    def branch(self, number: int) -> None:
        """Turn to another sequence, one for each number."""
        self.key, self.drawn = (*self.key, number), 0
        self.scenes.clear()

    def state_dict(self) -> int:
        """Return how many scenes have been drawn."""
        return self.drawn

    def load_state_dict(self, state: int) -> None:
        """Draw the pool again as it was after so many scenes."""
        self.scenes.clear()
        self.drawn = max(0, state - (self.scenes.maxlen or 0))
        while self.drawn < state:
            self.advance()
