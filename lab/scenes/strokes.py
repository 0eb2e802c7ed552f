"""What the looks draw with: tones, edges, and lines around and inside a drawing.

A patch is (h, w, 4) float32, 0..255, colours premultiplied by alpha.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.scenes.restyle import Patch, join_channels

Field = NDArray[np.float32]
"""(h, w) float32."""


def any_tone(rng: np.random.Generator, low: int = 0, high: int = 256) -> Patch:
    return rng.integers(low, high, 3).astype(np.float32)


def ink_tone(rng: np.random.Generator) -> Patch:
    """Choose the colour of a line: mostly dark, else pale, else any."""
    kind = rng.random()
    if kind < 0.55:
        return any_tone(rng, 0, 60)
    return any_tone(rng, 215, 256) if kind < 0.75 else any_tone(rng)


def lightness(patch: Patch) -> Field:
    """Return how light the drawing is, (h, w) in 0..1, premultiplied."""
    return cv2.transform(patch, np.array([[0.3, 0.55, 0.15, 0]], np.float32) / 255)


def edges(patch: Patch, low: float = 0.05, high: float = 0.2) -> Field:
    """Return where the tone changes, (h, w) in 0..1."""
    tone = lightness(patch)
    across = np.abs(cv2.Scharr(tone, cv2.CV_32F, 1, 0)) + np.abs(cv2.Scharr(tone, cv2.CV_32F, 0, 1))
    return np.clip((across / 16 - low) / (high - low), 0, 1)


def filled(patch: Patch, fill: Patch) -> Patch:
    """Fill the silhouette with a colour (3,) or a picture (h, w, 3)."""
    return join_channels(fill * (patch[..., 3:] / 255), patch[..., 3:])


def drawn_over(patch: Patch, colour: Patch, cover: Field) -> Patch:
    """Lay a colour over the inside of the drawing, as far as `cover` (h, w) says."""
    cover = cover[..., None]
    rgb = patch[..., :3] * (1 - cover) + colour * (cover * patch[..., 3:] / 255)
    return join_channels(rgb, patch[..., 3:])


def disc(width: int) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return np.asarray(kernel, np.uint8)


def line_width(rng: np.random.Generator, patch: Patch, limit: int) -> int:
    """Choose the width of a line, thinner for small drawings."""
    return min(int(rng.integers(1, limit + 1)), 1 + min(patch.shape[:2]) // 16)


def inner_line(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw a line inside the silhouette's rim."""
    colour, width = ink_tone(rng), line_width(rng, patch, 5)
    inner = cv2.erode(patch[..., 3], disc(width))
    return drawn_over(patch, colour, np.clip((patch[..., 3] - inner) / 255, 0, 1))


def outer_line(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw a line around the silhouette, which grows by it."""
    colour, width = ink_tone(rng), line_width(rng, patch, 6)
    alpha = patch[..., 3:]
    dilated_alpha = cv2.dilate(patch[..., 3], disc(width))[..., None]
    rgb = patch[..., :3] + colour * ((dilated_alpha - alpha) / 255)
    return join_channels(rgb, dilated_alpha)


def sticker(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw a pale rim around the silhouette and a thin dark line around that."""
    width = line_width(rng, patch, 6)
    pale, dark = any_tone(rng, 225, 256), any_tone(rng, 0, 130)
    alpha = patch[..., 3:]
    rim = cv2.dilate(patch[..., 3], disc(width))[..., None]
    line = cv2.dilate(rim[..., 0], disc(1))[..., None]
    rgb = patch[..., :3] + pale * ((rim - alpha) / 255) + dark * ((line - rim) / 255)
    return join_channels(rgb, line)


def contours(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw lines wherever the tone changes, thick or thin."""
    colour, strength = ink_tone(rng), np.float32(rng.uniform(0.6, 1))
    lines = edges(patch, 0.03, float(rng.uniform(0.08, 0.25)))
    if rng.random() < 0.4:
        lines = cv2.dilate(lines, disc(1))
    return drawn_over(patch, colour, lines * strength)
