"""Drawn scenes of a few classes, as files to annotate and as the truth about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from segue.values.mask import Mask

COUNTS = (0.4, 0.4, 0.2)
"""Shares of scenes with one, two and three objects."""


@dataclass(frozen=True)
class TrueObject:
    """One object of a scene: its class and its visible pixels."""

    name: str
    mask: Mask


@dataclass(frozen=True)
class PictureSet:
    """A folder of pictures, and what is on each."""

    folder: Path
    truth: dict[str, list[TrueObject]]
    """By the name of the file."""
    classes: tuple[str, ...]
    """All classes that occur."""


def draw_pictures(
    folder: Path, bank: SpriteBank, classes: Sequence[str], count: int, seed: int
) -> PictureSet:
    """Draw scenes and write them as PNG files; the same seed gives the same scenes.

    Args:
        folder: for the files.
        bank: the drawings.
        classes: English nouns that may occur.
        count: of scenes.
        seed: of all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = tuple(noun.index for noun in nouns() if noun.english in classes)
    recipe = SceneRecipe(counts=COUNTS, restyle=0.0, squeeze=0.0, noun_indices=numbers)
    rng, truth = np.random.default_rng(seed), {}
    for number in range(count):
        scene = render(rng, bank, recipe)
        name = f"{number:04d}.png"
        Image.fromarray(scene.image).save(folder / name)
        truth[name] = _objects_of(scene)
    return PictureSet(folder, truth, tuple(classes))


def _objects_of(scene: Scene) -> list[TrueObject]:
    pairs = zip(scene.objects, scene.masks, strict=True)
    return [TrueObject(nouns()[item.noun].english, Mask(mask)) for item, mask in pairs]
