"""Colours and plain pictures that backgrounds begin with: palettes, blends, light."""

import numpy as np
from numpy.typing import NDArray

from lab.scenes.backgrounds import noise

Canvas = NDArray[np.uint8]
"""(H, W, 3) uint8."""

Colour = tuple[int, int, int]


def any_colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(low, high, 3))
    return red, green, blue


def near(rng: np.random.Generator, colour: Colour, spread: int) -> Colour:
    shifted = np.clip(np.array(colour) + rng.integers(-spread, spread + 1, 3), 0, 255)
    red, green, blue = (int(v) for v in shifted)
    return red, green, blue


def colour_set(rng: np.random.Generator, count: int) -> list[Colour]:
    """Choose colours that go together: near one another, or any."""
    first, spread = any_colour(rng), int(rng.choice([25, 60, 255]))
    return [near(rng, first, spread) for _ in range(count)]


def ramp(first: Colour, second: Colour, count: int) -> list[Colour]:
    steps = np.linspace(first, second, count).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in steps]


def flat(height: int, width: int, colour: Colour) -> Canvas:
    return np.full((height, width, 3), colour, np.uint8)


def blend_down(height: int, width: int, stops: list[Colour]) -> Canvas:
    """Blend several colours from top to bottom."""
    at = np.linspace(0, len(stops) - 1, height)
    rows = np.stack([np.interp(at, np.arange(len(stops)), c) for c in zip(*stops, strict=True)], 1)
    return np.repeat(rows[:, None].astype(np.uint8), width, 1)


def lit(canvas: Canvas, light: NDArray[np.float32]) -> Canvas:
    """Multiply a picture by light (H, W) around 1."""
    lit = canvas.astype(np.float32) * light[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def grained(rng: np.random.Generator, canvas: Canvas, limit: float = 0.3) -> Canvas:
    """Shade a picture with smooth noise, two times in three."""
    if rng.random() < 0.33:
        return canvas
    height, width = canvas.shape[:2]
    field = noise(rng, height, width, int(rng.integers(2, 12)), 0.8)
    return lit(canvas, 1 + np.float32(rng.uniform(0, limit)) * (field - 0.5))
