"""PNG files: a mask each, a label map of all, the overlay.

Losses: a mask file keeps the pixels only, its name the id and the readable part of the phrase. A
label map gives each pixel to one region, the smallest there, so overlaps are lost.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from segue.draw import draw_regions
from segue.draw.palette import palette, shade
from segue.errors import InputError
from segue.export.files import write_picture
from segue.export.names import safe_name, unique_names
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region


def mask_file_names(regions: Sequence[Region]) -> list[str]:
    """Return a readable and safe file name for each region, all different: "r1-airplane.png"."""
    names = []
    for region in regions:
        parts = [safe_name(region.id) or "r", safe_name(region.phrase)]
        names.append("-".join(part for part in parts if part) + ".png")
    return unique_names(names)


def write_masks(regions: Sequence[Region], folder: str | Path) -> list[Path]:
    """Write a PNG for each region that has a mask: white on black, 8-bit grey.

    The folder is made where it is missing. Files of an earlier run with the same names are
    replaced; two regions of one call never share a name.

    Returns:
        The files, in the order of the regions.
    """
    masked = [region for region in regions if region.mask is not None]
    files = []
    for region, name in zip(masked, mask_file_names(masked), strict=True):
        if region.mask is not None:
            picture = PIL.Image.fromarray(region.mask.array)
            files.append(write_picture(picture.convert("L"), Path(folder) / name))
    return files


def read_mask(file: str | Path) -> Mask:
    """Read a mask from a picture file: every pixel that is not black belongs to it."""
    return Mask(np.asarray(Image.open(Path(file)).array.any(axis=2)))


def label_map(regions: Sequence[Region], size: Size) -> np.ndarray:
    """Label the pixels of regions: (H, W) uint16, n for the n-th region, 0 for none.

    Where masks overlap, the smallest has the pixel.
    """
    numbers = np.zeros(size, np.uint16)
    masked = [(n, region.mask) for n, region in enumerate(regions, 1) if region.mask is not None]
    for number, mask in sorted(masked, key=lambda pair: -pair[1].area):
        if mask.size != size:
            raise InputError(
                f"The mask of region {regions[number - 1].id} has the size {tuple(mask.size)}, "
                f"the picture {tuple(size)} (height, width). Write each picture on its own."
            )
        numbers[mask.array] = number
    return numbers


def write_label_map(regions: Sequence[Region], size: Size, file: str | Path) -> Path:
    """Write the label map: a palette PNG in colours, or 16-bit grey for more than 255 regions."""
    numbers = label_map(regions, size)
    if len(regions) > 255:
        return write_picture(PIL.Image.fromarray(numbers), Path(file))
    size_wh = (size.width, size.height)
    picture = PIL.Image.frombytes("P", size_wh, numbers.astype(np.uint8).tobytes())
    colours = palette(region.phrase for region in regions)
    table = [(0, 0, 0), *(shade(colours[r.phrase], n // 7) for n, r in enumerate(regions))]
    picture.putpalette([part for colour in table for part in colour])
    return write_picture(picture, Path(file))


def write_overlay(image: Image, regions: Sequence[Region], file: str | Path) -> Path:
    """Write the picture with the regions drawn on it (see `draw_regions`)."""
    return write_picture(draw_regions(image, regions), Path(file))
