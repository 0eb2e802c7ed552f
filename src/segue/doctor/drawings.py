"""Pictures of plain coloured shapes whose places are known to the pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from PIL import ImageDraw

from segue.values.box import Box, Size
from segue.values.image import Image

COLOURS = {
    "red": (220, 30, 30), "green": (30, 150, 60), "blue": (40, 70, 220), "orange": (245, 130, 30),
    "purple": (140, 50, 160),
}  # fmt: skip
GROUND = (245, 243, 238)


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing in a drawing."""

    phrase: str
    """What to ask for: "red circle"."""
    box: Box


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture and what is in it."""

    name: str
    image: Image
    shapes: tuple[Shape, ...]


def drawn(name: str, size: Size, shapes: Sequence[Shape]) -> Drawing:
    """Draw shapes whose phrases are a colour and "circle", "square" or "triangle"."""
    picture = PIL.Image.new("RGB", (size.width, size.height), GROUND)
    pen = ImageDraw.Draw(picture)
    for shape in shapes:
        colour, _, kind = shape.phrase.partition(" ")
        x0, y0, x1, y1 = shape.box.corners
        inside = (x0, y0, x1 - 1, y1 - 1)  # Pillow draws the last pixel too
        if kind == "circle":
            pen.ellipse(inside, fill=COLOURS[colour])
        elif kind == "triangle":
            tip = ((x0 + x1 - 1) / 2, y0)
            pen.polygon([tip, (x0, y1 - 1), (x1 - 1, y1 - 1)], fill=COLOURS[colour])
        else:
            pen.rectangle(inside, fill=COLOURS[colour])
    return Drawing(name, Image(np.asarray(picture), f"{name}.png"), tuple(shapes))


def grounding_drawings() -> tuple[Drawing, ...]:
    """Two drawings of different size and shape: a grid and pixels cannot be mistaken in both."""
    return (
        drawn(
            "wide",
            Size(height=560, width=896),
            (
                Shape("red circle", Box(90, 70, 330, 310)),
                Shape("blue square", Box(520, 250, 800, 490)),
            ),
        ),
        drawn(
            "tall",
            Size(height=1344, width=672),
            (
                Shape("green triangle", Box(60, 840, 380, 1200)),
                Shape("orange square", Box(300, 110, 610, 420)),
            ),
        ),
    )


def pair() -> tuple[Drawing, Drawing]:
    """Two pictures with one shape each, of different colours."""
    size, place = Size(448, 448), Box(100, 100, 348, 348)
    return (
        drawn("first", size, (Shape("red square", place),)),
        drawn("second", size, (Shape("blue square", place),)),
    )


def crowd() -> Drawing:
    """Five circles of one colour."""
    corners = ((60, 60), (380, 40), (680, 90), (200, 330), (560, 340))
    boxes = [Box(x, y, x + 130, y + 130) for x, y in corners]
    return drawn("crowd", Size(560, 896), [Shape("purple circle", box) for box in boxes])
