"""ReasonSeg: questions that need reasoning, one JSON file beside each picture.

`x.jpg` and `x.json` with shapes (polygons with a label), a list of texts, and whether these are
sentences. Polygons are drawn largest first, with their outline, so that small ones lie on top;
the label "flag" is skipped, and one with "ignore" in it marks pixels that LISA does not score. Only
the first text is asked.

The authors of Seg-Zero published val and test again, as Parquet files with the columns image, text,
mask (a bool a pixel, ignored ones are target), image_id, img_height and img_width. They call both
splits "test".

Source: https://github.com/dvlab-research/LISA, arXiv:2308.00692;
https://huggingface.co/datasets/Ricky06662/ReasonSeg_test.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_list,
    read_number,
    read_object,
    read_size,
    read_string,
)
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, picture_files
from segue.benchmarks.demo_sets import write_reasonseg
from segue.benchmarks.item import BenchmarkItem, MaskTruth
from segue.benchmarks.mask_protocols import LisaProtocol, SegZeroProtocol
from segue.convert.image_files import ImageFiles
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.runs.sources.locations import ParquetCell, PictureLocation
from segue.runs.sources.parquet_shards import read_columns, read_scalar
from segue.runs.sources.shards import place_stamp
from segue.values.box import Size

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
_IGNORED = 255


def reasonseg() -> Benchmark:
    """Return ReasonSeg."""
    return Benchmark(
        name="reasonseg",
        title="ReasonSeg",
        home="Google Drive, linked from the README of https://github.com/dvlab-research/LISA; as "
        "Parquet https://huggingface.co/datasets/Ricky06662/ReasonSeg_val and _test",
        layout="train/, val/ and test/, in each x.jpg with x.json beside it; or ReasonSeg_val/ and "
        "ReasonSeg_test/ with data/test-*.parquet",
        splits=("val", "test", "train"),
        protocols=(LisaProtocol(), SegZeroProtocol()),
        read=read_reasonseg,
        write_demo=write_reasonseg,
        published_counts={
            "train": {"pictures": 239},
            "val": {"pictures": 200},
            "test": {"pictures": 779},
        },
    )


def read_reasonseg(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the pictures of a split, in the order of their names.

    Raises:
        InputError: there is no such folder, or none of its files can be read.
    """
    places = (folder / split, folder / "ReasonSeg" / split, folder / "reason_seg/ReasonSeg" / split)
    place = next((place for place in places if place.is_dir()), None)
    if place is None and (shards := _find_shards(folder, split)):
        return _read_shards(shards, split)
    if place is None:
        looked = ", ".join(printable_path(place) for place in places)
        raise InputError(
            f"There is no folder of the split {split!r}: looked for {looked}, and for "
            f"ReasonSeg_{split}/data/test-*.parquet."
        )
    skipped: list[str] = []
    items = []
    paths = sorted(place.glob("*.json"))
    for path in paths:
        with EntryLog(path, skipped).entry("the file"):
            items.append(_read_item(path, images))
    if not items:
        reason = f" {skipped[0]}" if skipped else ""
        raise InputError(f"{printable_path(place)} has no picture with its .json.{reason}")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((place,), images, "", ()),
        counts={"pictures": len(items)},
        skipped=skipped,
        files=paths,
    )


def _read_item(path: Path, images: Path | None) -> BenchmarkItem:
    document = read_document(path)
    texts = read_list(document["text"], "text")
    if not texts:
        raise InputError("text is empty")
    text = well_formed(read_string(texts[0], "a text")).strip()
    folder = images or path.parent
    names = [path.stem + suffix for suffix in _PICTURE_SUFFIXES]
    name = next((name for name in names if (folder / name).is_file()), names[0])
    corners = [corners for corners, _ in _shapes(document)]
    reach = np.concatenate(corners).max(0) if corners else np.zeros(2)
    return BenchmarkItem(
        id=path.stem,
        image_name=name,
        phrases=(text,),
        category="long" if document.get("is_sentence") else "short",
        image_id=path.stem,
        # The file states no size; this much is needed where the picture is missing.
        size=Size(int(max(reach[1], 0)) + 1, int(max(reach[0], 0)) + 1),
        read_truth=_ShapeTruth(path),
    )


def _find_shards(folder: Path, split: str) -> list[Path]:
    """Return the Parquet files of a split; [] where there are none.

    Raises:
        InputError: the folder is that of another split.
    """
    name = folder.resolve().name
    other = next((s for s in ("train", "val", "test") if name.endswith(f"ReasonSeg_{s}")), split)
    own = f"ReasonSeg_{split}"
    for place in (folder / own / "data", folder / own, folder / "data", folder):
        if shards := sorted(place.glob("test-*.parquet")):
            if other != split:
                raise InputError(
                    f"{printable_path(folder)} holds the split {other!r}, not {split!r}. Say so: "
                    f"--split {other}"
                )
            return shards
    return []


