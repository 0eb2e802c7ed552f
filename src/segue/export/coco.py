"""COCO instances: one JSON file for all pictures.

Kept: pictures and their sizes, phrases as categories, boxes, masks exactly (compressed RLE with
`iscrowd` 0, which pycocotools and its successors read), scores, ids and who found a region.
Lost: spans, quadrilaterals, the masks' own scores; several spaces in a phrase; which of two regions
without a phrase was so ("object").
With `polygons=True` masks become lists of corners along pixel edges, holes tied in by a seam: exact
when filled by pixel centres, as here and by pycocotools; a program that draws the lines as well
makes shapes a pixel larger to the right and below. A mask without a pixel stays run lengths.

Source: https://cocodataset.org/#format-data
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    MaskBudget,
    read_identity,
    read_list,
    read_number,
    read_object,
    read_size,
    read_xywh,
)
from segue.annotations.segmentation import read_segmentation
from segue.export import AnnotatedImage
from segue.export.files import read_json, write_json
from segue.export.labels import label_of, labels_of, region_of
from segue.export.rings import seamed
from segue.values.box import Size
from segue.values.mask import Mask
from segue.values.region import FoundBy, Region


def write_coco(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    polygons: bool = False,
    categories: Sequence[str] | None = None,
) -> list[Path]:
    """Write all pictures into one file.

    Args:
        pictures: what to write; ids count from 1 in their order.
        target: the .json file.
        polygons: write corners instead of run lengths.
        categories: the classes in the order of their ids, from 1, with those that have no object;
            None: in the order in which they occur. Give it where files of several parts must agree.

    Returns:
        The one file.

    Raises:
        InputError: a region is called by none of the categories, or the file cannot be written.
    """
    return [write_json(coco(pictures, polygons=polygons, categories=categories), Path(target))]


def coco(
    pictures: Sequence[AnnotatedImage],
    *,
    polygons: bool = False,
    categories: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the contents of the file, as JSON values."""
    ids = {label: number for number, label in enumerate(labels_of(pictures, categories), 1)}
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
                    "category_id": ids[label_of(region)],
                    **_shape(region, polygons),
                }
            )
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": n, "name": label} for label, n in ids.items()],
    }


def read_coco(source: str | Path, *, skipped: list[str] | None = None) -> list[AnnotatedImage]:
    """Read a COCO instances file, written here or elsewhere; see `segmentation` for its shapes.

    Args:
        source: the file.
        skipped: gets a sentence for each entry that is left out; None: the first ends it all.

    Raises:
        InputError: it is not such a file; the message names the entry.
    """
    document = read_json(source)
    log, budget = EntryLog(source, skipped), MaskBudget()
    names: dict[int | str, str] = {}
    pictures: dict[int | str, AnnotatedImage] = {}
    regions_by_image: dict[int | str, list[Region]] = {}
    with log.whole("a COCO instances file"):
        lists = {key: read_list(document[key], key) for key in ("categories", "images")}
        annotations = read_list(document["annotations"], "annotations")
    for number, entry in enumerate(lists["categories"], 1):
        with log.entry(f"category {number}"):
            names[read_identity(read_object(entry, "it")["id"], "id")] = str(entry["name"])
    for number, entry in enumerate(lists["images"], 1):
        with log.entry(f"image {number}"):
            identity = read_identity(read_object(entry, "it")["id"], "id")
            if identity in pictures:
                raise ValueError(f"the id {identity!r} is that of an earlier one")
            size = read_size(entry["height"], entry["width"])
            pictures[identity] = AnnotatedImage(str(entry["file_name"]), size)
            regions_by_image[identity] = []
    for number, entry in enumerate(annotations, 1):
        with log.entry(f"annotation {number}"):
            identity = read_identity(read_object(entry, "it")["image_id"], "image_id")
            if identity not in pictures:
                raise ValueError(f"its picture {identity!r} is not listed")
            category = read_identity(entry["category_id"], "category_id")
            if category not in names:
                raise ValueError(f"its category {category!r} is not listed")
            label = names[category]
            image_regions = regions_by_image[identity]
            image_regions.append(
                _region(entry, label, pictures[identity].size, len(image_regions) + 1, budget)
            )
    for sentence in _lost_fields(annotations):
        log.pass_over("annotations", sentence)
    return [
        AnnotatedImage(picture.name, picture.size, tuple(regions_by_image[identity]))
        for identity, picture in pictures.items()
    ]


def _lost_fields(annotations: Sequence[Any]) -> list[str]:
    """Say what annotations of another program have that a region has not."""
    entries = [entry for entry in annotations if isinstance(entry, Mapping)]
    sentences = []
    for name in ("iscrowd", "keypoints", "attributes"):
        count = sum(bool(entry.get(name)) for entry in entries)
        if count:
            meaning = ": each is read as one object" if name == "iscrowd" else ""
            sentences.append(f"{name} is not kept of {count} of them{meaning}")
    return sentences


def _shape(region: Region, polygons: bool) -> dict[str, Any]:
    box = region.box
    shape: dict[str, Any] = {
        "bbox": [box.x0, box.y0, box.width, box.height],
        "area": box.area,
        "segmentation": [],
        "iscrowd": 0,
        "region_id": region.id,
        "found_by": region.found_by,
    }
    if region.score is not None:
        shape["score"] = region.score
    if region.mask is not None:
        shape["area"] = float(region.mask.area)
        shape["segmentation"] = region.mask.rle
        if polygons and not region.mask.is_empty:  # no corners say "nothing"; run lengths do
            rings = [seamed((p.outer, *p.holes)) for p in region.mask.polygons]
            shape["segmentation"] = [[v for corner in ring for v in corner] for ring in rings]
    return shape


def _region(
    entry: Mapping[str, Any], label: str, size: Size, number: int, budget: MaskBudget
) -> Region:
    mask = box = score = None
    if entry.get("segmentation"):
        budget.spend(size)
        shape = read_segmentation(entry["segmentation"], size)
        mask = Mask(shape.filled(size)) if shape is not None else None
    if entry.get("bbox"):
        box = read_xywh(entry["bbox"], size)
    if entry.get("score") is not None:
        score = read_number(entry["score"], "score")
    region = region_of(number, label, mask, box, score)
    found_by: FoundBy = "user"
    if entry.get("found_by") in get_args(FoundBy):
        found_by = entry["found_by"]
    identity = str(entry.get("region_id") or region.id)
    return Region(identity, label, region.box, found_by, mask=mask, score=region.score)
