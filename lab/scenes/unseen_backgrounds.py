"""Backgrounds that no model was ever trained on; they share no code with those of training.

`paint_unseen` draws one of `UNSEEN`, with the name of `backgrounds.NAMES` that a person would give
it. Use them to measure only.
"""

from collections.abc import Callable
from itertools import pairwise
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8."""

_SOFT = ((226, 232, 240), (247, 226, 200), (205, 225, 210), (238, 210, 215), (214, 205, 235))
_STRONG = ((31, 78, 121), (160, 60, 50), (60, 110, 80), (225, 170, 60), (85, 60, 110), (50, 50, 55))


def paint_unseen(rng: np.random.Generator, height: int, width: int) -> tuple[Pixels, str]:
    """Draw one of the backgrounds: (height, width, 3) uint8, and what a person would call it."""
    name = list(UNSEEN)[int(rng.integers(len(UNSEEN)))]
    paint, background = UNSEEN[name]
    return paint(rng, height, width), background


def _pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> NDArray[np.int64]:
    return np.array(colours[int(rng.integers(len(colours)))]) + rng.integers(-8, 9, 3)


def _tuple(colour: NDArray[np.int64]) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in np.clip(colour, 0, 255))
    return red, green, blue


def _full(height: int, width: int, colour: NDArray[np.int64]) -> Pixels:
    return np.full((height, width, 3), np.clip(colour, 0, 255), np.uint8)


def _swell(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Add up a few plane waves, (height, width)."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    total = np.zeros((height, width))
    for _ in range(6):
        across, down = rng.normal(0, 9, 2)
        total += np.sin(across * x + down * y + rng.uniform(0, 2 * pi))
    return total


def _contour_map(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw a map's lines of equal height."""
    levels = _swell(rng, height, width) * rng.uniform(1.2, 2.5)
    near_line = np.abs(levels - np.round(levels)) < 0.07 * rng.uniform(1, 2)
    canvas = _full(height, width, _pick(rng, _SOFT))
    canvas[near_line] = np.clip(_pick(rng, _STRONG), 0, 255)
    return canvas


