"""More backgrounds for drawn scenes: surfaces, layers, furnished rooms, clutter, lights.

`SCENERY` has each generator by name, with the name of `backgrounds.NAMES` that a person would give
to what it draws; what has none is a "pattern". `paint_scenery` draws one. Pictures are (H, W, 3)
float32, 0..255.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.scenes import places, surfaces
from lab.scenes.backgrounds import COLOURS, Picture
from lab.scenes.canvas import Canvas
from lab.scenes.colours import terms


@dataclass(frozen=True)
class Scenery:
    """A generator, and what a person would call its pictures, one of `backgrounds.NAMES`.

    An empty name: a plain surface, called by its colour.
    """

    paint: Callable[[np.random.Generator, int, int], Canvas]
    background: str = "pattern"


def paint_scenery(
    rng: np.random.Generator, name: str, height: int, width: int
) -> tuple[Picture, str]:
    """Draw the scenery called `name`, one of `SCENERY`.

    Returns:
        The picture, (height, width, 3) float32, and its name in `backgrounds.NAMES`.
    """
    scenery = SCENERY[name]
    canvas = scenery.paint(rng, height, width)
    background = scenery.background or colour_name(canvas)
    return canvas.astype(np.float32), background


def colour_name(canvas: Canvas) -> str:
    """Return the commonest colour term of a picture, one of `backgrounds.COLOURS`."""
    small = np.ascontiguousarray(canvas[::8, ::8])
    return list(COLOURS)[int(np.bincount(terms(small).ravel()).argmax())]


SCENERY: dict[str, Scenery] = {
    "gradients": Scenery(surfaces.gradients),
    "polygons": Scenery(surfaces.polygons),
    "facets": Scenery(surfaces.facets),
    "bokeh": Scenery(surfaces.bokeh),
    "checkers": Scenery(surfaces.checkers),
    "plaid": Scenery(surfaces.plaid),
    "dots": Scenery(surfaces.dots),
    "bricks": Scenery(surfaces.bricks),
    "clutter": Scenery(surfaces.clutter),
    "mottled": Scenery(surfaces.mottled),
    "plain": Scenery(surfaces.plain, ""),
    "paper": Scenery(surfaces.paper, "white"),
    "wood": Scenery(surfaces.wood, "table"),
    "furnished room": Scenery(places.furnished_room, "room"),
    "banks of clouds": Scenery(places.banks_of_clouds, "sky"),
    "layered hills": Scenery(places.layered_land((150, 190, 150), (50, 120, 50)), "meadow"),
    "layered dunes": Scenery(places.layered_land((235, 205, 150), (200, 150, 85)), "desert"),
    "layered snow": Scenery(places.layered_land((205, 215, 230), (248, 250, 253)), "snow"),
    "layered water": Scenery(places.layered_land((110, 170, 205), (20, 80, 140)), "sea"),
}
