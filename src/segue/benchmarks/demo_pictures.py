"""Pictures for the stand-ins of the benchmarks: variants of the bundled sample scenes.

Twenty pictures from four scenes: as they are, mirrored, darker, brighter and mirrored, and cut to a
part. The objects and their masks follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segue.embedded.samples import samples
from segue.files.atomic import write_picture
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

_MARGIN = 24
"""Pixels that the cut variants lose on each side."""
VARIANTS = ("plain", "mirrored", "dark", "bright", "cut")


@dataclass(frozen=True, slots=True)
class DemoObject:
    """One object: its name, and its pixels."""

    noun: str
    mask: Mask

    @property
    def box(self) -> Box:
        """The box around its pixels."""
        return self.mask.box or Box(0, 0, 0, 0)

    @property
    def rings(self) -> list[list[float]]:
        """The outer outlines of its pixels, as COCO writes polygons."""
        return [
            [number for corner in polygon.outer for number in corner]
            for polygon in self.mask.polygons
        ]

    @property
    def xywh(self) -> list[float]:
        """Its box, as COCO writes boxes."""
        return [self.box.x0, self.box.y0, self.box.width, self.box.height]


@dataclass(frozen=True, slots=True)
class DemoPicture:
    """One picture with its objects."""

    number: int
    """From 1."""
    image: Image
    objects: tuple[DemoObject, ...]
    scene: str

    @property
    def size(self) -> Size:
        """Of the picture."""
        return self.image.size


def demo_pictures() -> Iterator[DemoPicture]:
    """Yield the twenty pictures."""
    number = 0
    for scene in samples():
        pixels = scene.image.array
        masks = [Mask.from_rle(item.rle).array for item in scene.objects]
        for variant in VARIANTS:
            number += 1
            objects = tuple(
                DemoObject(item.english, Mask(_vary(mask, variant)))
                for item, mask in zip(scene.objects, masks, strict=True)
            )
            array = _relight(_vary(pixels, variant), variant)
            yield DemoPicture(number, Image(array), objects, scene.name)


def _vary(array: np.ndarray, variant: str) -> np.ndarray:
    """Mirror or cut pixels, (H, W, …)."""
    if variant in ("mirrored", "bright"):
        array = array[:, ::-1]
    if variant == "cut":
        array = array[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(array)


def _relight(array: np.ndarray, variant: str) -> np.ndarray:
    factor = {"dark": 0.85, "bright": 1.1}.get(variant, 1.0)
    return np.clip(array * factor, 0, 255).astype(np.uint8)


def write_demo_picture(picture: DemoPicture, file: Path) -> None:
    """Write a picture; JPEG at a quality that changes little."""
    from segue.files.atomic import write_bytes

    if file.suffix.lower() not in (".jpg", ".jpeg"):
        write_picture(file, picture.image.to_pil())
        return
    import io

    buffer = io.BytesIO()
    picture.image.to_pil().save(buffer, "JPEG", quality=97, subsampling=0)
    write_bytes(file, buffer.getvalue())


ABSENT_NOUNS = ("airplane", "dog", "cup", "sailboat", "sheep", "apple", "hamburger", "crab")
"""All nouns of the scenes; one that is not on a picture is absent there."""


def absent_noun(picture: DemoPicture) -> str:
    """Return the first noun that is not on a picture, from a place that depends on its number."""
    present = {item.noun for item in picture.objects}
    start = picture.number % len(ABSENT_NOUNS)
    order = (*ABSENT_NOUNS[start:], *ABSENT_NOUNS[:start])
    return next(noun for noun in order if noun not in present)
