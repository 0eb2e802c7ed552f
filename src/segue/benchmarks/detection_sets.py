"""COCO, LVIS and ODinW-13: every category is looked for by its name.

COCO and ODinW ask for all categories on every picture. LVIS is federated: only the categories that
were checked on a picture (its own and those known to be absent) count there, and lvis-api drops
detections of all others. So only these are asked for, which saves more than nine tenths of the
time.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import EntryLog
from segue.benchmarks.coco_file import (
    CocoEntry,
    CocoFile,
    entry_rle,
    image_name,
    read_coco_file,
    read_ids,
)
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file, picture_files
from segue.benchmarks.demo_sets import write_coco, write_lvis, write_odinw
from segue.benchmarks.detection_protocol import ApProtocol
from segue.benchmarks.item import BenchmarkItem, EntryId
from segue.errors import InputError
from segue.values.box import Size

_COCO_RULES = "AP over IoU .50:.05:.95, at most 100 detections of a picture and category"
_LVIS_RULES = (
    "federated: detections of categories that were not checked on a picture are dropped, those of "
    "categories not annotated exhaustively are no false positives; at most 300 a picture"
)
_PICTURE_PLACES = ("images", "train2017", "val2017", "..", "../images", "coco", "../..")
_ODINW_SETS: Mapping[str, tuple[str, str]] = {
    "AerialMaritimeDrone_large": ("AerialMaritimeDrone/large/test", ""),
    "Aquarium": ("Aquarium/Aquarium Combined.v2-raw-1024.coco/test", ""),
    "CottontailRabbits": ("CottontailRabbits/test", ""),
    "EgoHands_generic": ("EgoHands/generic/test", ""),
    "NorthAmericaMushrooms": (
        "NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco/test",
        "",
    ),
    "Packages": ("Packages/Raw/test", ""),
    "PascalVOC": ("PascalVOC/valid", ""),
    "Raccoon": ("Raccoon/Raccoon.v2-raw.coco/test", ""),
    "ShellfishOpenImages": ("ShellfishOpenImages/raw/test", ""),
    "VehiclesOpenImages": ("VehiclesOpenImages/416x416/test", ""),
    "pistols": ("pistols/export", "test_"),
    "pothole": ("pothole/test", ""),
    "thermalDogsAndPeople": ("thermalDogsAndPeople/test", ""),
}
"""Data set -> its folder, and what its annotation file's name begins with, as GLIP published them.

