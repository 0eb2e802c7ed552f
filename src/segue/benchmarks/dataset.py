"""A benchmark on a disk: its items, its pictures, and what was left out and why."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segue.benchmarks.item import BenchmarkItem
from segue.benchmarks.protocol import EvaluationProtocol
from segue.convert.image_files import ImageFiles, LocatedImage
from segue.errors import InputError, UnknownName
from segue.files.atomic import printable_path
from segue.runs.sources.locations import PictureLocation
from segue.runtime.catalog import unknown_name_message
from segue.values.image import Image

PicturePlace = Path | PictureLocation
"""A file, or where else a picture lies: a cell of a Parquet file."""
_PICTURES_TO_TRY = 20
"""Where none of so many pictures is found, the folder is the wrong one."""


@dataclass(slots=True, kw_only=True)
class BenchmarkDataset:
    """One split of a benchmark, read."""

    split: str
    items: Sequence[BenchmarkItem]
    pictures: ImageFiles
    shard_pictures: Mapping[str, PictureLocation] = field(default_factory=dict)
    """By `BenchmarkItem.image_name`, pictures that lie in Parquet files."""
    picture_source: str = ""
    """"coco" or "vg": pictures are also looked for where those data sets usually have them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the files hold, by the names of `Benchmark.published_counts`."""
    skipped: Sequence[str] = ()
    """A sentence for each entry that was left out."""
    notes: Sequence[str] = ()
    """What a reader of the report must know: parts that are missing, rules of the data set."""
    documents: Mapping[str, Callable[[str], Mapping[str, Any]]] = field(default_factory=dict)
    """By subset: makes the COCO ground truth for AP of "bbox" or "segm"."""
    files: Sequence[Path] = ()
    """The annotation files."""

    def __post_init__(self) -> None:
        """Tell items of one id apart, by a number: answers are kept by id."""
        counts: Counter[str] = Counter()
        items = []
        for item in self.items:
            counts[item.id] += 1
            number = counts[item.id]
            items.append(item if number == 1 else replace(item, id=f"{item.id}#{number}"))
        self.items = items

    def locate(self, item: BenchmarkItem) -> PicturePlace:
        """Return where an item's picture lies.

        Raises:
            InputError: it is missing, does not open, or its name leads outside the folders.
        """
        return self.shard_pictures.get(item.image_name) or self._locate(item.image_name)

    def locate_frames(self, item: BenchmarkItem) -> list[Path]:
        """Return the files of the frames of an item about a video, in order.

        Raises:
            InputError: one is missing, does not open, or its name leads outside the folders.
        """
        return [self._locate(name) for name in item.frame_names]

    def _locate(self, name: str) -> Path:
        image_file = self.pictures.find(name, self.picture_source)
        if not isinstance(image_file, LocatedImage):
            raise InputError(f"{name}: {image_file.reason}.")
        return image_file.path

    def check_pictures(self) -> None:
        """Refuse a folder without the pictures before hours of failures.

        Raises:
            InputError: none of the first pictures is there.
        """
        names = list(dict.fromkeys(item.image_name for item in self.items))[:_PICTURES_TO_TRY]
        first = None
        for name in names:
            if name in self.shard_pictures:
                return
            image_file = self.pictures.find(name, self.picture_source)
            if isinstance(image_file, LocatedImage):
                return
            first = first or image_file
        if first is not None:
            raise InputError(
                f"None of the first {len(names)} pictures can be opened: {first.name}: "
                f"{first.reason}. Name their folder: --images FOLDER"
            )

    def digest(self) -> str:
        """Return the SHA-256 of the annotation files: results of other files are never mixed."""
        digest = hashlib.sha256()
        for path in self.files:
            try:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise InputError(
                    f"Cannot read {printable_path(path)}: {error.strerror or error}."
                ) from error
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One benchmark of the field: where it is to be had, how it is read, how it is scored."""

    name: str
    title: str
    home: str
    """Where the data are to be had."""
    layout: str
    """Which files are expected in the folder."""
    splits: tuple[str, ...]
    """The first is the default."""
    protocols: tuple[EvaluationProtocol, ...]
    """The first is the default."""
    read: Callable[[Path, str, Path | None], BenchmarkDataset]
    """Reads a split from a folder; the third argument is another folder of the pictures."""
    write_demo: Callable[[Path], str]
    """Writes the stand-in in the published format, and returns its split."""
    is_video: bool = False
    """Whether its items are about videos."""
    published_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By split: what the published files hold."""

    def protocol(self, name: str | None) -> EvaluationProtocol:
        """Return a protocol by name; None: the default.

        Raises:
            UnknownName: there is no such protocol.
        """
        by_name = {protocol.name: protocol for protocol in self.protocols}
        if name is None:
            return self.protocols[0]
        if name not in by_name:
            raise UnknownName(unknown_name_message(f"protocol of {self.name}", name, by_name))
        return by_name[name]

    def count_sentences(self, dataset: BenchmarkDataset) -> list[str]:
        """Compare what was read with what is published; a sentence for each difference."""
        expected = self.published_counts.get(dataset.split, {})
        return [
            f"{number} {what} are published, these files hold {dataset.counts.get(what, 0)}."
            for what, number in expected.items()
            if dataset.counts.get(what) != number
        ]


def open_picture(place: PicturePlace) -> Image:
    """Open a picture where it lies.

    Raises:
        InputError: it cannot be read, or is no picture.
    """
    if isinstance(place, Path):
        return Image.open(place)
    try:
        return Image.open(place.read())
    except (OSError, MemoryError) as error:
        raise InputError(f"{printable_path(place.address)} cannot be read: {error}.") from error


def find_file(folder: Path, names: Sequence[str], places: Sequence[str], what: str) -> Path:
    """Find an annotation file where people usually have it.

    Args:
        folder: that the user named.
        names: of the file, the first is the usual one.
        places: folders inside `folder`, "" is itself.
        what: for the message.

    Raises:
        InputError: it is in none of the places.
    """
    if not folder.is_dir():
        raise InputError(f"The folder {printable_path(folder)} does not exist. Expected {what}.")
    for place in places:
        for name in names:
            if (folder / place / name).is_file():
                return folder / place / name
    looked = ", ".join(place or "the folder itself" for place in places)
    raise InputError(
        f"{printable_path(folder)} has no {' or '.join(names)} (looked in {looked}). "
        f"Expected {what}."
    )


def picture_files(
    folders: Sequence[Path], images: Path | None, source: str, places: Sequence[str]
) -> ImageFiles:
    """Return where pictures are looked for: in the folder that is named, or where people have them.

    Args:
        folders: of the benchmark.
        images: what the user named; None: nothing.
        source: "coco", "vg" or "".
        places: folders inside each of `folders`.
    """
    if images is not None:
        return ImageFiles({source: [images]})
    roots = [folder / place for folder in folders for place in ("", *places)]
    return ImageFiles({source: [root for root in dict.fromkeys(roots) if root.is_dir()]})
