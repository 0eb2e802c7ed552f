"""Ref-L4: long expressions about pictures of COCO and Objects365, each with one box.

`ref-l4-val.parquet` and `ref-l4-test.parquet`; "all" is both. JSON and JSON lines of the same
columns are read too. The average over classes is not computed: it needs the authors' table that
joins the categories of both sources.

Source: https://huggingface.co/datasets/JierunChen/Ref-L4, arXiv:2406.16866.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import read_list, read_size, read_string, read_xywh
from segue.benchmarks.box_protocols import RefL4Protocol
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file, picture_files
from segue.benchmarks.demo_sets import write_ref_l4
from segue.benchmarks.item import BenchmarkItem
from segue.errors import InputError, MissingExtra
from segue.files.atomic import printable_path
from segue.files.text import read_json, read_text
from segue.files.unicode import well_formed

_PLACES = ("", "Ref-L4", "ref-l4", "data")
_PICTURE_PLACES = ("images", "Ref-L4/images", "ref-l4/images")


def ref_l4() -> Benchmark:
    """Return Ref-L4."""
    return Benchmark(
        name="ref-l4",
        title="Ref-L4",
        home="https://huggingface.co/datasets/JierunChen/Ref-L4",
        layout="ref-l4-val.parquet, ref-l4-test.parquet, and images/ (images.tar.gz, unpacked)",
        splits=("val", "test", "all"),
        protocols=(RefL4Protocol(),),
        read=read_ref_l4,
        write_demo=write_ref_l4,
        published_counts={"all": {"expressions": 45341}},
    )


def read_ref_l4(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the expressions of a split; "all" is val and test.

    Raises:
        InputError: a file is missing or cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    items: list[BenchmarkItem] = []
    skipped: list[str] = []
    files = []
    for part in ("val", "test") if split == "all" else (split,):
        names = [f"ref-l4-{part}{suffix}" for suffix in (".parquet", ".json", ".jsonl")]
        path = find_file(folder, names, _PLACES, f"{names[0]} and images/ of Ref-L4")
        files.append(path)
        log = EntryLog(path, skipped)
        for number, row in enumerate(_rows(path), 1):
            with log.entry(f"row {number}"):
                items.append(_read_item(row))
    if not items:
        raise InputError(f"{printable_path(files[0])} has no row that can be used.")
    notes = []
    if (folder / "images.tar.gz").is_file() and not (folder / "images").is_dir():
        notes.append("images.tar.gz is not unpacked: mkdir images; tar xzf … -C images")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((files[0].parent, folder), images, "coco", _PICTURE_PLACES),
        picture_source="coco",
        counts={"expressions": len(items), "pictures": len({item.image_id for item in items})},
        skipped=skipped,
        notes=notes,
        files=files,
    )


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".json":
        yield from read_list(read_json(path), printable_path(path))
        return
    if path.suffix == ".jsonl":
        for number, line in enumerate(read_text(path).splitlines(), 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(f"{printable_path(path)}, line {number}: {error}.") from error
        return
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Ref-L4 needs the 'parquet' extra (pyarrow is not installed). "
            "Run: pip install 'segue[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise InputError(f"{printable_path(path)} cannot be read: {error}.") from error


def _read_item(row: Mapping[str, Any]) -> BenchmarkItem:
    caption = well_formed(read_string(row["caption"], "caption")).strip()
    if not caption:
        raise InputError("caption has no words")
    size = read_size(row["height"], row["width"])
    return BenchmarkItem(
        id=str(row["id"]),
        image_name=read_string(row["file_name"], "file_name"),
        phrases=(caption,),
        category=str(row.get("ori_category_id", "")),
        image_id=str(row["image_id"]),
        size=size,
        boxes=(read_xywh(list(row["bbox"]), size),),
    )