def _honeycomb(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw hexagons with seams."""
    ground, seam = _pick(rng, _SOFT + _STRONG), _pick(rng, _SOFT + _STRONG)
    canvas, radius = _full(height, width, seam), min(height, width) * rng.uniform(0.05, 0.14)
    corners = np.stack([np.sin(np.arange(6) * pi / 3), np.cos(np.arange(6) * pi / 3)], 1)
    for row in range(int(height / radius / 1.5) + 2):
        for column in range(int(width / radius / 1.7) + 2):
            middle = ((column + row % 2 / 2) * radius * 1.732, row * radius * 1.5)
            points = (np.array(middle) + corners * radius * 0.92).astype(np.int32)
            cv2.fillPoly(canvas, [points], _tuple(ground + rng.integers(-7, 8)), cv2.LINE_AA)
    return canvas


def _quarter_circles(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw square tiles, each with two quarter circles, turned at random."""
    canvas, line = _full(height, width, _pick(rng, _SOFT)), _tuple(_pick(rng, _STRONG))
    cell = max(12, int(min(height, width) * rng.uniform(0.08, 0.2)))
    for y in range(0, height, cell):
        for x in range(0, width, cell):
            is_vertical = rng.random() < 0.5
            for at in (((x, y), (x + cell, y + cell)), ((x + cell, y), (x, y + cell)))[is_vertical]:
                box = canvas[y : y + cell, x : x + cell]
                middle = (at[0] - x, at[1] - y)
                cv2.circle(box, middle, cell // 2, line, max(2, cell // 7), cv2.LINE_AA)
    return canvas


def _mosaic(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw cells around random points, with grout."""
    count = int(rng.integers(12, 70))
    points = rng.uniform(0, 1, (count, 2)) * (height, width)
    y, x = np.mgrid[0:height, 0:width]
    far = np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1])
    order = np.partition(far, 1, -1)
    tones = np.stack([_pick(rng, _SOFT + _STRONG) for _ in range(4)])
    colours = tones[rng.integers(4, size=count)] + rng.integers(-10, 11, (count, 1))
    canvas = np.clip(colours[far.argmin(-1)], 0, 255).astype(np.uint8)
    canvas[order[..., 1] - order[..., 0] < min(height, width) / 90] = 60
    return canvas


def _blotting(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw stains with dark rims on paper, as of spilt tea."""
    canvas = _full(height, width, np.array([246, 240, 226])).astype(np.float64)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    ripple = _swell(rng, height, width) * 0.012
    for _ in range(int(rng.integers(2, 6))):
        reach = np.hypot(y - rng.uniform(0, 1), x - rng.uniform(0, 1)) + ripple
        radius, tint = rng.uniform(0.1, 0.35), _pick(rng, _STRONG) / 255
        inside = np.clip((radius - reach) * 60, 0, 1)
        rim = np.exp(-(((reach - radius) * 45) ** 2))
        share = (0.25 * inside + 0.35 * rim)[..., None]
        canvas *= 1 - share * (1 - tint)
    return canvas.astype(np.uint8)


def _town_plan(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw blocks and lanes of a town from above."""
    canvas = _full(height, width, np.array([250, 248, 240]))
    blocks = [np.array(c) for c in ((225, 222, 214), (205, 226, 190), (232, 215, 200))]
    xs = np.cumsum(rng.uniform(0.08, 0.25, 14)) * width - 0.1 * width
    ys = np.cumsum(rng.uniform(0.08, 0.25, 14)) * height - 0.1 * height
    lane = max(2, min(height, width) // 40)
    for top, bottom in pairwise(ys):
        for left, right in pairwise(xs):
            colour = _tuple(blocks[int(rng.choice(3, p=[0.7, 0.15, 0.15]))])
            corners = (int(left), int(top)), (int(right) - lane, int(bottom) - lane)
            cv2.rectangle(canvas, *corners, colour, -1)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-30, 30), 1.35)
    return np.asarray(cv2.warpAffine(canvas, turn, (width, height), borderMode=cv2.BORDER_REFLECT))


def _linen(rng: np.random.Generator, height: int, width: int, colour: NDArray[np.int64]) -> Pixels:
    """Weave one colour from rows and columns of uneven thread."""
    rows, columns = rng.normal(0, 5, (height, 1)), rng.normal(0, 5, (1, width))
    return np.clip(colour + (rows + columns)[..., None], 0, 255).astype(np.uint8)


def _cloth(colour: tuple[int, int, int]) -> Callable[[np.random.Generator, int, int], Pixels]:
    return lambda rng, height, width: _linen(rng, height, width, np.array(colour))


def _curtained_room(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw a wall between curtains above a floor of tiles that run away."""
    canvas = _full(height, width, np.array([232, 224, 205]) + rng.integers(-20, 21, 3))
    floor = int(height * rng.uniform(0.55, 0.75))
    folds = np.sin(np.linspace(0, rng.uniform(20, 60), width))[None, :, None] * 22
    curtain = np.clip(_pick(rng, _STRONG) + 40 + folds, 0, 255).astype(np.uint8)
    side = int(width * rng.uniform(0.08, 0.22))
    canvas[:floor, :side], canvas[:floor, -side:] = curtain[:, :side], curtain[:, -side:]
    depth = (np.arange(height - floor) + 4.0)[:, None]
    across = np.floor((np.arange(width) - width / 2)[None] * 9 / (depth + 8))
    along = np.floor(220 / depth)
    tiles = (across + along) % 2 == 0
    canvas[floor:] = np.where(tiles[..., None], (205, 200, 190), (120, 112, 105))
    return canvas


def _northern_lights(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw green veils in a dark sky with stars."""
    y, x = np.mgrid[0:height, 0:width]
    canvas = np.zeros((height, width, 3)) + np.array([8, 12, 30])
    for _ in range(int(rng.integers(1, 4))):
        level = height * rng.uniform(0.2, 0.7) + 0.08 * height * np.sin(
            x / width * rng.uniform(3, 12) + rng.uniform(0, 6)
        )
        veil = np.exp(-np.abs(y - level) / (height * np.where(y < level, 0.18, 0.03)))
        canvas += veil[..., None] * np.array([30, 150, 95]) * rng.uniform(0.4, 1)
    stars = rng.random((height, width)) > 0.997
    canvas[stars] = 225
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _mown_lawn(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw a lawn from above, mown in bands, with blades of grass."""
    turn, (y, x) = rng.uniform(0, pi), np.mgrid[0:height, 0:width] / min(height, width)
    bands = np.sin((x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(12, 40)) > 0
    canvas = np.where(bands[..., None], (88, 160, 70), (110, 182, 85)).astype(np.float64)
    blades = cv2.resize(rng.normal(0, 9, (height // 5 + 1, width)), (width, height))
    return np.clip(canvas + blades[..., None], 0, 255).astype(np.uint8)


def _shore(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw sand and shallow water from above, with foam where they meet."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    turn = rng.uniform(0, 2 * pi)
    depth = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn) + 0.025 * _swell(rng, height, width)
    canvas = np.where(depth[..., None] > 0, (84, 178, 196), (236, 212, 160))
    canvas = canvas + np.where(depth > 0, -120 * depth, 20 * depth)[..., None]
    foam = np.exp(-((depth * 40) ** 2)) + 0.6 * np.exp(-(((depth - 0.12) * 60) ** 2))
    canvas += (255 - canvas) * np.clip(foam, 0, 1)[..., None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _carriageway(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Draw a road from above: tarmac, a broken line, kerbs."""
    canvas = np.zeros((height, width, 3)) + 84 + rng.normal(0, 7, (height, width, 1))
    lane = int(width * rng.uniform(0.3, 0.5))
    dash = np.arange(height) // max(6, height // 9) % 2 == 0
    canvas[dash, lane : lane + max(2, width // 45)] = 232
    kerb = int(width * rng.uniform(0.78, 0.92))
    canvas[:, kerb:] = (172, 168, 160)
    canvas[:, kerb : kerb + 3] = 210
    turned = canvas.transpose(1, 0, 2) if height == width and rng.random() < 0.5 else canvas
    return np.ascontiguousarray(np.clip(turned, 0, 255).astype(np.uint8))


UNSEEN: dict[str, tuple[Callable[[np.random.Generator, int, int], Pixels], str]] = {
    "contour map": (_contour_map, "pattern"),
    "honeycomb": (_honeycomb, "pattern"),
    "quarter circles": (_quarter_circles, "pattern"),
    "mosaic": (_mosaic, "pattern"),
    "blotting": (_blotting, "pattern"),
    "town plan": (_town_plan, "pattern"),
    "white linen": (_cloth((240, 240, 238)), "white"),
    "blue linen": (_cloth((60, 100, 190)), "blue"),
    "yellow linen": (_cloth((240, 215, 80)), "yellow"),
    "grey linen": (_cloth((140, 140, 140)), "gray"),
    "curtained room": (_curtained_room, "room"),
    "northern lights": (_northern_lights, "night"),
    "mown lawn": (_mown_lawn, "meadow"),
    "shore": (_shore, "beach"),
    "carriageway": (_carriageway, "road"),
}
"""Each generator, and what a person would call its pictures."""