Source: the configurations of facebookresearch/sam3, `train/configs/odinw13`.
"""
_ODINW_PHRASES: Mapping[str, Mapping[str, str]] = {
    "AerialMaritimeDrone_large": {"lift": "boat lift", "jetski": "jet ski"},
    "NorthAmericaMushrooms": {"CoW": "chicken of wood"},
}
"""Phrases asked for instead of category names that are no words, by the same source."""


def coco() -> Benchmark:
    """Return COCO by phrase."""
    return Benchmark(
        name="coco",
        title="COCO by phrase",
        home="https://cocodataset.org",
        layout="annotations/instances_val2017.json and val2017/",
        splits=("val2017", "train2017", "val2014", "minival2014"),
        protocols=(
            ApProtocol("coco-box", f"COCO boxes: {_COCO_RULES}"),
            ApProtocol("coco-mask", f"COCO masks: {_COCO_RULES}", kind="segm"),
        ),
        read=read_coco,
        write_demo=write_coco,
        published_counts={"val2017": {"pictures": 5000, "categories": 80, "instances": 36781}},
    )


def lvis() -> Benchmark:
    """Return LVIS v1 by phrase."""
    return Benchmark(
        name="lvis",
        title="LVIS v1 by phrase",
        home="https://www.lvisdataset.org; pictures: train2017 and val2017 of "
        "https://cocodataset.org",
        layout="lvis_v1_val.json, train2017/ and val2017/",
        splits=("val", "minival", "train"),
        protocols=(
            ApProtocol("lvis-box", f"LVIS boxes: {_LVIS_RULES}", style="lvis"),
            ApProtocol("lvis-mask", f"LVIS masks: {_LVIS_RULES}", kind="segm", style="lvis"),
        ),
        read=read_lvis,
        write_demo=write_lvis,
        published_counts={
            "val": {"pictures": 19809, "categories": 1203},
            "train": {"pictures": 100170, "categories": 1203},
        },
    )


def odinw() -> Benchmark:
    """Return ODinW-13."""
    return Benchmark(
        name="odinw13",
        title="ODinW-13",
        home="https://huggingface.co/GLIPModel/GLIP/tree/main/odinw_35, one archive a data set",
        layout="AerialMaritimeDrone/large/test/annotations_without_background.json and so on, the "
        "thirteen folders as the archives have them",
        splits=("test",),
        protocols=(
            ApProtocol("odinw-box", f"the mean of thirteen data sets' AP of boxes; {_COCO_RULES}"),
        ),
        read=read_odinw,
        write_demo=write_odinw,
        published_counts={"test": {"data sets": 13}},
    )


def read_coco(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read `instances_SPLIT.json`; every category is asked for on every picture.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    names = [f"instances_{split}.json"]
    path = find_file(folder, names, ("annotations", "", "coco/annotations"), f"{names[0]} of COCO")
    content = read_coco_file(path)
    phrases = {identity: content.category_name(identity) for identity in content.categories}
    items = _items(content, phrases, "", None)
    return _dataset(split, items, content, folder, images, phrases)


def read_lvis(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read `lvis_v1_SPLIT.json`; on each picture the categories that were checked are asked for.

    Raises:
        InputError: the file is missing or cannot be read, or pictures do not say what was checked.
    """
    names = [
        f"lvis_v1_{split}.json", f"lvis_{split}.json", f"lvis_v0.5_{split}.json",
        f"lvis_v1_{split}_inserted_image_name.json",
    ]  # fmt: skip
    path = find_file(folder, names, ("", "annotations", "lvis", "lvis/annotations"), names[0])
    content = read_coco_file(path)
    phrases: dict[EntryId, str] = {}
    for identity, category in content.categories.items():
        with EntryLog(path, content.skipped).entry(f"category {identity}"):
            if category.get("frequency") not in ("r", "c", "f"):
                raise InputError("frequency must be 'r', 'c' or 'f'")
            phrases[identity] = content.category_name(identity).replace("_", " ")
    if not any("neg_category_ids" in image for image in content.images.values()):
        raise InputError(
            f"{path} is not an LVIS file: its pictures have no neg_category_ids. For a COCO file: "
            "segue benchmark coco"
        )
    checked: dict[EntryId, list[EntryId]] = {}
    log = EntryLog(path, content.skipped)
    for identity, image in list(content.images.items()):
        with log.entry(f"picture {identity}"):
            absent = read_ids(image.get("neg_category_ids", []), "neg_category_ids")
            present = [entry.category_id for entry in content.entries_of_image.get(identity, [])]
            category_ids = [c for c in dict.fromkeys([*present, *absent]) if c in phrases]
            checked[identity] = sorted(category_ids, key=str)
    items = _items(content, phrases, "", checked)
    return _dataset(split, items, content, folder, images, phrases)


