"""PhraseCut: phrases about pictures of Visual Genome, each with all regions it describes.

`refer_SPLIT.json` holds tasks: phrase, polygons of each instance, and the structure of the phrase.
Polygons are drawn as its evaluator draws them: corners cut to whole pixels, filled with outline.

Source: https://github.com/ChenyunWu/PhraseCutDataset, arXiv:2008.01187.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_identity,
    read_list,
    read_number,
    read_object,
    read_size,
    read_string,
)
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file, picture_files
from segue.benchmarks.demo_sets import write_phrasecut
from segue.benchmarks.item import BenchmarkItem, EntryId, MaskTruth
from segue.benchmarks.mask_protocols import PHRASECUT_PROTOCOL
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json
from segue.files.unicode import well_formed
from segue.values.box import Box, Size

_PLACES = ("", "VGPhraseCut_v0", "data/VGPhraseCut_v0", "phrasecut")
_SIZES = "image_data_split3000.json"
_FARTHEST = 2**20
"""Pixels; no corner lies farther out."""


def phrasecut() -> Benchmark:
    """Return PhraseCut."""
    return Benchmark(
        name="phrasecut",
        title="PhraseCut",
        home="Google Drive, by download_dataset.py of "
        "https://github.com/ChenyunWu/PhraseCutDataset",
        layout="refer_test.json, image_data_split3000.json, and images/ with Visual Genome's ids",
        splits=("test", "val", "miniv", "train"),
        protocols=(PHRASECUT_PROTOCOL,),
        read=read_phrasecut,
        write_demo=write_phrasecut,
    )


def read_phrasecut(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the phrases of a split.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    names = [f"refer_{split}.json"]
    path = find_file(folder, names, _PLACES, f"{names[0]} and images/ of PhraseCut")
    skipped: list[str] = []
    sizes, files = _read_sizes(path.with_name(_SIZES), skipped), [path]
    if sizes:
        files.append(path.with_name(_SIZES))
    items = []
    log = EntryLog(path, skipped)
    for number, value in enumerate(read_list(read_json(path), printable_path(path)), 1):
        with log.entry(f"task {number}"):
            items.append(_read_item(read_object(value, "a task"), sizes))
    if not items:
        raise InputError(f"{printable_path(path)} has no task that can be used.")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((path.parent, folder), images, "vg", ("images", "..", "../images")),
        picture_source="vg",
        counts={"phrases": len(items), "pictures": len({item.image_id for item in items})},
        skipped=skipped,
        files=files,
    )


def _read_sizes(path: Path, skipped: list[str]) -> dict[EntryId, Size]:
    if not path.is_file():
        return {}
    sizes = {}
    log = EntryLog(path, skipped)
    for number, value in enumerate(read_list(read_json(path), printable_path(path)), 1):
        with log.entry(f"picture {number}"):
            image = read_object(value, "a picture")
            size = read_size(image["height"], image["width"])
            sizes[read_identity(image["image_id"], "image_id")] = size
    return sizes


def _read_item(task: Mapping[str, Any], sizes: Mapping[EntryId, Size]) -> BenchmarkItem:
    phrase = well_formed(read_string(task["phrase"], "phrase")).strip()
    if not phrase:
        raise InputError("phrase has no words")
    image_id = read_identity(task["image_id"], "image_id")
    structure = task.get("phrase_structure")
    category = str(structure.get("name", "")) if isinstance(structure, Mapping) else ""
    polygons = [
        _read_polygon(polygon)
        for instance in read_list(task["Polygons"], "Polygons")
        for polygon in read_list(instance, "the polygons of an instance")
    ]
    boxes = []
    for box in read_list(task.get("instance_boxes") or [], "instance_boxes"):
        x, y, width, height = (read_number(number, "a box") for number in read_list(box, "a box"))
        boxes.append(Box(x, y, x + max(width, 0), y + max(height, 0)))
    reach = np.concatenate([*polygons, np.zeros((1, 2), int)]).max(0)
    return BenchmarkItem(
        id=str(task["task_id"]),
        image_name=f"{image_id}.jpg",
        phrases=(phrase,),
        category=well_formed(category),
        image_id=image_id,
        size=sizes.get(image_id, Size(int(reach[1]) + 1, int(reach[0]) + 1)),
        boxes=tuple(boxes),
        read_truth=_PolygonTruth(tuple(polygons)),
    )


def _read_polygon(value: Any) -> np.ndarray:
    """Return corners, cut to whole pixels, (N, 2) int; with less than two there is nothing."""
    corners = [
        [int(read_number(number, "a corner")) for number in read_list(point, "a point")]
        for point in read_list(value, "a polygon")
    ]
    if any(len(corner) != 2 or max(map(abs, corner)) > _FARTHEST for corner in corners):
        raise InputError("a polygon must be a list of corners [x, y] near its picture")
    return np.array(corners, int).reshape(-1, 2)


class _PolygonTruth:
    """All polygons of a task, drawn."""

    def __init__(self, polygons: tuple[np.ndarray, ...]) -> None:
        self._polygons = polygons

    def __call__(self, size: Size) -> MaskTruth:
        canvas = PIL.Image.new("L", (size.width, size.height), 0)
        pen = PIL.ImageDraw.Draw(canvas)
        for polygon in self._polygons:
            if len(polygon) >= 2:
                pen.polygon([tuple(corner) for corner in polygon.tolist()], fill=1, outline=1)
        return MaskTruth(np.array(canvas) > 0)
