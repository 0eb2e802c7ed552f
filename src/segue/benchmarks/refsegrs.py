"""RefSegRS: phrases about aerial pictures.

`output_phrase_SPLIT.txt`: a line is the name of a picture and its phrase. `images/NAME.tif` is the
picture, `masks/NAME.tif` what the phrase means, where a value is above 50.

Source: https://huggingface.co/datasets/JessicaYuan/RefSegRS, arXiv:2306.08625.
"""

from pathlib import Path

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file, picture_files
from segue.benchmarks.demo_sets import write_refsegrs
from segue.benchmarks.item import BenchmarkItem, MaskTruth
from segue.benchmarks.mask_protocols import UnionProtocol
from segue.convert.image_files import ImageFiles, LocatedImage
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_text
from segue.values.box import Size
from segue.values.image import Image

_PLACES = ("", "RefSegRS", "phrase_txts", "RefSegRS/phrase_txts")
_MASK_LEVEL = 50
_SUFFIXES = (".tif", ".tiff", ".png", ".jpg")


def refsegrs() -> Benchmark:
    """Return RefSegRS."""
    return Benchmark(
        name="refsegrs",
        title="RefSegRS",
        home="https://huggingface.co/datasets/JessicaYuan/RefSegRS",
        layout="output_phrase_test.txt, images/ and masks/",
        splits=("test", "val", "train"),
        protocols=(UnionProtocol(),),
        read=read_refsegrs,
        write_demo=write_refsegrs,
        published_counts={
            "train": {"phrases": 2172},
            "val": {"phrases": 431},
            "test": {"phrases": 1817},
        },
    )


def read_refsegrs(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the phrases of a split.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    names = [f"output_phrase_{split}.txt"]
    path = find_file(folder, names, _PLACES, f"{names[0]}, images/ and masks/ of RefSegRS")
    root = next(
        (place for place in (path.parent, path.parent.parent) if (place / "masks").is_dir()), None
    )
    if root is None:
        raise InputError(f"Beside {printable_path(path)} there is no folder masks/.")
    masks = ImageFiles({"": [root / "masks"]})
    pictures = picture_files((root / "images", root), images, "", ())
    skipped: list[str] = []
    items = []
    log = EntryLog(path, skipped)
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        with log.entry(f"line {number}"):
            name, _, phrase = line.strip().partition(" ")
            if not phrase.strip():
                raise InputError("it must be the name of a picture and a phrase")
            picture = _locate(pictures, name, "picture")
            items.append(
                BenchmarkItem(
                    id=f"{split}-{number}",
                    image_name=picture.path.name,
                    phrases=(phrase.strip(),),
                    image_id=name,
                    size=picture.size,
                    read_truth=_FileTruth(_locate(masks, name, "mask").path),
                )
            )
    if not items:
        first = f" {skipped[0]}" if skipped else ""
        raise InputError(f"{printable_path(path)} has no line that can be used.{first}")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=pictures,
        counts={"phrases": len(items), "pictures": len({item.image_id for item in items})},
        skipped=skipped,
        files=(path,),
    )


def _locate(files: ImageFiles, name: str, what: str) -> LocatedImage:
    """Find a file by its name without suffix.

    Raises:
        InputError: there is none.
    """
    reason = ""
    for suffix in _SUFFIXES:
        image_file = files.find(name + suffix)
        if isinstance(image_file, LocatedImage):
            return image_file
        reason = image_file.reason
    raise InputError(f"the {what} {name!r}: {reason}")


class _FileTruth:
    """A mask in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, size: Size) -> MaskTruth:
        array = Image.open(self._path).array[..., 0]
        return MaskTruth(np.ascontiguousarray(array > _MASK_LEVEL))
