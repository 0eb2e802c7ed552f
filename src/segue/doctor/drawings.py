"""Pictures of plain coloured shapes whose boxes are known to the pixel."""

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
BACKGROUND = (245, 243, 238)


@dataclass(frozen=True, slots=True)
class DrawnShape:
    """An object in a drawing."""

    phrase: str
    """What to ask for, such as "red circle"."""
    box: Box


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture and the shapes in it."""

    name: str
    image: Image
    shapes: tuple[DrawnShape, ...]


def draw_shapes(name: str, size: Size, shapes: Sequence[DrawnShape]) -> Drawing:
    """Draw shapes whose phrases are a colour and "circle", "square" or "triangle"."""
    canvas = PIL.Image.new("RGB", (size.width, size.height), BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        colour, _, kind = shape.phrase.partition(" ")
        x0, y0, x1, y1 = shape.box.corners
        pillow_box = (x0, y0, x1 - 1, y1 - 1)  # Pillow includes the last pixel
        if kind == "circle":
            pen.ellipse(pillow_box, fill=COLOURS[colour])
        elif kind == "triangle":
            tip = ((x0 + x1 - 1) / 2, y0)
            pen.polygon([tip, (x0, y1 - 1), (x1 - 1, y1 - 1)], fill=COLOURS[colour])
        else:
            pen.rectangle(pillow_box, fill=COLOURS[colour])
    return Drawing(name, Image(np.asarray(canvas), f"{name}.png"), tuple(shapes))


def grounding_drawings() -> tuple[Drawing, ...]:
    """Return drawings of two sizes and aspect ratios, so that frames cannot be mistaken in both."""
    return (
        draw_shapes(
            "wide",
            Size(height=560, width=896),
            (
                DrawnShape("red circle", Box(90, 70, 330, 310)),
                DrawnShape("blue square", Box(520, 250, 800, 490)),
            ),
        ),
        draw_shapes(
            "tall",
            Size(height=1344, width=672),
            (
                DrawnShape("green triangle", Box(60, 840, 380, 1200)),
                DrawnShape("orange square", Box(300, 110, 610, 420)),
            ),
        ),
    )


def two_pictures() -> tuple[Drawing, Drawing]:
    """Return two pictures with one shape each, of different colours."""
    size, box = Size(448, 448), Box(100, 100, 348, 348)
    return (
        draw_shapes("first", size, (DrawnShape("red square", box),)),
        draw_shapes("second", size, (DrawnShape("blue square", box),)),
    )


def counting_drawing() -> Drawing:
    """Return a picture of five circles of one colour."""
    top_left_corners = ((60, 60), (380, 40), (680, 90), (200, 330), (560, 340))
    boxes = [Box(x, y, x + 130, y + 130) for x, y in top_left_corners]
    return draw_shapes("crowd", Size(560, 896), [DrawnShape("purple circle", box) for box in boxes])
