"""Looks: drawing styles by rule, for whole scenes; stronger than `restyle.py`, and of more kinds.

A look draws a patch anew: with a line around it, in few flat colours, hatched, dotted, in pencil,
as a silhouette. In a scene with one look every drawing has the same line, palette and hatching, as
the drawings of one hand do.

All functions of `LOOKS` take and return a patch: (h, w, 4) float32, 0..255, colours premultiplied
by alpha. A line outside the silhouette makes the drawing larger, by at most `MARGIN` pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lab.scenes import fills, strokes
from lab.scenes.restyle import Patch
from lab.scenes.strokes import Field

MARGIN = 10
"""How far, in pixels, a look may reach beyond the drawing."""


@dataclass(frozen=True)
class Look:
    """One hand's way of drawing: names in `LOOKS`, applied in order.

    With a `seed` every drawing gets the same line, colours and hatching; without one, its own.
    `shadow` is the strength of the shadow that falls beside a drawing, 0 for none.
    """

    names: tuple[str, ...]
    seed: int | None = None
    shadow: float = 0.0

    def draw(self, rng: np.random.Generator, patch: Patch) -> Patch:
        """Draw a patch in this look."""
        if self.seed is not None:
            rng = np.random.default_rng(self.seed)
        for name in self.names:
            patch = LOOKS[name](rng, patch)
        return patch

    def light_beside(self, rng: np.random.Generator, alpha: Field) -> Field | None:
        """Return the light that the shadow of a silhouette leaves, (h, w) in 0..1, or None."""
        if not self.shadow:
            return None
        if self.seed is not None:
            rng = np.random.default_rng(self.seed + 1)
        right, down = (float(v) for v in rng.uniform(-MARGIN, MARGIN, 2))
        shift = np.array([[1, 0, right], [0, 1, abs(down)]], np.float32)
        shadow = cv2.warpAffine(alpha, shift, (alpha.shape[1], alpha.shape[0]))
        soft = cv2.blur(shadow, (5, 5)) if rng.random() < 0.6 else shadow
        return np.asarray(1 - np.float32(self.shadow / 255) * soft, np.float32)


def random_look(rng: np.random.Generator) -> Look:
    """Choose a look: mostly one fill and one line, of one hand in two scenes of three."""
    fill = str(rng.choice(FILLS)) if rng.random() < 0.75 else None
    line = str(rng.choice(LINES)) if fill is None or rng.random() < 0.55 else None
    return Look(
        names=tuple(name for name in (fill, line) if name is not None),
        seed=int(rng.integers(2**31)) if rng.random() < 0.67 else None,
        shadow=float(rng.uniform(0.15, 0.6)) if rng.random() < 0.25 else 0.0,
    )


LOOKS: dict[str, Callable[[np.random.Generator, Patch], Patch]] = {
    "inner line": strokes.inner_line,
    "outer line": strokes.outer_line,
    "sticker": strokes.sticker,
    "contours": strokes.contours,
    "flat colours": fills.flat_colours,
    "swapped channels": fills.swapped_channels,
    "two tones": fills.two_tones,
    "gradient": fills.gradient,
    "hatched": fills.hatched,
    "dotted": fills.dotted,
    "pencil": fills.pencil,
    "textured": fills.textured,
    "washed": fills.washed,
    "pixels": fills.pixels,
}
LINES = ("inner line", "outer line", "sticker", "contours")
FILLS = tuple(name for name in LOOKS if name not in LINES)
