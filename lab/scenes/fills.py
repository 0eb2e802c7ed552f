"""Ways to fill a drawing: flat colours, gradients, hatching, dots, pencil, washes, large pixels.

All take and return a patch: (h, w, 4) float32, 0..255, colours premultiplied by alpha.
"""

from math import cos, pi, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.scenes.restyle import Patch, join_channels
from lab.scenes.strokes import Field, any_tone, disc, drawn_over, edges, filled, ink_tone, lightness


def flat_colours(rng: np.random.Generator, patch: Patch) -> Patch:
    """Paint the drawing in two to six colours: its own, or others in their place."""
    count = int(rng.integers(2, 7))
    smooth = cv2.blur(patch, (3, 3))
    inside = np.argwhere(patch[..., 3] > 200)
    if not len(inside):
        return patch
    at = inside[(rng.random(count) * len(inside)).astype(int)]
    palette = patch[at[:, 0], at[:, 1], :3]
    closeness = smooth[..., :3] @ palette.T - (palette**2).sum(1) / 2
    kind = rng.random()
    if kind < 0.35:
        palette = np.stack([any_tone(rng) for _ in range(count)])
    elif kind < 0.6:
        palette = palette[:, rng.permutation(3)]
    return filled(patch, palette[closeness.argmax(-1)].astype(np.float32))


def swapped_channels(rng: np.random.Generator, patch: Patch) -> Patch:
    """Exchange the colour channels, or mix them."""
    if rng.random() < 0.5:
        return join_channels(patch[..., rng.permutation(3)], patch[..., 3:])
    mix = rng.dirichlet(np.full(3, 0.7), 3).astype(np.float32)
    return join_channels(patch[..., :3] @ mix.T, patch[..., 3:])


def two_tones(rng: np.random.Generator, patch: Patch) -> Patch:
    """Map dark to one colour and light to another."""
    dark, light = any_tone(rng), any_tone(rng)
    share = 1 - _darkness(patch)[..., None]
    share = np.clip((share - 0.5) * np.float32(rng.uniform(0.7, 2.5)) + 0.5, 0, 1)
    return filled(patch, np.asarray(dark + (light - dark) * share, np.float32))


def gradient(rng: np.random.Generator, patch: Patch) -> Patch:
    """Fill the silhouette with a gradient; some of the drawing stays to be seen in it."""
    first, second = any_tone(rng), any_tone(rng)
    share = _slope(rng, patch.shape[:2])[..., None]
    fill = filled(patch, first + (second - first) * share)
    keep = np.float32(rng.uniform(0.15, 0.6))
    tone = (lightness(patch) * 255)[..., None]
    lit = fill[..., :3] * (1 - keep) + (0.5 * fill[..., :3] + 0.6 * tone) * keep
    return drawn_over(join_channels(lit, patch[..., 3:]), ink_tone(rng), 0.7 * edges(patch))


def _slope(rng: np.random.Generator, size: tuple[int, int]) -> Field:
    angle = rng.uniform(0, 2 * pi)
    y = np.linspace(-0.5, 0.5, size[0], dtype=np.float32)[:, None] * np.float32(sin(angle))
    x = np.linspace(-0.5, 0.5, size[1], dtype=np.float32)[None] * np.float32(cos(angle))
    return np.clip((x + y) * np.float32(rng.uniform(0.8, 1.6)) + 0.5, 0, 1)


def _wave(size: tuple[int, int], angle: float, period: float) -> Field:
    """Return a wave of stripes across (h, w), in -1..1."""
    y = np.arange(size[0], dtype=np.float32)[:, None] * np.float32(sin(angle))
    x = np.arange(size[1], dtype=np.float32)[None] * np.float32(cos(angle))
    return np.sin((x + y) * np.float32(2 * pi / period))


def _threshold(field: NDArray[np.floating], steepness: float) -> Field:
    """Return 1 where the field is above nought, 0 below, with a soft step between."""
    return np.asarray(np.clip(field * np.float32(steepness), 0, 1), np.float32)


def _darkness(patch: Patch) -> Field:
    """Return how dark the drawing is, (h, w) in about 0..1, whatever covers it."""
    light = lightness(patch) / np.maximum(patch[..., 3] / 255, 0.02)
    return np.asarray(1 - light, np.float32)


