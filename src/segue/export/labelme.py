"""LabelMe: one JSON file a picture, as version 5 and later read it.

Kept: phrases, masks exactly (shapes of type "mask", a small PNG in the file), boxes of regions
without masks; scores and ids in the shape's description.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
spans, who found a region.
Read: shapes with an area, which are mask, rectangle, polygon, circle and oriented rectangle.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import PIL.Image

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    MaskBudget,
    are_near,
    near,
    read_list,
    read_number,
    read_object,
    read_size,
)
from segue.annotations.segmentation import read_segmentation
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.files import read_json, write_json
from segue.export.label_files import label_files
from segue.export.labels import label_of, region_of
from segue.export.outlines import ellipse
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region


def write_labelme(pictures: Sequence[AnnotatedImage], target: str | Path) -> list[Path]:
    """Write a file for each picture into a folder, named like it with .json.

    LabelMe looks for the picture beside its file; the pictures themselves are not copied.

    Raises:
        InputError: two pictures would share a file, or it cannot be written.
    """
    return [
        write_json(labelme(picture), Path(target) / name)
        for picture, name in zip(pictures, label_files(pictures, ".json"), strict=True)
    ]


def labelme(picture: AnnotatedImage) -> dict[str, Any]:
    """Return the contents of one file, as JSON values."""
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [shape for region in picture.regions for shape in _shapes(region)],
        "imagePath": PurePosixPath(picture.name.replace("\\", "/")).name,
        "imageData": None,
        "imageHeight": picture.size.height,
        "imageWidth": picture.size.width,
    }


def read_labelme(source: str | Path, *, skipped: list[str] | None = None) -> AnnotatedImage:
    """Read one file: all shapes that have an area.

    Args:
        source: the file.
        skipped: gets a sentence for each shape that is left out: points and lines, and damaged
            ones; None: points and lines are passed over, damage ends it all.

    Raises:
        InputError: it is not such a file.
    """
    document = read_json(source)
    log, budget = EntryLog(source, skipped), MaskBudget()
    regions: list[Region] = []
    with log.whole("a LabelMe file"):
        size = read_size(document["imageHeight"], document["imageWidth"])
        shapes, name = read_list(document["shapes"], "shapes"), str(document["imagePath"])
    for number, entry in enumerate(shapes, 1):
        place = f"shape {number}"
        with log.entry(place):
            shape = read_object(entry, "it")
            kind = shape.get("shape_type") or "polygon"
            if kind in ("point", "points", "line", "linestrip"):
                log.pass_over(place, f"a {kind} has no area")
            else:
                regions.append(_region(len(regions) + 1, kind, shape, size, budget))
    return AnnotatedImage(name, size, tuple(regions))


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


def _region(
    number: int, kind: str, shape: Mapping[str, Any], size: Size, budget: MaskBudget
) -> Region:
    label = str(shape["label"])
    points = [(read_number(x, "a corner"), read_number(y, "a corner")) for x, y in shape["points"]]
    if kind == "rectangle":
        if len(points) < 2:
            raise InputError("a rectangle needs two corners")
        xs, ys = zip(*points)
        box = near(Box(min(xs), min(ys), max(xs), max(ys)), size, "the rectangle")
        return region_of(number, label, None, box)
    budget.spend(size)
    if kind == "mask":
        return region_of(number, label, _mask(shape["mask"], points[0], size), None)
    if kind == "circle":
        (x, y), (on_x, on_y) = points
        radius = float(np.hypot(on_x - x, on_y - y))
        if not are_near((x - radius, x + radius, y - radius, y + radius), size):
            raise InputError("a circle lies far outside its picture")
        return region_of(number, label, Mask(ellipse((x, y), (radius, radius), 0, size)), None)
    if kind not in ("polygon", "oriented_rectangle"):
        raise InputError(f"shapes of the type {kind!r} are not known here")
    outline = read_segmentation([[value for point in points for value in point]], size)
    assert outline is not None
    return region_of(number, label, Mask(outline.filled(size)), None)


def _mask(encoded: Any, corner: tuple[float, float], size: Size) -> Mask:
    """Return a mask given as a small PNG whose upper left pixel lies at `corner`."""
    content = io.BytesIO(base64.b64decode(encoded))
    try:
        with PIL.Image.open(content, formats=["PNG"]) as picture:
            x, y = int(corner[0]), int(corner[1])
            if min(x, y) < 0 or x + picture.width > size.width or y + picture.height > size.height:
                raise InputError("a mask reaches beyond its picture")
            part = np.asarray(picture.convert("L")) > 0
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"a mask is too large: {error}") from error
    array = np.zeros(size, bool)
    array[y : y + part.shape[0], x : x + part.shape[1]] = part
    return Mask(array)
