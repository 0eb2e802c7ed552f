"""Draw the sample scenes that are bundled with the package: compositions made by hand.

`draw_samples` needs the fetched drawings; `segue.embedded.samples` reads what it writes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from lab.scenes.art import large_drawing
from lab.scenes.scene import Scene, SpritePlacement, compose
from lab.scenes.vocabulary import nouns
from segue.values.mask import Mask

SIZE = (480, 640)
"""Height and width of a sample, in pixels."""


@dataclass(frozen=True)
class Item:
    """A drawing in a composition; places and sizes as in `SpritePlacement`."""

    style: str
    slug: str
    centre: tuple[float, float]
    side: float
    angle: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Composition:
    """A sample scene by hand: its name, background, seed and drawings from back to front."""

    name: str
    background: str
    seed: int
    items: tuple[Item, ...]


COMPOSITIONS = (
    Composition("airport", "airport", 616, (Item("fluent-flat", "airplane", (289, 191), 313),)),
    Composition(
        "meadow",
        "meadow",
        165,
        (
            Item("fluent-flat", "dog", (211, 318), 198, -3),
            Item("noto", "ewe", (426, 254), 209, 12),
        ),
    ),
    Composition(
        "table",
        "table",
        631,
        (
            Item("noto", "hot-beverage", (131, 285), 183, 5),
            Item("noto", "hamburger", (314, 329), 131, -8, flip=True),
            Item("fluent-flat", "red-apple", (492, 369), 166, 5),
        ),
    ),
    Composition(
        "beach",
        "beach",
        323,
        (
            Item("fluent-flat", "sailboat", (400, 207), 213, -1),
            Item("fluent-flat", "crab", (127, 345), 167, flip=True),
        ),
    ),
)


def draw(composition: Composition) -> Scene:
    """Draw a composition with drawings of full size; they are fetched where necessary."""
    placements = [
        SpritePlacement(
            large_drawing(item.style, item.slug, int(item.side * 1.2)),
            item.centre,
            item.side,
            item.angle,
            item.flip,
        )
        for item in composition.items
    ]
    rng = np.random.default_rng(composition.seed)
    return compose(rng, composition.background, placements, SIZE)


def draw_samples(folder: Path) -> None:
    """Write all samples and their truth into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = []
    for composition in COMPOSITIONS:
        scene = draw(composition)
        PIL.Image.fromarray(scene.image).save(folder / f"{composition.name}.png", optimize=True)
        objects = [
            {
                "noun": nouns()[item.noun].english,
                "chinese": nouns()[item.noun].chinese,
                "box": item.box,
                "rle": dict(Mask(mask).rle),
            }
            for item, mask in zip(scene.objects, scene.masks, strict=True)
        ]
        row = {"name": composition.name, "background": composition.background}
        truth.append({**row, "objects": objects})
    (folder / "truth.json").write_text(
        json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