def _read_shards(shards: Sequence[Path], split: str) -> BenchmarkDataset:
    """Read the rows of some Parquet files; pictures and masks stay where they are.

    Raises:
        InputError: a file cannot be read, has other columns, or no row can be used.
        MissingExtra: pyarrow is not installed.
    """
    skipped: list[str] = []
    items: list[BenchmarkItem] = []
    pictures: dict[str, PictureLocation] = {}
    for path in shards:
        place, stamp = str(path.absolute()), place_stamp(str(path.absolute()))
        log = EntryLog(path, skipped)
        columns = ("text", "image_id", "img_height", "img_width")
        for row, value in enumerate(read_columns(place, columns)):
            with log.entry(f"row {row + 1}"):
                text = well_formed(read_string(value["text"], "text")).strip()
                if not text:
                    raise InputError("text is empty")
                name = f"{path.name}#{row}"
                mask = ParquetCell(place, stamp, row, "mask")
                pictures[name] = ParquetCell(place, stamp, row, "image")
                items.append(
                    BenchmarkItem(
                        id=str(value["image_id"]),
                        image_name=name,
                        phrases=(text,),
                        image_id=str(value["image_id"]),
                        size=read_size(value["img_height"], value["img_width"]),
                        read_truth=_CellTruth(mask),
                    )
                )
    if not items:
        reason = f" {skipped[0]}" if skipped else ""
        raise InputError(f"{printable_path(shards[0])} has no row that can be used.{reason}")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=ImageFiles({}),
        shard_pictures=pictures,
        counts={"pictures": len(items)},
        skipped=skipped,
        notes=[
            "The masks of the Parquet files have ignored pixels as target: figures of the protocol "
            "'lisa' are not LISA's."
        ],
        files=shards,
    )


class _CellTruth:
    """The mask of one row: a list of bools for each line of pixels."""

    def __init__(self, cell: ParquetCell) -> None:
        self._cell = cell

    def __call__(self, size: Size) -> MaskTruth:
        cell = self._cell
        lines = read_scalar(cell.shard, cell.shard_stamp, cell.row, cell.column).values
        try:
            values = lines.flatten().to_numpy(zero_copy_only=False)
            target = values.astype(bool).reshape(size)
            has_lines = len(lines) == size.height
        except (AttributeError, ValueError, TypeError) as error:
            raise InputError(f"The mask of row {cell.row + 1} is not of its picture.") from error
        if not has_lines:
            raise InputError(
                f"The mask of row {cell.row + 1} has {len(lines)} lines, its picture {size.height}."
            )
        return MaskTruth(target)


def read_document(path: Path) -> Mapping[str, Any]:
    """Read one JSON file, which is UTF-8 or, in some of the published files, cp1252.

    Raises:
        InputError: it cannot be read.
    """
    try:
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252")
        return read_object(json.loads(text), "the file")
    except OSError as error:
        raise InputError(
            f"Cannot read {printable_path(path)}: {error.strerror or error}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable_path(path)} is not JSON ({error}).") from error


def _shapes(document: Mapping[str, Any]) -> list[tuple[np.ndarray, int]]:
    """Return corners, (N, 2) int32, and value of each shape that is drawn."""
    shapes = []
    for value in read_list(document["shapes"], "shapes"):
        shape = read_object(value, "a shape")
        label = read_string(shape["label"], "label").lower()
        if label == "flag":
            continue
        points = [
            [int(read_number(number, "a corner")) for number in read_list(point, "a point")]
            for point in read_list(shape["points"], "points")
        ]
        corners = np.array(points)
        if corners.ndim != 2 or corners.shape[1] != 2 or np.abs(corners).max() > 2**24:
            raise InputError("a shape must be a list of corners [x, y]")
        shapes.append((corners.astype(np.int32), _IGNORED if "ignore" in label else 1))
    return shapes


class _ShapeTruth:
    """The shapes of one file, drawn."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, size: Size) -> MaskTruth:
        shapes = _shapes(read_document(self._path))
        areas = [int(_draw(np.zeros(size, np.uint8), corners, 1).sum()) for corners, _ in shapes]
        canvas = np.zeros(size, np.uint8)
        for index in np.argsort(areas)[::-1]:
            canvas = _draw(canvas, *shapes[index])
        return MaskTruth(canvas == 1, ignore=canvas == _IGNORED)


def _draw(canvas: np.ndarray, corners: np.ndarray, value: int) -> np.ndarray:
    """Fill a polygon and its outline, one pixel wide."""
    import cv2

    cv2.polylines(canvas, [corners], True, (value,), 1)
    cv2.fillPoly(canvas, [corners], (value,))
    return canvas
