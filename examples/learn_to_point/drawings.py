"""Pictures of one coloured shape, its box and its mask."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
from PIL import ImageDraw

from segue.values.box import Box, Size
from segue.values.frames import FramedBox

SIDE = 112
COLOURS = {"red": (210, 50, 50), "green": (50, 160, 70), "blue": (60, 90, 210)}
KINDS = ["square", "circle"]


@dataclass(frozen=True)
class Drawing:
    """One drawing with its truth."""

    picture: PIL.Image.Image
    phrase: str
    box: Box
    mask: np.ndarray
    """(H, W) bool."""

    @property
    def question(self) -> str:
        return f"Find the {self.phrase} in the picture."

    @property
    def answer(self) -> str:
        """In Qwen-VL's markup; training says it in the model's own."""
        grid = FramedBox.of(self.box, Size(SIDE, SIDE))
        corners = [round(value) for value in (grid.xa, grid.ya, grid.xb, grid.yb)]
        return "<ref>{}</ref><box>({},{}),({},{})</box>".format(self.phrase, *corners)


def drawing(seed: int) -> Drawing:
    """Draw the drawing of that seed: a square or circle on a plain light ground."""
    rng = np.random.default_rng(seed)
    colour, kind = str(rng.choice(list(COLOURS))), str(rng.choice(KINDS))
    width, height = (int(v) for v in rng.integers(SIDE * 0.35, SIDE * 0.75, 2))
    x, y = int(rng.integers(0, SIDE - width)), int(rng.integers(0, SIDE - height))
    ground = tuple(int(v) for v in rng.integers(225, 256, 3))
    picture, mask = PIL.Image.new("RGB", (SIDE, SIDE), ground), PIL.Image.new("1", (SIDE, SIDE))
    for image, ink in ((picture, COLOURS[colour]), (mask, 1)):
        pen = ImageDraw.Draw(image)
        place = (x, y, x + width - 1, y + height - 1)
        (pen.rectangle if kind == "square" else pen.ellipse)(place, fill=ink)
    return Drawing(picture, f"{colour} {kind}", Box(x, y, x + width, y + height), np.asarray(mask))
