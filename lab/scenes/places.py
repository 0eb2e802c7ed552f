"""Backgrounds with depth: hills, dunes and water in layers, banks of clouds, furnished rooms."""

from collections.abc import Callable

import cv2
import numpy as np

from lab.scenes.canvas import Canvas, Colour, blend_down, flat, grained, near, ramp
from lab.scenes.surfaces import wood


def _layers(rng: np.random.Generator, canvas: Canvas, top: float, colours: list[Colour]) -> None:
    """Lay wavy bands over the lower part, the nearest last, in place."""
    height, width = canvas.shape[:2]
    x, rows = np.linspace(0, 1, width), np.arange(height)[:, None]
    for number, colour in enumerate(colours):
        level = top + (1 - top) * number / len(colours)
        wave = sum(
            rng.uniform(0, 0.06) / k * np.sin(x * rng.uniform(3, 9) * k + rng.uniform(0, 6))
            for k in (1, 2, 4)
        )
        canvas[rows >= (height * (level + wave))[None]] = colour


def layered_land(
    farthest: Colour,
    nearest: Colour,
    sky: tuple[Colour, Colour] = ((90, 160, 230), (225, 235, 245)),
) -> Callable[[np.random.Generator, int, int], Canvas]:
    """Make a painter of hills, dunes or water in flat layers under a clear sky."""

    def painter(rng: np.random.Generator, height: int, width: int) -> Canvas:
        canvas = blend_down(height, width, [near(rng, colour, 25) for colour in sky])
        count = int(rng.integers(2, 7))
        bands = ramp(near(rng, farthest, 22), near(rng, nearest, 22), count)
        _layers(rng, canvas, float(rng.uniform(0.25, 0.6)), bands)
        return grained(rng, canvas, 0.15)

    return painter


def banks_of_clouds(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw the sky with flat banks of clouds, by day or in the evening."""
    stops: list[Colour] = [(60, 110, 200), (150, 190, 235), (235, 240, 245)]
    if rng.random() < 0.5:
        stops = [(60, 70, 140), (200, 120, 130), (250, 190, 120)]
    canvas = blend_down(height, width, [near(rng, stop, 22) for stop in stops])
    veil = canvas.copy()
    for _ in range(int(rng.integers(2, 8))):
        at = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(width * rng.uniform(0.1, 0.4)), int(height * rng.uniform(0.01, 0.07)))
        cv2.ellipse(veil, at, axes, 0, 0, 360, near(rng, (240, 235, 235), 15), -1, cv2.LINE_AA)
    return cv2.addWeighted(canvas, 0.5, veil, 0.5, 0)


def furnished_room(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw wall and floor with a skirting and boxes like furniture along the wall."""
    canvas = flat(height, width, near(rng, (205, 195, 185), 50))
    floor = int(height * rng.uniform(0.5, 0.8))
    if rng.random() < 0.4:  # wallpaper
        step = max(5, int(width * rng.uniform(0.04, 0.15)))
        for x in range(0, width, step):
            canvas[:, x : x + step // 2] = np.clip(canvas[0, 0].astype(int) - 12, 0, 255)
    canvas[floor:] = wood(rng, height, width)[floor:]
    if rng.random() < 0.5:
        canvas[floor:] = near(rng, (150, 130, 115), 60)
    canvas[floor - max(1, height // 50) : floor] = near(rng, (235, 230, 225), 20)
    for _ in range(int(rng.integers(1, 5))):
        _furniture(rng, canvas, floor)
    return canvas


def _furniture(rng: np.random.Generator, canvas: Canvas, floor: int) -> None:
    """Draw a box with doors or shelves that stands on the floor, or a frame on the wall."""
    height, width = canvas.shape[:2]
    wide, high = int(width * rng.uniform(0.12, 0.4)), int(height * rng.uniform(0.1, 0.4))
    left_edge, low = (
        int(rng.uniform(-0.1, 0.9) * width),
        floor + int(height * rng.uniform(-0.03, 0.12)),
    )
    if rng.random() < 0.35:  # on the wall
        low = int(floor * rng.uniform(0.3, 0.8))
    colour = near(rng, (150, 115, 85), 75)
    darker = ramp(colour, (0, 0, 0), 4)[1]
    cv2.rectangle(canvas, (left_edge, low - high), (left_edge + wide, low), colour, -1)
    cv2.rectangle(
        canvas, (left_edge, low - high), (left_edge + wide, low), darker, max(1, width // 150)
    )
    parts = int(rng.integers(1, 5))
    for number in range(1, parts):
        if rng.random() < 0.5:
            x = left_edge + wide * number // parts
            cv2.line(canvas, (x, low - high), (x, low), darker, max(1, width // 150))
        else:
            y = low - high * number // parts
            cv2.line(canvas, (left_edge, y), (left_edge + wide, y), darker, max(1, width // 150))
