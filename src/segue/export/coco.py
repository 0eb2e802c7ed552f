"""COCO instances: one JSON file for all pictures.

Kept: pictures and their sizes, phrases as categories, boxes, masks exactly (compressed RLE with
`iscrowd` 0, which pycocotools and its successors read), scores, ids and who found a region.
Lost: spans, quadrilaterals, the masks' own scores; several spaces in a phrase; which of two regions
without a phrase was so ("object").
With `polygons=True` masks become lists of corners along pixel edges, holes tied in by a seam: exact
when filled by pixel centres, as here and by pycocotools; a program that draws the lines as well
makes shapes a pixel larger to the right and below. Masks without a pixel become boxes only.

Source: https://cocodataset.org/#format-data
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from segue.box import Box, Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_json, write_json
from segue.export.labels import label_of, labels_of, region_of
from segue.export.rings import seamed
from segue.mask import Mask
from segue.mask.contour import Polygon
from segue.region import FoundBy, Region


def write_coco(
    pictures: Sequence[Annotated], target: str | Path, *, polygons: bool = False
) -> list[Path]:
    """Write all pictures into one file.

    Args:
        pictures: what to write; ids count from 1 in their order.
        target: the .json file.
        polygons: write corners instead of run lengths.

    Returns:
        The one file.
    """
    return [write_json(coco(pictures, polygons=polygons), Path(target))]


def coco(pictures: Sequence[Annotated], *, polygons: bool = False) -> dict[str, Any]:
    """The contents of the file, as JSON values."""
    categories = {label: number for number, label in enumerate(labels_of(pictures), 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(pictures, 1):
        images.append(
            {
                "id": image_id,
                "file_name": picture.name,
                "height": picture.size.height,
                "width": picture.size.width,
            }
        )
        for region in picture.regions:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": categories[label_of(region)],
                    **_shape(region, polygons),
                }
            )
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": n, "name": label} for label, n in categories.items()],
    }


def read_coco(source: str | Path) -> list[Annotated]:
    """Read a COCO instances file, written here or elsewhere: RLE of both kinds, or polygons.

    Raises:
        InputError: it is not such a file; the message names the entry.
    """
    document = read_json(source)
    try:
        names = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
        sizes = {e["id"]: Size(int(e["height"]), int(e["width"])) for e in document["images"]}
        files = {entry["id"]: str(entry["file_name"]) for entry in document["images"]}
        found: dict[Any, list[Region]] = {image_id: [] for image_id in sizes}
        for entry in document["annotations"]:
            here = found[entry["image_id"]]
            label, size = names[entry["category_id"]], sizes[entry["image_id"]]
            here.append(_region(entry, label, size, len(here) + 1))
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{source}: {error}") from error
        raise InputError(
            f"{source} is not a COCO instances file: {type(error).__name__} {error}."
        ) from error
    return [Annotated(files[i], size, tuple(found[i])) for i, size in sizes.items()]


def _shape(region: Region, polygons: bool) -> dict[str, Any]:
    box = region.box
    shape: dict[str, Any] = {
        "bbox": [box.x0, box.y0, box.width, box.height],
        "area": box.area,
        "iscrowd": 0,
        "region_id": region.id,
        "found_by": region.found_by,
    }
    if region.score is not None:
        shape["score"] = region.score
    if region.mask is not None:
        shape["area"] = float(region.mask.area)
        shape["segmentation"] = region.mask.rle
        if polygons:
            rings = [seamed((p.outer, *p.holes)) for p in region.mask.polygons]
            shape["segmentation"] = [[v for corner in ring for v in corner] for ring in rings]
    return shape


def _region(entry: Mapping[str, Any], label: str, size: Size, number: int) -> Region:
    shape = entry.get("segmentation")
    mask = None
    if isinstance(shape, Mapping):
        mask = Mask.from_rle(shape)
        if mask.size != size:
            raise InputError(
                f"Annotation {entry.get('id')} has a mask of {tuple(mask.size)}, its picture is "
                f"{tuple(size)} (height, width)."
            )
    elif shape:
        rings = [tuple(zip(flat[::2], flat[1::2], strict=True)) for flat in shape]
        mask = Mask.from_polygons([Polygon(ring) for ring in rings], size)
    box = None
    if entry.get("bbox"):
        x, y, width, height = (float(v) for v in entry["bbox"])
        box = Box(x, y, x + width, y + height)
    score = entry.get("score")
    region = region_of(number, label, mask, box, None if score is None else float(score))
    found_by = entry.get("found_by", "person")
    if found_by not in get_args(FoundBy):
        found_by = "person"
    identity = str(entry.get("region_id") or region.id)
    return Region(identity, label, region.box, found_by, mask=mask, score=region.score)
