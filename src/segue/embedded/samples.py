"""The sample scenes that come with the package, composed by hand with the scene generator.

`draw_samples` makes them anew (it needs the fetched drawings); `samples()` lists what is shipped:
pictures of 640 x 480 pixels in `samples/`, with the truth in `samples/truth.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import PIL.Image

from segue.embedded.scenes import Placement, Scene, compose
from segue.embedded.vocabulary import nouns
from segue.errors import UnknownName
from segue.runtime.catalog import unknown_name_message
from segue.values.image import Image

SIZE = (480, 640)
"""Height and width of a sample, in pixels."""


@dataclass(frozen=True)
class Item:
    """A drawing in a composition; places and sizes as in `Placement`."""

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


@dataclass(frozen=True)
class TrueObject:
    """One object of a sample: its names, its visible box in pixels and its COCO mask."""

    english: str
    chinese: str
    box: tuple[float, float, float, float]
    rle: dict[str, object]


@dataclass(frozen=True)
class SampleScene:
    """A shipped scene: its picture, its background, what it shows, and what to ask about it."""

    name: str
    file: Path
    background: str
    objects: tuple[TrueObject, ...]
    questions: tuple[str, ...]

    @property
    def image(self) -> Image:
        """The picture."""
        return Image.open(self.file)


def draw(composition: Composition) -> Scene:
    """Draw a composition with drawings of full size; they are fetched where necessary."""
    from segue.embedded.art import large_drawing

    placements = [
        Placement(
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
    from segue.values.mask import Mask

    folder.mkdir(parents=True, exist_ok=True)
    truth = []
    for composition in COMPOSITIONS:
        scene = draw(composition)
        PIL.Image.fromarray(scene.image).save(folder / f"{composition.name}.png", optimize=True)
        objects = [
            {
                "noun": nouns()[placed.noun].english,
                "box": placed.box,
                "rle": dict(Mask(mask).rle),
            }
            for placed, mask in zip(scene.objects, scene.masks, strict=True)
        ]
        row = {"name": composition.name, "background": composition.background}
        truth.append({**row, "objects": objects})
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _questions(first: TrueObject, last: TrueObject) -> tuple[str, ...]:
    """The reference questions of the project, asked about these objects."""
    return (
        "这是什么?",
        "What is in the picture?",
        f"框出图片中{first.chinese}的位置",
        f"Frame the {last.english} in the picture.",
        f"Can you segement the {first.english} in this image?",
        f"分割图片中的{last.chinese}",
    )


def samples() -> tuple[SampleScene, ...]:
    """The shipped sample scenes."""
    folder = Path(str(resources.files("segue.embedded"))) / "samples"
    by_english = {noun.english: noun for noun in nouns()}
    found = []
    for row in json.loads((folder / "truth.json").read_text("utf-8")):
        objects = tuple(
            TrueObject(one["noun"], by_english[one["noun"]].chinese, tuple(one["box"]), one["rle"])
            for one in row["objects"]
        )
        file = folder / f"{row['name']}.png"
        questions = _questions(objects[0], objects[-1])
        found.append(SampleScene(row["name"], file, row["background"], objects, questions))
    return tuple(found)


def sample(name: str) -> SampleScene:
    """The shipped sample scene of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
    """
    by_name = {scene.name: scene for scene in samples()}
    if name not in by_name:
        raise UnknownName(unknown_name_message("sample scene", name, by_name))
    return by_name[name]
