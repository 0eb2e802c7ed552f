"""COCO's `instances_*.json`: pictures, categories, and instances with boxes and masks.

The file is read whole (the one of train2017 takes about 2 GB of memory while it is read).

Source: the data format page of https://cocodataset.org.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.box import Box, Size
from segue.errors import InputError, MissingExtra


@dataclass(frozen=True, slots=True)
class Instance:
    """One object."""

    id: int
    image_id: int
    category: str
    box: Box
    """In pixels of the picture."""
    crowd: bool
    segmentation: Any
    """Polygons as flat lists of x and y, or an RLE; None when there is none."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One line of `images`."""

    id: int
    file_name: str
    size: Size


@dataclass(frozen=True, slots=True)
class Instances:
    """The file, by picture."""

    pictures: Mapping[int, Picture]
    by_id: Mapping[int, Instance]
    by_picture: Mapping[int, Sequence[Instance]]
    categories: tuple[str, ...]


def read_instances(path: str | Path) -> Instances:
    """Read the file.

    Raises:
        InputError: it cannot be read, or lacks images, annotations or categories.
    """
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        names = {int(entry["id"]): str(entry["name"]) for entry in value["categories"]}
        pictures = {
            int(entry["id"]): Picture(
                int(entry["id"]),
                str(entry["file_name"]),
                Size(int(entry["height"]), int(entry["width"])),
            )
            for entry in value["images"]
        }
        by_id = {int(entry["id"]): _instance(entry, names) for entry in value["annotations"]}
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a COCO instances file ({type(error).__name__}: {error}). It must hold "
            "images, annotations and categories."
        ) from error
    by_picture: dict[int, list[Instance]] = defaultdict(list)
    for instance in by_id.values():
        by_picture[instance.image_id].append(instance)
    return Instances(pictures, by_id, by_picture, tuple(names.values()))


def _instance(entry: Mapping[str, Any], names: Mapping[int, str]) -> Instance:
    x, y, width, height = (float(value) for value in entry["bbox"])
    return Instance(
        id=int(entry["id"]),
        image_id=int(entry["image_id"]),
        category=names[int(entry["category_id"])],
        box=Box(x, y, x + max(width, 0.0), y + max(height, 0.0)),
        crowd=bool(entry.get("iscrowd", 0)),
        segmentation=entry.get("segmentation") or None,
    )


def union_rle(instances: Iterable[Instance], size: Size) -> dict[str, Any] | None:
    """The pixels of all instances together, as compressed COCO RLE.

    Rasterised by COCO's own rules, so that scores compare with published ones. Overlapping
    polygons are one region, never a sum.

    Returns:
        None when an instance has no mask.

    Raises:
        MissingExtra: faster-coco-eval is not installed.
        InputError: a mask makes no sense.
    """
    try:
        from faster_coco_eval.core import mask as coco
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "COCO masks need the 'evaluate' extra (faster-coco-eval is not installed). "
            "Run: pip install 'segue[evaluate]'"
        ) from error
    parts: list[Any] = []
    for instance in instances:
        shape = instance.segmentation
        if shape is None:
            return None
        if isinstance(shape, list):
            polygons = [polygon for polygon in shape if len(polygon) >= 6]
            if not polygons:
                return None
            parts += coco.frPyObjects(polygons, size.height, size.width)
        else:
            # Not through the library: its decoder trusts what it is given.
            from segue.mask import rle

            if list(shape.get("size", ())) != list(size):
                raise InputError(
                    f"The mask of annotation {instance.id} is {shape.get('size')}, its picture is "
                    f"{list(size)} (height, width)."
                )
            parts.append(rle.encode(rle.decode(shape)))
    if not parts:
        return None
    merged = coco.merge(parts)
    counts = merged["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else str(counts)
    return {"size": list(size), "counts": text}
