"""Backgrounds for drawn scenes: named plain colours, and simple places.

`paint(rng, name, height, width)` draws one; `NAMES` lists them, and `ENGLISH` and `CHINESE` say
what a person would call each (the chat model learns these words).
"""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Picture = NDArray[np.float32]
"""(H, W, 3) float32, 0..255."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (200, 35, 45),
    "orange": (240, 140, 35),
    "yellow": (242, 220, 70),
    "green": (55, 160, 75),
    "blue": (50, 100, 210),
    "purple": (130, 65, 170),
    "pink": (245, 165, 190),
    "brown": (130, 85, 50),
    "gray": (135, 135, 135),
    "black": (20, 20, 22),
    "white": (245, 245, 245),
}
PLACES: dict[str, tuple[str, str]] = {
    "sky": ("a blue sky with clouds", "蓝天白云"),
    "meadow": ("a green meadow", "绿色的草地"),
    "road": ("a road", "一条公路"),
    "street": ("a city street", "城市的街道"),
    "sea": ("the sea", "大海"),
    "beach": ("a sandy beach", "沙滩"),
    "desert": ("a desert", "沙漠"),
    "snow": ("a snowy field", "雪地"),
    "night": ("a night sky with stars", "有星星的夜空"),
    "airport": ("an airport at night", "夜晚的机场"),
    "room": ("a room", "房间"),
    "table": ("a wooden table", "木桌"),
    "pattern": ("an abstract pattern", "抽象的图案"),
}
_CHINESE_COLOURS = [
    "红色",
    "橙色",
    "黄色",
    "绿色",
    "蓝色",
    "紫色",
    "粉色",
    "棕色",
    "灰色",
    "黑色",
    "白色",
]

NAMES: tuple[str, ...] = (*COLOURS, *PLACES)
ENGLISH: dict[str, str] = {
    **{name: name for name in COLOURS},
    **{name: words[0] for name, words in PLACES.items()},
}
CHINESE: dict[str, str] = {
    **{name: f"{word}的" for name, word in zip(COLOURS, _CHINESE_COLOURS, strict=True)},
    **{name: words[1] for name, words in PLACES.items()},
}


def paint(rng: np.random.Generator, name: str, height: int, width: int) -> Picture:
    """Draw the background called `name`: (height, width, 3) float32, 0..255."""
    if name in COLOURS:
        return _single_colour(rng, COLOURS[name], height, width)
    return _PAINTERS[name](rng, height, width)


def choose(rng: np.random.Generator) -> str:
    """Choose a name: a third plain colours, a quarter patterns, the rest places."""
    share = rng.random()
    if share < 0.30:
        return str(rng.choice(list(COLOURS)))
    if share < 0.52:
        return "pattern"
    return str(rng.choice([name for name in PLACES if name != "pattern"]))


def noise(
    rng: np.random.Generator, height: int, width: int, cells: int = 3, keep: float = 0.55
) -> NDArray[np.float32]:
    """Make a smooth random field (height, width) in 0..1: four octaves, `cells` the coarsest."""
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(4):
        side = min(cells << octave, max(height, width))
        grid = Image.fromarray(rng.random((side, side), dtype=np.float32))
        total += weight * np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR))
        weights += weight
        weight *= keep
    return np.clip((total / weights - 0.5) * 1.6 + 0.5, 0, 1)


def _near(rng: np.random.Generator, colour: tuple[int, int, int], spread: int) -> Picture:
    shift = rng.integers(-spread, spread + 1, 3)
    return np.clip(np.array(colour, np.float32) + shift, 0, 255).astype(np.float32)


def _any_colour(rng: np.random.Generator) -> Picture:
    return rng.integers(0, 256, 3).astype(np.float32)


def _mix(first: Picture, second: Picture, share: NDArray[np.float32]) -> Picture:
    mixed = first + (second - first) * share[..., None]
    return mixed.astype(np.float32, copy=False)


def _down(height: int, width: int) -> NDArray[np.float32]:
    return np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None], (height, width))


def _single_colour(
    rng: np.random.Generator, colour: tuple[int, int, int], height: int, width: int
) -> Picture:
    flat = np.broadcast_to(_near(rng, colour, 12), (height, width, 3)).copy()
    if rng.random() < 0.5:
        shade = noise(rng, height, width) if rng.random() < 0.5 else _down(height, width)
        flat *= (0.9 + 0.2 * shade)[..., None]
    return flat


def _pattern(rng: np.random.Generator, height: int, width: int) -> Picture:
    kind = rng.random()
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width) - 0.5
    angle = rng.uniform(0, 2 * pi)
    along = x * cos(angle) + y * sin(angle)
    if kind < 0.42:
        share = np.clip(0.5 + along * rng.uniform(0.6, 1.3), 0, 1)
        return _mix(_any_colour(rng), _any_colour(rng), share)
    if kind < 0.84:
        field = noise(rng, height, width, int(rng.choice([2, 3, 5, 9])), rng.uniform(0.4, 0.8))
        share = np.clip((field - 0.5) * rng.uniform(0.7, 1.8) + 0.5, 0, 1)
        return _mix(_any_colour(rng), _any_colour(rng), share)
    waves = int(rng.integers(4, 14)) * 2 * pi
    stripes = (np.sin(along * waves) > 0).astype(np.float32)
    if rng.random() < 0.4:
        across = -x * sin(angle) + y * cos(angle)
        stripes = np.abs(stripes - (np.sin(across * waves) > 0)).astype(np.float32)
    first = _any_colour(rng)
    second = np.clip(first + rng.integers(-70, 71, 3), 0, 255).astype(np.float32)
    return _mix(first, second, stripes)


def _sky(rng: np.random.Generator, height: int, width: int) -> Picture:
    top, low = _near(rng, (70, 140, 225), 30), _near(rng, (190, 220, 250), 20)
    clouds = np.clip((noise(rng, height, width) - 0.55) * 4, 0, 1) * rng.uniform(0.3, 1)
    white = np.full(3, 250, np.float32)
    return _mix(_mix(top, low, _down(height, width)), white, clouds.astype(np.float32))


def _ground(
    rng: np.random.Generator,
    picture: Picture,
    horizon: int,
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
    cells: int = 6,
) -> None:
    """Cover everything below `horizon` with a mottled ground between two colours, in place."""
    height, width = picture.shape[0] - horizon, picture.shape[1]
    if height > 0:
        field = noise(rng, height, width, cells, 0.8)
        picture[horizon:] = _mix(_near(rng, colours[0], 22), _near(rng, colours[1], 22), field)


def _land(
    first: tuple[int, int, int], second: tuple[int, int, int], low: float, high: float
) -> Callable[[np.random.Generator, int, int], Picture]:
    def painter(rng: np.random.Generator, height: int, width: int) -> Picture:
        picture = _sky(rng, height, width)
        horizon = int(height * rng.uniform(low, high))
        if rng.random() < 0.4:
            _hills(rng, picture, horizon, _near(rng, first, 20) * 0.8)
        _ground(rng, picture, horizon, (first, second))
        return picture

    return painter


def _hills(rng: np.random.Generator, picture: Picture, horizon: int, colour: Picture) -> None:
    height, width = picture.shape[:2]
    x = np.arange(width) / width
    rise = (
        0.1 * height * rng.uniform(0.3, 1) * (np.sin(x * rng.uniform(3, 9) + rng.uniform(0, 6)) + 1)
    )
    rows = np.arange(height)[:, None]
    picture[(rows >= horizon - rise[None]) & (rows < horizon)] = colour


def _draw(picture: Picture) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return canvas, ImageDraw.Draw(canvas)


def _tone(colour: Picture) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue


def _lane(
    rng: np.random.Generator, picture: Picture, horizon: int, colour: Picture, dashes: str
) -> Picture:
    """Paint a road or runway from the near edge to the horizon, with a dashed middle line."""
    height, width = picture.shape[:2]
    canvas, draw = _draw(picture)
    left, right = rng.uniform(-0.3, 0.1) * width, rng.uniform(0.9, 1.3) * width
    far = width * rng.uniform(0.4, 0.6)
    half = 0.05 * width
    corners = [(far - half, horizon), (far + half, horizon), (right, height), (left, height)]
    draw.polygon(corners, fill=_tone(colour))
    middle = (left + right) / 2
    for step in np.linspace(0.05, 0.95, 6):
        near, end = step**1.5, (step + 0.07) ** 1.5
        points = [
            (far + (middle - far) * at, horizon + (height - horizon) * at) for at in (near, end)
        ]
        draw.line(points, fill=dashes, width=1 + int(0.02 * width * near))
    return np.asarray(canvas).astype(np.float32)


def _road(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = _sky(rng, height, width)
    horizon = int(height * rng.uniform(0.3, 0.6))
    _ground(rng, picture, horizon, ((70, 130, 55), (150, 150, 80)))
    return _lane(rng, picture, horizon, _near(rng, (92, 92, 96), 18), "#ebebdc")


def _street(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = _sky(rng, height, width)
    horizon = int(height * rng.uniform(0.5, 0.68))
    canvas, draw = _draw(picture)
    x = -rng.uniform(0, 0.1) * width
    while x < width:
        wide, tall = width * rng.uniform(0.1, 0.25), horizon * rng.uniform(0.4, 0.95)
        wall = _near(rng, (165, 150, 140), 55)
        draw.rectangle((x, horizon - tall, x + wide, horizon), fill=_tone(wall))
        pane = max(3, width // 40)
        light = _tone(np.clip(wall + rng.choice([-60, 45]), 0, 255).astype(np.float32))
        for top in np.arange(horizon - tall + pane, horizon - pane, 2.6 * pane):
            for side in np.arange(x + pane, x + wide - pane, 2.4 * pane):
                draw.rectangle((side, top, side + pane, top + pane * 1.3), fill=light)
        x += wide + width * rng.uniform(0, 0.03)
    picture = np.asarray(canvas).astype(np.float32)
    _ground(rng, picture, horizon, ((100, 100, 104), (125, 125, 128)), 12)
    kerb = horizon + max(2, height // 40)
    picture[horizon:kerb] = _near(rng, (190, 188, 182), 15)
    line = int(height * rng.uniform(0.8, 0.92))
    for x0 in range(0, width, max(8, width // 6)):
        picture[line : line + max(1, height // 80), x0 : x0 + max(4, width // 11)] = 225
    return picture


def _sea(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = _sky(rng, height, width)
    horizon = int(height * rng.uniform(0.3, 0.6))
    field = noise(rng, height, width)
    waves = np.sin(_down(height, width) * rng.uniform(60, 160) + 12 * field) * 0.5 + 0.5
    water = _mix(_near(rng, (20, 80, 150), 20), _near(rng, (60, 140, 190), 20), waves)
    picture[horizon:] = water[horizon:]
    return picture


def _beach(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = _sea(rng, height, width)
    _ground(
        rng, picture, int(height * rng.uniform(0.62, 0.75)), ((225, 200, 145), (240, 222, 175)), 12
    )
    return picture


def _night(rng: np.random.Generator, height: int, width: int) -> Picture:
    top, low = _near(rng, (8, 10, 35), 8), _near(rng, (35, 35, 80), 15)
    picture = _mix(top, low, _down(height, width))
    count = int(rng.integers(15, 60))
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    size = max(1, height // 200)
    for row, column in zip(rows, columns, strict=True):
        picture[row : row + size, column : column + size] = rng.uniform(150, 255)
    return picture


def _airport(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = _night(rng, height, width)
    horizon = int(height * rng.uniform(0.42, 0.62))
    _ground(rng, picture, horizon, ((18, 26, 30), (34, 42, 44)))
    picture = _lane(rng, picture, horizon, _near(rng, (58, 60, 70), 10), "#d8d8d8")
    canvas, draw = _draw(picture)
    dot = max(1.0, width / 130)
    for side, colour in ((0.06, "#ffd060"), (0.94, "#ffd060"), (0.2, "#6fb0ff"), (0.8, "#6fb0ff")):
        for step in np.linspace(0.08, 0.98, 9):
            y = horizon + (height - horizon) * step**1.5
            x = width * (0.5 + (side - 0.5) * (0.25 + 0.9 * step**1.5))
            draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=colour)
    if rng.random() < 0.7:
        _terminal(rng, draw, horizon, width)
    return np.asarray(canvas).astype(np.float32)


def _terminal(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: int, width: int
) -> None:
    """Paint a low building with lit windows and a control tower, on the horizon."""
    left, wide, tall = rng.uniform(0, 0.55) * width, 0.4 * width, 0.05 * width
    draw.rectangle((left, horizon - tall, left + wide, horizon), fill="#30343c")
    for x in np.arange(left + 3, left + wide - 3, width / 38):
        draw.rectangle(
            (x, horizon - tall * 0.6, x + width / 80, horizon - tall * 0.25), fill="#f5d78a"
        )
    tower = left + wide * rng.uniform(0.2, 0.8)
    draw.rectangle((tower, horizon - 2.6 * tall, tower + 0.02 * width, horizon), fill="#3a3e48")
    draw.rectangle(
        (tower - 0.015 * width, horizon - 3.1 * tall, tower + 0.035 * width, horizon - 2.5 * tall),
        fill="#9fd0e8",
    )


def _planks(rng: np.random.Generator, height: int, width: int) -> Picture:
    stripes = np.sin(np.linspace(0, 1, width, dtype=np.float32) * rng.uniform(20, 60)) * 0.5 + 0.5
    grain = noise(rng, height, width, 4)
    share = np.clip(np.broadcast_to(stripes, (height, width)) * 0.6 + grain * 0.4, 0, 1)
    return _mix(_near(rng, (150, 105, 65), 25), _near(rng, (182, 132, 86), 25), share)


def _room(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = np.broadcast_to(_near(rng, (220, 205, 180), 30), (height, width, 3)).copy()
    horizon = int(height * rng.uniform(0.5, 0.72))
    if rng.random() < 0.6:
        top, left = int(0.08 * height), int(rng.uniform(0.05, 0.6) * width)
        pane = _near(rng, (165, 205, 235), 30)
        picture[top : int(0.36 * height), left : left + int(0.28 * width)] = 240
        picture[top + 3 : int(0.36 * height) - 3, left + 3 : left + int(0.28 * width) - 3] = pane
    picture[horizon:] = _planks(rng, height - horizon, width)
    return picture


def _table(rng: np.random.Generator, height: int, width: int) -> Picture:
    wall = _near(rng, (205, 210, 215), 35)
    picture = np.broadcast_to(wall, (height, width, 3)).copy()
    edge = int(height * rng.uniform(0.3, 0.5))
    picture[edge:] = _planks(rng, width, height - edge).transpose(1, 0, 2)
    picture[edge : edge + max(2, height // 60)] *= 0.75
    return picture


_PAINTERS: dict[str, Callable[[np.random.Generator, int, int], Picture]] = {
    "sky": _sky,
    "meadow": _land((60, 140, 50), (130, 190, 80), 0.35, 0.65),
    "road": _road,
    "street": _street,
    "sea": _sea,
    "beach": _beach,
    "desert": _land((205, 160, 95), (232, 195, 130), 0.35, 0.6),
    "snow": _land((222, 230, 240), (248, 250, 253), 0.35, 0.6),
    "night": _night,
    "airport": _airport,
    "room": _room,
    "table": _table,
    "pattern": _pattern,
}
