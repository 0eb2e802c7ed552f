"""RefCOCO, RefCOCO+, RefCOCOg, and gRefCOCO: expressions about pictures of COCO train2014.

`refs(unc).p`, `refs(google).p`, `refs(umd).p` are pickles, which may only build plain values here;
JSON of the same content is read too. Splits are matched as the REFER API does it: "testA" is any
split with an A in it, "test" any that contains "test".

Source: https://github.com/lichengunc/refer; gRefCOCO, arXiv:2306.00968.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import read_identity, read_object, read_string
from segue.benchmarks.box_protocols import GrecProtocol, QwenVlProtocol
from segue.benchmarks.coco_file import CocoEntry, CocoFile, polygon_parts, read_coco_file
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file, picture_files
from segue.benchmarks.demo_sets import write_grefcoco, write_refcoco
from segue.benchmarks.item import BenchmarkItem, EntryId, MaskTruth
from segue.benchmarks.mask_protocols import GresProtocol, LisaProtocol, UnionProtocol
from segue.convert.datasets.references_reader import read_references
from segue.errors import InputError
from segue.files.unicode import well_formed
from segue.values.box import Size

_PICTURE_PLACES = (
    "images", "images/mscoco/images", "images/coco_2014", "coco", "coco2014", "mscoco/images",
    "../images", "../images/mscoco/images", "../coco", "..",
)  # fmt: skip
_HOME = (
    "the UNC server is gone; copies of its archives are linked from the README of "
    "https://github.com/dvlab-research/LISA and from issue 14 of "
    "https://github.com/lichengunc/refer; "
    "pictures: train2014 of https://cocodataset.org"
)


def refcoco() -> Benchmark:
    """Return RefCOCO."""
    counts = {"val": 10834, "testA": 5657, "testB": 5095}
    splits = ("val", "testA", "testB", "google-val", "google-test")
    return _refer_benchmark("refcoco", "RefCOCO", "unc", splits, counts)


def refcoco_plus() -> Benchmark:
    """Return RefCOCO+."""
    counts = {"val": 10758, "testA": 5726, "testB": 4889}
    return _refer_benchmark("refcoco+", "RefCOCO+", "unc", ("val", "testA", "testB"), counts)


def refcocog() -> Benchmark:
    """Return RefCOCOg."""
    counts = {"val": 4896, "test": 9602}
    return _refer_benchmark("refcocog", "RefCOCOg", "umd", ("val", "test", "google-val"), counts)


def _refer_benchmark(
    name: str, title: str, partition: str, splits: tuple[str, ...], counts: Mapping[str, int]
) -> Benchmark:
    def read(folder: Path, split: str, images: Path | None) -> BenchmarkDataset:
        return read_refer_set(folder, name, split, partition, images)

    def write_demo(folder: Path) -> str:
        return write_refcoco(folder, name, partition)

    return Benchmark(
        name=name,
        title=title,
        home=_HOME,
        layout=f"{name}/refs({partition}).p, {name}/instances.json, and the pictures of train2014",
        splits=splits,
        protocols=(UnionProtocol(), LisaProtocol(), QwenVlProtocol()),
        read=read,
        write_demo=write_demo,
        published_counts={split: {"expressions": count} for split, count in counts.items()},
    )


def grefcoco() -> Benchmark:
    """Return gRefCOCO, for GRES (masks) and GREC (boxes)."""

    def read(folder: Path, split: str, images: Path | None) -> BenchmarkDataset:
        return read_refer_set(folder, "grefcoco", split, "unc", images)

    return Benchmark(
        name="grefcoco",
        title="gRefCOCO",
        home="https://huggingface.co/datasets/FudanCVL/gRefCOCO; pictures: train2014 of "
        "https://cocodataset.org",
        layout="grefcoco/grefs(unc).json (or .p), grefcoco/instances.json, pictures of train2014",
        splits=("val", "testA", "testB"),
        protocols=(GresProtocol(), GrecProtocol()),
        read=read,
        write_demo=write_grefcoco,
    )


def read_refer_set(
    folder: Path, name: str, split: str, partition: str, images: Path | None = None
) -> BenchmarkDataset:
    """Read the expressions of a split.

    Args:
        folder: that holds the files, or one above it.
        name: of the data set, and of its usual folder.
        split: "val", or with the name of another partition, "google-val".
        partition: the usual one: "unc", "umd" or "google".
        images: folder of the pictures; None: where people usually have them.

    Raises:
        InputError: a file is missing or cannot be read, or the split is empty.
    """
    head, dash, tail = split.partition("-")
    partition, split_name = (head, tail) if dash else (partition, split)
    stem = "grefs" if name == "grefcoco" else "refs"
    places = ("", name, f"refer_seg/{name}", f"data/{name}", f"refer/data/{name}")
    names = [f"{stem}({partition}){suffix}" for suffix in (".p", ".json", ".pkl")]
    references = find_file(folder, names, places, f"{names[0]} and instances.json of {name}")
    instances = references.with_name("instances.json")
    if not instances.is_file():
        raise InputError(f"Beside {references} there is no instances.json. It belongs to {name}.")
    content = read_coco_file(instances)
    skipped = list(content.skipped)
    log = EntryLog(references, skipped)
    items: list[BenchmarkItem] = []
    splits: set[str] = set()
    for number, value in enumerate(read_references(references), 1):
        with log.entry(f"reference {number}"):
            own_split = read_string(value["split"], "split")
            splits.add(own_split)
            if is_of_split(own_split, split_name):
                items += _items_of(value, content, log, number)
    if not items:
        raise InputError(
            f"{references} has no expression of the split {split_name!r}; it has "
            f"{', '.join(sorted(splits)) or 'none'}."
        )
    roots = picture_files((references.parent, folder), images, "coco", _PICTURE_PLACES)
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=roots,
        picture_source="coco",
        counts={"expressions": len(items), "pictures": len({item.image_id for item in items})},
        skipped=skipped,
        files=(references, instances),
    )


def is_of_split(split: str, split_name: str) -> bool:
    """Whether a reference belongs to a split, as the REFER API decides it.

    >>> is_of_split("testAB", "testA"), is_of_split("testB", "test"), is_of_split("val", "test")
    (True, True, False)
    """
    if split_name in ("testA", "testB", "testC"):
        return split_name[-1] in split
    return split_name in split if split_name == "test" else split == split_name


def _items_of(
    value: Mapping[str, Any], content: CocoFile, log: EntryLog, number: int
) -> list[BenchmarkItem]:
    """Return an item for each sentence of a reference."""
    image_id = read_identity(value["image_id"], "image_id")
    image = content.images.get(image_id)
    if image is None:
        raise InputError(f"the instances have no picture {image_id!r}")
    entries = _entries_of(value["ann_id"], content)
    boxes, size = tuple(entry.box for entry in entries), content.stated_size(image_id)
    category = content.category_name(entries[0].category_id) if entries else "no target"
    items = []
    for place, sentence in enumerate(value["sentences"]):
        with log.entry(f"reference {number}, sentence {place + 1}"):
            fields = read_object(sentence, "a sentence")
            text = well_formed(read_string(fields["sent"], "sent")).strip()
            if not text:
                raise InputError("it has no words")
            items.append(
                BenchmarkItem(
                    id=f"{value.get('ref_id', number)}-{fields.get('sent_id', place)}",
                    image_name=_picture_name(image, image_id),
                    phrases=(text,),
                    category=category,
                    image_id=image_id,
                    size=size,
                    boxes=boxes,
                    read_truth=_UnitedTruth(entries),
                )
            )
    return items


def _entries_of(value: Any, content: CocoFile) -> tuple[CocoEntry, ...]:
    """Return what is referred to; gRefCOCO has lists of ids, and [-1] where there is nothing."""
    ids = value if isinstance(value, list) else [value]
    identities = [read_identity(identity, "ann_id") for identity in ids]
    if identities in ([-1], []):
        return ()
    missing = [identity for identity in identities if identity not in content.entries]
    if missing:
        raise InputError(f"the instances have no annotation {missing[0]!r}")
    return tuple(content.entries[identity] for identity in identities)


def _picture_name(image: Mapping[str, Any], image_id: EntryId) -> str:
    """Return the name of a COCO picture; the reference's own has the annotation in it."""
    name = str(image.get("file_name", ""))
    if not name and isinstance(image_id, int):
        return f"COCO_train2014_{image_id:012}.jpg"
    return name


class _UnitedTruth:
    """The union of some annotations, and where parts of one of them overlap."""

    def __init__(self, entries: tuple[CocoEntry, ...]) -> None:
        self._entries = entries

    def __call__(self, size: Size) -> MaskTruth:
        target, overlap = np.zeros(size, bool), np.zeros(size, bool)
        for entry in self._entries:
            parts = polygon_parts(entry.segmentation, size)
            target |= parts > 0
            overlap |= parts > 1
        return MaskTruth(target, overlap=overlap)