def read_odinw(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read all data sets of ODinW-13 that are there, and say which are not.

    Raises:
        InputError: none is there.
    """
    if images is not None:
        raise InputError("ODinW's pictures lie beside their annotations; leave --images out.")
    root = folder / "odinw" if (folder / "odinw").is_dir() else folder
    items: list[BenchmarkItem] = []
    documents, skipped, notes, files = {}, [], [], []
    for name, (place, prefix) in _ODINW_SETS.items():
        path = root / place / f"{prefix}annotations_without_background.json"
        if not path.is_file():
            notes.append(f"{name} is not there: {place}/{path.name}.")
            continue
        content = read_coco_file(path)
        renamed = _ODINW_PHRASES.get(name, {})
        phrases = {}
        for identity in content.categories:
            own_name = content.category_name(identity)
            phrases[identity] = renamed.get(own_name, own_name)
        items += _items(content, phrases, name, None, prefix=f"{place}/")
        documents[name] = partial(_document, content, phrases)
        skipped += content.skipped
        files.append(path)
    if not items:
        raise InputError(f"None of the thirteen data sets is in {folder}. {notes[0]}")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((root,), None, "", ()),
        counts={"data sets": len(documents), "pictures": len(items)},
        skipped=skipped,
        notes=notes,
        documents=documents,
        files=files,
    )


def _items(
    content: CocoFile,
    phrases: Mapping[EntryId, str],
    subset: str,
    checked: Mapping[EntryId, list[EntryId]] | None,
    prefix: str = "",
) -> list[BenchmarkItem]:
    """Return one item a picture."""
    log = EntryLog(content.path, content.skipped)
    items = []
    everything = sorted((identity for identity, phrase in phrases.items() if phrase), key=str)
    for identity, image in content.images.items():
        with log.entry(f"picture {identity}"):
            identities = everything if checked is None else checked.get(identity, [])
            if not identities:
                raise InputError("no category was checked on it")
            entries = [
                entry for entry in content.entries_of_image.get(identity, []) if not entry.is_crowd
            ]
            size = content.stated_size(identity)
            if size is None:
                raise InputError("height and width are missing")
            items.append(
                BenchmarkItem(
                    id=f"{subset}/{identity}" if subset else str(identity),
                    image_name=prefix + image_name(image),
                    phrases=tuple(phrases[category] for category in identities),
                    subset=subset,
                    image_id=identity,
                    size=size,
                    category_ids=tuple(identities),
                    boxes=tuple(entry.box for entry in entries),
                    box_category_ids=tuple(entry.category_id for entry in entries),
                )
            )
    if not items:
        first = f" {content.skipped[0]}" if content.skipped else ""
        raise InputError(f"{content.path} has no picture that can be asked about.{first}")
    return items


def _dataset(
    split: str,
    items: list[BenchmarkItem],
    content: CocoFile,
    folder: Path,
    images: Path | None,
    phrases: Mapping[EntryId, str],
) -> BenchmarkDataset:
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((content.path.parent, folder), images, "coco", _PICTURE_PLACES),
        picture_source="coco",
        counts={
            "pictures": len(content.images),
            "categories": len(content.categories),
            "instances": len(content.entries),
        },
        skipped=content.skipped,
        documents={"": partial(_document, content, phrases)},
        files=(content.path,),
    )


def _document(content: CocoFile, phrases: Mapping[EntryId, str], kind: str) -> dict[str, Any]:
    """Return the ground truth as libraries read it: ids from 1, areas, run lengths, flags.

    Libraries take the id 0 for "no match". Ids of pictures and categories are kept.
    """
    log = EntryLog(content.path, content.skipped)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for identity, image in content.images.items():
        size = content.stated_size(identity)
        if size is None:
            continue
        fields: dict[str, Any] = {"id": identity, "height": size.height, "width": size.width}
        for key in ("neg_category_ids", "not_exhaustive_category_ids"):
            if key in image:
                fields[key] = read_ids(image[key], key)
        images.append(fields)
        for entry in content.entries_of_image.get(identity, []):
            with log.entry(f"annotation {entry.id}"):
                annotations.append(_annotation(len(annotations) + 1, entry, size, phrases, kind))
    categories = [
        {"id": identity, "name": phrase, "frequency": content.categories[identity].get("frequency")}
        for identity, phrase in phrases.items()
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(
    number: int, entry: CocoEntry, size: Size, phrases: Mapping[EntryId, str], kind: str
) -> dict[str, Any]:
    if entry.category_id not in phrases:
        raise InputError(f"there is no category {entry.category_id!r}")
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": entry.image_id,
        "category_id": entry.category_id,
        "bbox": [entry.box.x0, entry.box.y0, entry.box.width, entry.box.height],
        "area": entry.box.area if entry.area is None else entry.area,
        "iscrowd": int(entry.is_crowd),
        "ignore": int(entry.is_ignored),
    }
    if kind == "segm":
        annotation["segmentation"] = entry_rle(entry, size)
    return annotation
