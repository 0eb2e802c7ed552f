"""Distortions of pictures and questions, to measure how robust models are.

JPEG, scale and blur keep every pixel where it is, so truths stay valid. Scale shrinks the picture
and enlarges it again: detail is lost. Rotation is by quarter turns, and answers are turned back;
words of place ("the left one") lose their meaning under it.
"""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image

from segue.benchmarks.item import AnsweredRegion
from segue.benchmarks.respondent import Distortion, RegionMapping
from segue.benchmarks.rewording import reword
from segue.errors import UnknownName
from segue.runtime.catalog import unknown_name_message
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import rle


@dataclass(frozen=True, slots=True)
class DistortionLevel:
    """One point of the curve."""

    name: str
    """For folders and tables: "jpeg-30"."""
    picture: Distortion | None = None
    words: Callable[[str], str] | None = None
    restore: RegionMapping | None = None
    """Brings regions of the changed picture back to the original one."""


def compress(image: Image, quality: int) -> Image:
    """Return a picture after JPEG compression of a quality, 1 to 95."""
    buffer = io.BytesIO()
    image.to_pil().save(buffer, "JPEG", quality=quality)
    return Image(np.array(PIL.Image.open(buffer)), image.name)


def lose_detail(image: Image, percent: int) -> Image:
    """Return a picture shrunk to a percentage of its sides, and enlarged again."""
    size = image.size
    small = (max(1, size.width * percent // 100), max(1, size.height * percent // 100))
    shrunk = image.to_pil().resize(small, PIL.Image.Resampling.BOX)
    enlarged = shrunk.resize((size.width, size.height), PIL.Image.Resampling.BICUBIC)
    return Image(np.array(enlarged), image.name)


def blur(image: Image, radius: int) -> Image:
    """Return a picture after Gaussian blur; the radius is in thousandths of the longer side."""
    import cv2

    sigma = radius * max(image.size) / 1000
    return Image(cv2.GaussianBlur(image.array, (0, 0), sigma), image.name)


def rotate(image: Image, degrees: int) -> Image:
    """Return a picture turned counterclockwise by a multiple of 90 degrees."""
    return Image(np.ascontiguousarray(np.rot90(image.array, degrees // 90)), image.name)


def rotate_back(region: AnsweredRegion, size: Size, degrees: int) -> AnsweredRegion:
    """Return a region of a turned picture as it lies on the original one.

    Args:
        region: on the turned picture.
        size: of the turned picture.
        degrees: by which it was turned.
    """
    box, mask = region.box, region.rle
    height, width = size
    for _ in range(degrees // 90 % 4):
        box = Box.spanning(height - box.y0, box.x0, height - box.y1, box.x1)
        height, width = width, height
    if mask is not None:
        pixels = rle.decode(mask, expected_size=size)
        mask = rle.encode(np.ascontiguousarray(np.rot90(pixels, -(degrees // 90))))
    return replace(region, box=box, rle=mask)


def mistype(text: str, per_mille: int) -> str:
    """Return text in which letters are swapped with their neighbours.

    Args:
        text: the phrase.
        per_mille: how many of a thousand letters; the same text gives the same mistakes.

    >>> mistype("the red cup on the table", 200)
    'teh red cpu no the tabel'
    """
    rng = random.Random(f"{text} {per_mille}")
    letters, index = list(text), 0
    while index + 1 < len(letters):
        pair = letters[index : index + 2]
        if all(map(str.isalpha, pair)) and rng.random() * 1000 < per_mille:
            letters[index : index + 2] = pair[::-1]
            index += 1
        index += 1
    return "".join(letters)


def _picture_levels(
    name: str, distort: Callable[[Image, int], Image], levels: tuple[int, ...]
) -> tuple[DistortionLevel, ...]:
    def at(level: int) -> Distortion:
        return lambda image: distort(image, level)

    return tuple(DistortionLevel(f"{name}-{level}", at(level)) for level in levels)


def _rotation_levels(levels: tuple[int, ...]) -> tuple[DistortionLevel, ...]:
    def at(degrees: int) -> DistortionLevel:
        return DistortionLevel(
            f"rotate-{degrees}",
            lambda image: rotate(image, degrees),
            restore=lambda region, size: rotate_back(region, size, degrees),
        )

    return tuple(map(at, levels))


def _word_levels(
    name: str, distort: Callable[[str, int], str], levels: tuple[int, ...]
) -> tuple[DistortionLevel, ...]:
    def at(level: int) -> Callable[[str], str]:
        return lambda text: distort(text, level)

    return tuple(DistortionLevel(f"{name}-{level}", words=at(level)) for level in levels)


DISTORTIONS: Mapping[str, tuple[DistortionLevel, ...]] = {
    "jpeg": _picture_levels("jpeg", compress, (75, 50, 30, 15, 5)),
    "scale": _picture_levels("scale", lose_detail, (75, 50, 35, 25, 15)),
    "blur": _picture_levels("blur", blur, (2, 4, 8, 16)),
    "rotate": _rotation_levels((90, 180, 270)),
    "typos": _word_levels("typos", mistype, (50, 100, 200, 400)),
    "paraphrase": _word_levels("paraphrase", reword, (1, 2, 3)),
}
"""Name -> levels, the mildest first."""


def distortion_levels(name: str) -> tuple[DistortionLevel, ...]:
    """Return the levels of a distortion.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in DISTORTIONS:
        raise UnknownName(unknown_name_message("distortion", name, DISTORTIONS))
    return DISTORTIONS[name]
