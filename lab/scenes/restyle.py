"""Turn a drawing into another drawing style, so that an unseen style can still be named.

All functions take and return a patch: (h, w, 4) float32, 0..255, colours premultiplied by alpha.
"""

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Patch = NDArray[np.float32]


def jitter(rng: np.random.Generator, patch: Patch) -> Patch:
    """Change brightness, tint and saturation a little, as a camera would."""
    rgb, alpha = patch[..., :3], patch[..., 3:] / 255
    gray = rgb.mean(-1, keepdims=True)
    rgb = gray + (rgb - gray) * np.float32(rng.uniform(0.6, 1.3))
    gain = np.float32(rng.normal(1, 0.12)) * rng.normal(1, 0.05, 3).astype(np.float32)
    return join_channels(rgb * gain + np.float32(rng.normal(0, 10)) * alpha, patch[..., 3:])


def restyle(rng: np.random.Generator, patch: Patch) -> Patch:
    """Apply one or two strong changes: hue, flat colours, ink, outline, fading, gradients."""
    for change in rng.choice(len(_CHANGES), int(rng.integers(1, 3)), replace=False):
        patch = _CHANGES[int(change)](rng, patch)
    return patch


def join_channels(rgb: NDArray[np.floating], alpha: Patch) -> Patch:
    """Join colours (h, w, 3) and alpha (h, w, 1) to a patch; no colour may exceed its alpha."""
    return np.concatenate([np.clip(rgb, 0, alpha), alpha], -1).astype(np.float32, copy=False)


def _turn_hue(rng: np.random.Generator, patch: Patch) -> Patch:
    """Rotate colours about the gray axis; mostly a little, sometimes any amount."""
    angle = rng.uniform(-pi, pi) if rng.random() < 0.35 else rng.normal(0, 0.45)
    c, third = cos(angle), 1 / 3
    root = third**0.5 * sin(angle)
    diagonal, up, down = c + (1 - c) * third, (1 - c) * third - root, (1 - c) * third + root
    turn = np.array([[diagonal, up, down], [down, diagonal, up], [up, down, diagonal]], np.float32)
    return join_channels(patch[..., :3] @ turn.T, patch[..., 3:])


def _flatten(rng: np.random.Generator, patch: Patch) -> Patch:
    """Quantise the smoothed colours to few tones, as flat drawings do."""
    step = np.float32(rng.uniform(36, 80))
    image = Image.fromarray(np.clip(patch[..., :3], 0, 255).astype(np.uint8))
    smooth = np.asarray(image.filter(ImageFilter.MedianFilter(3))).astype(np.float32)
    return join_channels(
        (np.floor(smooth / step) + 0.5) * step * (patch[..., 3:] / 255), patch[..., 3:]
    )


def _edges(patch: Patch) -> NDArray[np.float32]:
    gray = patch[..., :3].mean(-1)
    down = np.abs(np.diff(gray, axis=0, append=gray[-1:]))
    right = np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    return np.clip((down + right - 12) / 40, 0, 1)[..., None]


def _ink(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw dark (seldom light) lines where the tone changes, on a paler fill."""
    alpha = patch[..., 3:]
    ink = np.float32(20 if rng.random() < 0.8 else 235) * (alpha / 255)
    pale = patch[..., :3] + (alpha - patch[..., :3]) * np.float32(rng.uniform(0, 0.85))
    lines = _edges(patch) * np.float32(rng.uniform(0.5, 1))
    return join_channels(pale * (1 - lines) + ink * lines, alpha)


def _outline(rng: np.random.Generator, patch: Patch) -> Patch:
    """Draw a line around the silhouette, inwards so that the box stays."""
    alpha = Image.fromarray(patch[..., 3].astype(np.uint8))
    width = 3 if min(alpha.size) < 60 or rng.random() < 0.5 else 5
    inner = np.asarray(alpha.filter(ImageFilter.MinFilter(width))).astype(np.float32)
    rim = np.clip((patch[..., 3] - inner) / 255, 0, 1)[..., None]
    tone = rng.random()
    colour = np.full(3, 15 if tone < 0.5 else 245, np.float32)
    if tone > 0.75:
        colour = rng.integers(0, 256, 3).astype(np.float32)
    return join_channels(patch[..., :3] * (1 - rim) + colour * rim, patch[..., 3:])


def _fade(rng: np.random.Generator, patch: Patch) -> Patch:
    """Fade colours towards gray, or towards one random tint."""
    alpha = patch[..., 3:] / 255
    gray = patch[..., :3].mean(-1, keepdims=True)
    tint = rng.integers(40, 256, 3).astype(np.float32) / 255 if rng.random() < 0.5 else 1.0
    share = np.float32(rng.uniform(0.5, 1))
    low = np.float32(rng.uniform(0, 90))
    toned = (gray * (1 - low / 255) + low * alpha) * tint
    return join_channels(patch[..., :3] * (1 - share) + toned * share, patch[..., 3:])


def _curve(rng: np.random.Generator, patch: Patch) -> Patch:
    """Change the contrast of each channel, seldom to the negative of the brightness."""
    alpha = np.maximum(patch[..., 3:], 1)
    share = np.clip(patch[..., :3] / alpha, 0, 1)
    if rng.random() < 0.1:
        share = 1 - share
    power = np.exp(rng.normal(0, 0.45, 3)).astype(np.float32)
    return join_channels(share**power * patch[..., 3:], patch[..., 3:])


def _shade(rng: np.random.Generator, patch: Patch) -> Patch:
    """Lay a light or dark gradient across the drawing, as glossy styles have."""
    height, width = patch.shape[:2]
    angle = rng.uniform(0, 2 * pi)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    slope = (x * cos(angle) + y * sin(angle)) * np.float32(rng.uniform(0.5, 1.4))
    lit = slope[..., None] * patch[..., 3:] * np.float32(0.5)
    return join_channels(patch[..., :3] + lit, patch[..., 3:])


_CHANGES = (_turn_hue, _flatten, _ink, _outline, _fade, _curve, _shade)
