"""COCO instances files as benchmarks use them: entries by id, and masks by the COCO API's rules."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_flag,
    read_identity,
    read_list,
    read_number,
    read_object,
    read_size,
    read_string,
    read_xywh,
)
from segue.annotations.segmentation import checked_rle, read_segmentation
from segue.benchmarks.concept_protocol import mask_library
from segue.benchmarks.item import EntryId
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json
from segue.values.box import Box, Size
from segue.values.mask import rle


@dataclass(frozen=True, slots=True)
class CocoEntry:
    """One annotation."""

    id: EntryId
    image_id: EntryId
    category_id: EntryId
    box: Box
    segmentation: Any = None
    is_crowd: bool = False
    area: float | None = None
    is_ignored: bool = False


@dataclass(slots=True)
class CocoFile:
    """The entries of an instances file."""

    path: Path
    images: dict[EntryId, Mapping[str, Any]] = field(default_factory=dict)
    categories: dict[EntryId, Mapping[str, Any]] = field(default_factory=dict)
    entries: dict[EntryId, CocoEntry] = field(default_factory=dict)
    entries_of_image: dict[EntryId, list[CocoEntry]] = field(
        default_factory=lambda: defaultdict(list)
    )
    skipped: list[str] = field(default_factory=list)

    def stated_size(self, image_id: EntryId) -> Size | None:
        """Return the size that the file states for a picture; None: it states none.

        Raises:
            InputError: what it states makes no sense.
        """
        image = self.images[image_id]
        if image.get("height") is None or image.get("width") is None:
            return None
        return read_size(image["height"], image["width"])

    def category_name(self, category_id: EntryId) -> str:
        """Return the name of a category, "" where it has none."""
        return str(self.categories.get(category_id, {}).get("name", ""))


def read_coco_file(path: Path, *, needs_categories: bool = True) -> CocoFile:
    """Read an instances file; entries that make no sense are skipped, each with a sentence.

    Args:
        path: the file.
        needs_categories: refuse a file without them.

    Raises:
        InputError: it cannot be read, or has no images or annotations.
    """
    document = read_json(path)
    content = CocoFile(path)
    log = EntryLog(path, content.skipped)
    if not isinstance(document, Mapping):
        raise InputError(
            f"{printable_path(path)} is not a COCO instances file: expected an object."
        )
    keys = ("images", "annotations", *(("categories",) if needs_categories else ()))
    for key in keys:
        if not isinstance(document.get(key), list):
            raise InputError(
                f"{printable_path(path)} is not a COCO instances file: {key!r} must be a list."
            )
    categories = document.get("categories")
    for number, value in enumerate(categories if isinstance(categories, list) else [], 1):
        with log.entry(f"category {number}"):
            entry = read_object(value, "a category")
            content.categories[read_identity(entry["id"], "id")] = entry
    for number, value in enumerate(document["images"], 1):
        with log.entry(f"picture {number}"):
            entry = read_object(value, "a picture")
            content.images[read_identity(entry["id"], "id")] = entry
    for number, value in enumerate(document["annotations"], 1):
        with log.entry(f"annotation {number}"):
            coco_entry = _read_entry(value, number)
            if coco_entry.image_id not in content.images and content.images:
                raise InputError(f"there is no picture {coco_entry.image_id!r}")
            content.entries[coco_entry.id] = coco_entry
            content.entries_of_image[coco_entry.image_id].append(coco_entry)
    return content


def _read_entry(value: Any, number: int) -> CocoEntry:
    entry = read_object(value, "an annotation")
    area = entry.get("area")
    return CocoEntry(
        id=read_identity(entry.get("id", number), "id"),
        image_id=read_identity(entry["image_id"], "image_id"),
        category_id=read_identity(entry.get("category_id", 1), "category_id"),
        box=read_xywh(entry["bbox"], None) if entry.get("bbox") else Box(0, 0, 0, 0),
        segmentation=entry.get("segmentation"),
        is_crowd=read_flag(entry.get("iscrowd", 0), "iscrowd"),
        area=None if area is None else read_number(area, "area"),
        is_ignored=read_flag(entry.get("ignore", 0), "ignore"),
    )


def polygon_parts(segmentation: Any, size: Size) -> np.ndarray:
    """Count for each pixel how many parts of a segmentation cover it, (H, W) uint8.

    Polygons are drawn by the COCO API, whose pixels benchmarks compare with.

    Raises:
        InputError: it is missing, makes no sense, or is of another size.
    """
    shapes = read_segmentation(segmentation, size)
    if shapes is None:
        raise InputError("an annotation has no segmentation.")
    counts = np.zeros(size, np.uint8)
    library = mask_library()
    for ring in shapes.rings:
        part = library.frPyObjects([ring.reshape(-1).tolist()], size.height, size.width)
        counts += library.decode(part)[..., 0]
    for mask in shapes.masks:
        counts += mask
    return counts


def entry_rle(entry: CocoEntry, size: Size) -> dict[str, Any]:
    """Return the mask of an annotation as compressed COCO RLE.

    Raises:
        InputError: as `polygon_parts`.
    """
    if isinstance(entry.segmentation, Mapping):
        return checked_rle(entry.segmentation, size)
    return rle.encode(polygon_parts(entry.segmentation, size) > 0)


def image_name(image: Mapping[str, Any]) -> str:
    """Return the file name of a picture; LVIS has only an address, of which it is the end.

    Raises:
        InputError: there is none.
    """
    name = image.get("file_name")
    if name is None and isinstance(image.get("coco_url"), str):
        return "/".join(image["coco_url"].rsplit("/", 2)[-2:])
    return read_string(name, "file_name")


def read_ids(value: Any, what: str) -> list[EntryId]:
    """Read a list of ids.

    Raises:
        InputError: it is none.
    """
    return [read_identity(identity, what) for identity in read_list(value, what)]
