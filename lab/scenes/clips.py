"""Drawn clips: sprites that move, grow and pass behind one another, with the truth of every pixel.

`draw_clip(rng, bank)` plans one; frames are drawn when they are asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import pi, sin

import numpy as np
from numpy.typing import NDArray

from lab.scenes import backgrounds
from lab.scenes.scene import SpritePlacement, as_seen
from lab.scenes.sprites import Sprite, SpriteBank
from lab.scenes.vocabulary import nouns

HEIGHT, WIDTH = 240, 320
N_FRAMES = 60


@dataclass(frozen=True)
class SpritePath:
    """How a sprite moves: straight from `start` to `end` (x, y), swaying, growing and turning.

    `sides` are its longest side on the first and last frame, in pixels; `sway` how far it swings
    across its way, in pixels; `angles` are degrees on the first and last frame.
    """

    sprite: Sprite
    start: tuple[float, float]
    end: tuple[float, float]
    sides: tuple[float, float]
    sway: float = 0.0
    angles: tuple[float, float] = (0.0, 0.0)

    def at(self, part: float) -> SpritePlacement:
        """Return where it is when `part` of the clip, in [0, 1], is over."""
        x = self.start[0] + part * (self.end[0] - self.start[0])
        y = self.start[1] + part * (self.end[1] - self.start[1]) + self.sway * sin(2 * pi * part)
        side = self.sides[0] * (self.sides[1] / self.sides[0]) ** part
        angle = self.angles[0] + part * (self.angles[1] - self.angles[0])
        return SpritePlacement(self.sprite, (x, y), side, angle)


@dataclass(frozen=True)
class DrawnClip:
    """A clip: what moves in it, from back to front, over a still background (H, W, 3) float32."""

    background: NDArray[np.float32]
    paths: tuple[SpritePath, ...]
    n_frames: int = N_FRAMES

    @property
    def names(self) -> tuple[str, ...]:
        """What each sprite is called in English."""
        return tuple(nouns()[path.sprite.noun].english for path in self.paths)

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int8]]]:
        """Yield each frame, (H, W, 3) uint8, and its labels, (H, W) int8.

        A label is the index of the path that is seen at the pixel, -1 for the background.
        """
        for number in range(self.n_frames):
            part = number / max(self.n_frames - 1, 1)
            yield self._draw([path.at(part) for path in self.paths])

    def _draw(
        self, placements: Sequence[SpritePlacement]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
        picture = self.background.copy()
        size = picture.shape[:2]
        labels = np.full(size, -1, np.int8)
        for number, placement in enumerate(placements):
            seen = as_seen(placement, (size[0], size[1]), 3)
            if seen is None:
                continue
            patch, rows, columns = seen
            alpha = patch[..., 3:] / 255
            picture[rows, columns] = picture[rows, columns] * (1 - alpha) + patch[..., :3]
            labels[rows, columns][alpha[..., 0] > 0.5] = number
        return np.clip(picture, 0, 255).astype(np.uint8), labels


def draw_clip(rng: np.random.Generator, bank: SpriteBank, n_frames: int = N_FRAMES) -> DrawnClip:
    """Plan a clip of three nouns: one crosses behind another one, the third goes its own way.

    All are wholly visible on the first frame; the same `rng` state gives the same clip.
    """
    style = bank.styles[int(rng.integers(len(bank.styles)))]
    known = [noun for noun in range(len(nouns())) if bank.of(noun, style)]
    sprites = [bank.of(int(noun), style)[0] for noun in rng.choice(known, 3, replace=False)]
    background = backgrounds.paint(rng, backgrounds.choose(rng), HEIGHT, WIDTH)
    low, high = 0.42 * HEIGHT, 0.72 * HEIGHT
    level = rng.uniform(low, high)

    def sides(first: float) -> tuple[float, float]:
        return first, first * rng.uniform(0.75, 1.35)

    behind, front, other = sprites
    crossing = SpritePath(
        behind, (0.14 * WIDTH, level), (0.86 * WIDTH, level + rng.uniform(-15, 15)),
        sides(rng.uniform(55, 75)), rng.uniform(-8, 8), (0.0, rng.uniform(-15, 15)),
    )  # fmt: skip
    middle = rng.uniform(0.42, 0.58) * WIDTH
    slow = SpritePath(
        front, (middle, level + rng.uniform(-12, 12)), (middle + rng.uniform(-30, 30), level),
        sides(rng.uniform(60, 90)), 0.0, (0.0, rng.uniform(-10, 10)),
    )  # fmt: skip
    top = rng.uniform(0.12, 0.2) * HEIGHT
    free = SpritePath(
        other, (rng.uniform(0.75, 0.88) * WIDTH, top),
        (rng.uniform(0.12, 0.3) * WIDTH, top + rng.uniform(-4, 10)),
        sides(rng.uniform(38, 48)), rng.uniform(-6, 6), (0.0, rng.uniform(-20, 20)),
    )  # fmt: skip
    return DrawnClip(background, (free, crossing, slow), n_frames)
