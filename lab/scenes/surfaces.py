"""Backgrounds without depth: blends, nets, checks, cloth, walls, wood, paper, strewn shapes."""

from itertools import pairwise
from math import cos, pi, sin

import cv2
import numpy as np

from lab.scenes.backgrounds import COLOURS, noise
from lab.scenes.canvas import (
    Canvas,
    Colour,
    any_colour,
    blend_down,
    colour_set,
    flat,
    grained,
    lit,
    near,
)


def gradients(rng: np.random.Generator, height: int, width: int) -> Canvas:
    stops = colour_set(rng, int(rng.integers(3, 7)))
    kind = rng.random()
    if kind < 0.4:
        return blend_down(height, width, stops)
    if kind < 0.7:
        return np.ascontiguousarray(blend_down(width, height, stops).transpose(1, 0, 2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    far = np.hypot(x - rng.uniform(0, 1) * width, y - rng.uniform(0, 1) * height)
    ring = blend_down(256, 1, stops)[:, 0]
    return ring[np.clip(far / max(height, width) * rng.uniform(160, 300), 0, 255).astype(int)]


def polygons(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw many polygons in few colours, one on another."""
    colours = colour_set(rng, int(rng.integers(3, 8)))
    canvas = flat(height, width, colours[0])
    size = np.array([width, height])
    for _ in range(int(rng.integers(6, 40))):
        middle = rng.uniform(-0.1, 1.1, 2) * size
        angles = np.sort(rng.uniform(0, 2 * pi, int(rng.integers(3, 7))))
        radii = rng.uniform(0.05, 0.4) * size.min() * rng.uniform(0.6, 1.2, len(angles))
        points = middle + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        colour = colours[int(rng.integers(len(colours)))]
        cv2.fillPoly(canvas, [points.astype(np.int32)], near(rng, colour, 12), cv2.LINE_AA)
    return canvas


def facets(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw a crooked net of triangles, each of one tone."""
    rows, columns = (int(n) for n in rng.integers(3, 9, 2))
    canvas = gradients(rng, height, width)
    y, x = np.mgrid[0 : rows + 1, 0 : columns + 1].astype(np.float32)
    x, y = x * width / columns, y * height / rows
    x[:, 1:-1] += rng.uniform(-0.3, 0.3, x[:, 1:-1].shape) * width / columns
    y[1:-1] += rng.uniform(-0.3, 0.3, y[1:-1].shape) * height / rows
    grid = np.stack([x, y], -1)
    for row in range(rows):
        for column in range(columns):
            a, b = grid[row, column], grid[row, column + 1]
            c, d = grid[row + 1, column], grid[row + 1, column + 1]
            for corners in ((a, b, c), (b, c, d)):
                points = np.array(corners).astype(np.int32)
                at = np.clip(points.mean(0).astype(int), 0, (width - 1, height - 1))
                red, green, blue = (int(v) for v in canvas[at[1], at[0]])
                cv2.fillPoly(canvas, [points], near(rng, (red, green, blue), 14), cv2.LINE_AA)
    return canvas


def bokeh(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw soft round lights before a dim gradient."""
    dim = np.full((1, 1), rng.uniform(0.3, 1), np.float32)
    canvas = lit(gradients(rng, height, width), dim)
    for _ in range(int(rng.integers(2, 5))):
        lights = canvas.copy()
        for _ in range(int(rng.integers(3, 12))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            radius = int(min(height, width) * rng.uniform(0.02, 0.16))
            cv2.circle(lights, at, radius, any_colour(rng, 90, 256), -1, cv2.LINE_AA)
        canvas = cv2.addWeighted(canvas, 0.65, lights, 0.35, 0)
    return cv2.blur(canvas, (3, 3)) if rng.random() < 0.5 else canvas


def checkers(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw two-coloured checks, straight or turned, sometimes as a floor that runs away."""
    count = int(rng.integers(3, 12))
    first, second = colour_set(rng, 2)
    board = ((np.add.outer(np.arange(2 * count), np.arange(2 * count))) % 2).astype(np.uint8)
    tiles = np.where(board[..., None] > 0, np.array(first, np.uint8), np.array(second, np.uint8))
    large = cv2.resize(tiles, (2 * width, 2 * height), None, 0, 0, cv2.INTER_NEAREST)
    turn = cv2.getRotationMatrix2D((width, height), rng.uniform(0, 90), 1)
    turn[:, 2] -= (width / 2, height / 2)
    if rng.random() < 0.35:
        turn = np.array([[1.0, 0, -width / 2], [0, 1, -height / 2]])
    return grained(rng, cv2.warpAffine(large, turn, (width, height)), 0.2)


def plaid(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw crossing translucent bands, as on cloth."""
    canvas = flat(height, width, any_colour(rng)).astype(np.float32)
    period = int(min(height, width) * rng.uniform(0.1, 0.4)) + 4
    for _ in range(int(rng.integers(2, 6))):
        start, wide = int(rng.integers(period)), int(rng.integers(1, 1 + period // 2))
        colour, share = np.array(any_colour(rng), np.float32), np.float32(rng.uniform(0.2, 0.7))
        down, across = rng.random() < 0.7, rng.random() < 0.7
        if across or not down:
            rows = (np.arange(height) - start) % period < wide
            canvas[rows] += (colour - canvas[rows]) * share
        if down:
            columns = (np.arange(width) - start) % period < wide
            canvas[:, columns] += (colour - canvas[:, columns]) * share
    return canvas.astype(np.uint8)


def dots(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw rows of dots or rings on one colour."""
    ground, dot = colour_set(rng, 2)
    canvas = flat(height, width, ground)
    step = max(6, int(min(height, width) * rng.uniform(0.06, 0.25)))
    radius = max(1, int(step * rng.uniform(0.12, 0.42)))
    thick = -1 if rng.random() < 0.7 else max(1, radius // 3)
    for row, y in enumerate(range(0, height + step, step)):
        for x in range(-(row % 2) * step // 2, width + step, step):
            cv2.circle(canvas, (x, y), radius, dot, thick, cv2.LINE_AA)
    return grained(rng, canvas, 0.2)


def bricks(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw a wall of bricks, stones or tiles with mortar between them."""
    kinds: list[Colour] = [(165, 80, 60), (150, 145, 140), (215, 205, 190), any_colour(rng)]
    stone = kinds[int(rng.integers(len(kinds)))]
    canvas = flat(height, width, near(rng, (190, 185, 175), 45))
    high = max(6, int(height * rng.uniform(0.05, 0.16)))
    wide, gap = int(high * rng.uniform(1, 2.8)), max(1, high // 9)
    shift, spread = wide // 2 if rng.random() < 0.8 else 0, int(rng.integers(4, 28))
    for row, y in enumerate(range(0, height, high)):
        for x in range(-(row % 2) * shift, width, wide):
            corners = (x, y), (x + wide - gap - 1, y + high - gap - 1)
            cv2.rectangle(canvas, *corners, near(rng, stone, spread), -1)
    return grained(rng, canvas)


def wood(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw planks from above: a table top, lying or standing."""
    kinds: list[Colour] = [(165, 115, 70), (205, 165, 115), (110, 70, 45), (150, 140, 130)]
    tone = kinds[int(rng.integers(len(kinds)))]
    canvas = np.empty((height, width, 3), np.uint8)
    planks = int(rng.integers(3, 9))
    edges = np.linspace(0, height, planks + 1).astype(int)
    grain = rng.random((height // 2 + 1, max(2, width // 40)), dtype=np.float32)
    for top, end in pairwise(edges):
        canvas[top:end] = near(rng, tone, 14)
    canvas = lit(canvas, 0.85 + 0.3 * cv2.resize(grain, (width, height)))
    for edge in edges[1:-1]:
        canvas[edge - 1 : edge + max(1, height // 150)] //= 2
    is_vertical = rng.random() < 0.5 and height == width
    return np.ascontiguousarray(canvas.transpose(1, 0, 2)) if is_vertical else canvas


def plain(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw one colour, of any kind, with a soft vignette or a light spot."""
    names = list(COLOURS)
    canvas = flat(height, width, near(rng, COLOURS[names[int(rng.integers(len(names)))]], 22))
    if rng.random() < 0.5:
        return canvas
    y = (np.linspace(-1, 1, height, dtype=np.float32)[:, None] - rng.uniform(-0.6, 0.6)) ** 2
    x = (np.linspace(-1, 1, width, dtype=np.float32)[None] - rng.uniform(-0.6, 0.6)) ** 2
    return lit(canvas, 1.05 - np.float32(rng.uniform(0.03, 0.2)) * (x + y).astype(np.float32))


def paper(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw white paper: bare, ruled or squared."""
    canvas = flat(height, width, near(rng, (242, 242, 240), 8))
    fibres = rng.random((height // 2 + 1, width // 2 + 1), dtype=np.float32)
    canvas = lit(canvas, 0.98 + 0.04 * cv2.resize(fibres, (width, height)))
    kind = rng.random()
    if kind < 0.5:
        step, line = max(7, int(height * rng.uniform(0.05, 0.12))), any_colour(rng, 120, 225)
        canvas[step::step] = line
        if kind < 0.25:
            canvas[:, step::step] = line
    return canvas


def mottled(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Blend three colours by rough noise: stone, moss, foliage out of focus, cloth."""
    colours = np.array(colour_set(rng, 3), np.float32)
    field = noise(rng, height, width, int(rng.integers(2, 16)), float(rng.uniform(0.5, 1.1)))
    steps = np.linspace(0, 1, 3)
    ring = np.stack([np.interp(np.linspace(0, 1, 256), steps, colours[:, k]) for k in range(3)], 1)
    return ring.astype(np.uint8)[np.clip(field * 255, 0, 255).astype(np.uint8)]


def clutter(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Strew anonymous shapes of a few kinds over a plain or blended ground."""
    canvas = gradients(rng, height, width)
    if rng.random() < 0.5:
        canvas = flat(height, width, any_colour(rng))
    colours = colour_set(rng, int(rng.integers(2, 6)))
    longest = rng.uniform(0.04, 0.25) * min(height, width)
    for _ in range(int(rng.integers(10, 60))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        draw_shape(rng, canvas, (x, y), longest, colours[int(rng.integers(len(colours)))])
    return canvas


def draw_shape(
    rng: np.random.Generator, canvas: Canvas, at: tuple[int, int], most: float, colour: Colour
) -> None:
    """Draw one anonymous shape, filled or as a line, at most about 2 `most` long, in place."""
    radius = most * rng.uniform(0.3, 1)
    thick = -1 if rng.random() < 0.7 else int(rng.integers(1, 4))
    turn = float(rng.uniform(0, 360))
    kind = int(rng.integers(4))
    if kind == 0:
        axes = (int(radius) + 1, int(radius * rng.uniform(0.2, 1)) + 1)
        cv2.ellipse(canvas, at, axes, turn, 0, 360, colour, thick, cv2.LINE_AA)
    elif kind == 1:
        far = (int(at[0] + radius * cos(turn)), int(at[1] + radius * sin(turn)))
        cv2.line(canvas, at, far, colour, max(1, int(radius * rng.uniform(0.05, 0.4))), cv2.LINE_AA)
    else:
        count = 4 if kind == 2 else int(rng.integers(3, 8))
        angles = np.sort(rng.uniform(0, 2 * pi, count)) + turn
        reach = radius * rng.uniform(0.5, 1, count)
        points = np.array(at) + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        if thick < 0:
            cv2.fillPoly(canvas, [points.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            cv2.polylines(canvas, [points.astype(np.int32)], True, colour, thick, cv2.LINE_AA)
