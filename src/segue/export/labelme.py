"""LabelMe: one JSON file a picture, as version 5 and later read it.

Kept: phrases, masks exactly (shapes of type "mask", a small PNG in the file), boxes of regions
without masks; scores and ids in the shape's description.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
spans, who found a region.
"""

import base64
import binascii
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import PIL.Image

from segue.box import Box, Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_json, write_json
from segue.export.labels import label_of, region_of
from segue.export.yolo import label_files
from segue.mask import Mask
from segue.region import Region


def write_labelme(pictures: Sequence[Annotated], target: str | Path) -> list[Path]:
    """Write a file for each picture into a folder, named like it with .json.

    LabelMe looks for the picture beside its file; the pictures themselves are not copied.
    """
    names = [Path(name).with_suffix(".json") for name in label_files(pictures)]
    return [
        write_json(labelme(picture), Path(target) / name)
        for picture, name in zip(pictures, names, strict=True)
    ]


def labelme(picture: Annotated) -> dict[str, Any]:
    """The contents of one file, as JSON values."""
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [shape for region in picture.regions for shape in _shapes(region)],
        "imagePath": PurePosixPath(picture.name.replace("\\", "/")).name,
        "imageData": None,
        "imageHeight": picture.size.height,
        "imageWidth": picture.size.width,
    }


def read_labelme(source: str | Path) -> Annotated:
    """Read one file: shapes of type mask and rectangle.

    Raises:
        InputError: it is not such a file, or holds other shapes.
    """
    document = read_json(source)
    try:
        size = Size(int(document["imageHeight"]), int(document["imageWidth"]))
        shapes = enumerate(document["shapes"], 1)
        regions = tuple(_region(number, shape, size) for number, shape in shapes)
        return Annotated(str(document["imagePath"]), size, regions)
    except (KeyError, TypeError, ValueError, binascii.Error, OSError) as error:
        raise InputError(f"{source} cannot be read as a LabelMe file: {error}.") from error


def _shapes(region: Region) -> list[dict[str, Any]]:
    note = json.dumps({"id": region.id, "score": region.score})
    shape: dict[str, Any] = {
        "label": label_of(region),
        "group_id": None,
        "flags": {},
        "description": note,
    }
    if region.mask is None:
        x0, y0, x1, y1 = region.box.corners
        return [{**shape, "shape_type": "rectangle", "points": [[x0, y0], [x1, y1]], "mask": None}]
    box = region.mask.box
    if box is None:
        return []
    x0, y0, x1, y1 = (int(corner) for corner in box.corners)
    buffer = io.BytesIO()
    PIL.Image.fromarray(region.mask.array[y0:y1, x0:x1]).save(buffer, "PNG")
    # LabelMe counts the last pixel in.
    return [
        {
            **shape,
            "shape_type": "mask",
            "points": [[x0, y0], [x1 - 1, y1 - 1]],
            "mask": base64.b64encode(buffer.getvalue()).decode(),
        }
    ]


def _region(number: int, shape: dict[str, Any], size: Size) -> Region:
    label, kind = str(shape["label"]), shape.get("shape_type")
    (xa, ya), (xb, yb) = shape["points"]
    if kind == "rectangle":
        return region_of(number, label, None, Box.spanning(xa, ya, xb, yb))
    if kind != "mask":
        raise InputError(f"Shape {number} has the type {kind!r}, expected mask or rectangle.")
    with PIL.Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=["PNG"]) as picture:
        if picture.width > size.width or picture.height > size.height:
            raise InputError(f"Shape {number} has a mask larger than the picture.")
        part = np.asarray(picture.convert("L")) > 0
    array, x, y = np.zeros(size, bool), int(xa), int(ya)
    array[y : y + part.shape[0], x : x + part.shape[1]] = part
    return region_of(number, label, Mask(array), None)