def hatched(rng: np.random.Generator, patch: Patch) -> Patch:
    """Hatch the dark parts in one or two directions, on paper or on the drawing's own colours."""
    size = patch.shape[:2]
    ink, angle, period = ink_tone(rng), rng.uniform(0, pi), rng.uniform(3, 8)
    dark = _darkness(patch)
    lines = _threshold(_wave(size, angle, period) + 1.7 * dark - 0.9, 2)
    if rng.random() < 0.5:
        crossing = _wave(size, angle + pi / 2, period)
        lines = np.maximum(lines, _threshold(crossing + 1.7 * dark - 1.5, 2))
    ground = _on_paper(rng, patch)
    return drawn_over(drawn_over(ground, ink, lines), ink, edges(patch))


def dotted(rng: np.random.Generator, patch: Patch) -> Patch:
    """Print the drawing with dots, larger where it is darker."""
    size = patch.shape[:2]
    ink, angle, period = ink_tone(rng), rng.uniform(0, pi / 2), rng.uniform(3, 7)
    grid = _wave(size, angle, period) * _wave(size, angle + pi / 2, period)
    dark = _darkness(patch)
    dots = _threshold(grid + 2.2 * dark - 1.2, 3)
    ground = _on_paper(rng, patch)
    return drawn_over(drawn_over(ground, ink, dots), ink, 0.6 * edges(patch))


def _on_paper(rng: np.random.Generator, patch: Patch) -> Patch:
    """Return the silhouette in a paper tone, in a colour, or the drawing itself made paler."""
    kind = rng.random()
    if kind < 0.35:
        return filled(patch, any_tone(rng, 200, 256))
    if kind < 0.5:
        return filled(patch, any_tone(rng))
    pale = np.float32(rng.uniform(0.1, 0.6))
    return join_channels(patch[..., :3] * (1 - pale) + patch[..., 3:] * pale, patch[..., 3:])


def pencil(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw the edges and the shades in pencil on paper tone, with gaps."""
    size = patch.shape[:2]
    paper, ink = any_tone(rng, 195, 256), any_tone(rng, 20, 110)
    grain = rng.random(size, dtype=np.float32)
    shade = _darkness(patch) * np.float32(rng.uniform(0.1, 0.7))
    rim = np.clip((patch[..., 3] - cv2.erode(patch[..., 3], disc(1))) / 255, 0, 1)
    lines = np.maximum(edges(patch, 0.02, 0.12), rim) * (0.55 + 0.45 * grain)
    cover = np.maximum(lines, shade * (0.5 + grain))
    return drawn_over(filled(patch, paper), ink, np.clip(cover, 0, 1))


def textured(rng: np.random.Generator, patch: Patch) -> Patch:
    """Lay grain, weave or blotches over the drawing."""
    height, width = patch.shape[:2]
    cells = (max(2, width // int(rng.integers(2, 12))), max(2, height // int(rng.integers(2, 12))))
    grain = cv2.resize(
        rng.random((cells[1], cells[0]), dtype=np.float32), (width, height), None, 0, 0, 1
    )
    light = 1 + np.float32(rng.uniform(0.3, 0.9)) * (grain - 0.5)
    return join_channels(patch[..., :3] * light[..., None], patch[..., 3:])


def washed(rng: np.random.Generator, patch: Patch) -> Patch:
    """Blur the colours inside the silhouette, as watercolour runs."""
    size = 2 * int(rng.integers(2, 1 + max(3, min(patch.shape[:2]) // 8))) + 1
    soft = cv2.blur(patch, (size, size))
    fill = soft[..., :3] * (255 / np.maximum(soft[..., 3:], 8))
    pale = np.float32(rng.uniform(0, 0.4))
    washed = filled(patch, fill * (1 - pale) + 255 * pale)
    return drawn_over(washed, any_tone(rng, 0, 120), edges(patch) * np.float32(rng.uniform(0, 0.6)))


def pixels(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw in large square pixels."""
    height, width = patch.shape[:2]
    cell = min(float(rng.uniform(2, 6)), 1 + min(height, width) / 20)
    small = cv2.resize(
        patch, (max(2, int(width / cell)), max(2, int(height / cell))), None, 0, 0, 3
    )
    cover = np.where(small[..., 3:] > 110, 255 / np.maximum(small[..., 3:], 1), 0)
    large = cv2.resize(small * cover, (width, height), None, 0, 0, cv2.INTER_NEAREST)
    return np.asarray(np.clip(large, 0, 255), np.float32)
