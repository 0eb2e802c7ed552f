"""A data set written in a format: classes, splits, pictures, and an account of it all.

What was read is what was written plus what was left out, always, for pictures and for regions.
"""

import csv
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from segue.errors import InputError
from segue.export import EXPORT_FORMATS, AnnotatedImage
from segue.export.label_files import picture_path
from segue.export.labels import label_of, label_text, labels_of
from segue.export.layout import EXPORT_LAYOUTS, FormatLayout
from segue.export.names import unique_names
from segue.export.picture_files import (
    PictureFile,
    check_copies,
    suffix_of_location,
    upright_size,
    write_copy,
)
from segue.export.reading import DataSet
from segue.files.atomic import printable_path
from segue.pipeline.same_place import better_of, same_places
from segue.values.image import Image
from segue.values.region import Region

PictureCopies = Literal["copy", "none"]
OTHER_CLASS = "of another class"
SAME_PLACE = "in the place of a region of another name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """How a data set is written."""

    format: str
    """A name from `EXPORT_FORMATS`."""
    target: Path
    """A folder; for formats of one file it may be that file."""
    classes: Sequence[str] | None = None
    """The only classes, in the order of their ids; None: those that the source lists, in its order,
    then others as they occur."""
    splits: Mapping[str, float] = field(default_factory=dict)
    """Name -> share of the pictures; empty: no split."""
    seed: int = 0
    """Of the split."""
    pictures: PictureCopies = "copy"
    merge_same: bool = False
    """Of regions in one place under two names, write the one that is more likely right."""
    force: bool = False
    """Write although the target holds something; files of other names stay."""

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            UnknownName: there is no such format.
            InputError: a class is listed twice, or the splits make no sense.
        """
        EXPORT_FORMATS[self.format]
        labels_of((), self.classes)
        check_splits(self.splits)

    @property
    def layout(self) -> FormatLayout:
        """Where the files of the format lie."""
        return EXPORT_LAYOUTS[self.format]


@dataclass(slots=True)
class SplitExport:
    """What became of the pictures of one split, or of all where nothing was split."""

    split: str | None
    target: Path
    pictures: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    """Regions written, by class, in the order of the ids; classes without any have 0."""
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Regions left out, by reason and class."""
    same_places: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Pairs of regions that lie in one place under two names, by their classes; written or not."""
    copied: int = 0
    """Pictures copied, those that were already there included."""
    not_copied: list[str] = field(default_factory=list)
    """Names of pictures whose files were not found, or are no pictures."""
    files: list[Path] = field(default_factory=list)
    """All files written, pictures included."""

    @property
    def regions(self) -> int:
        """Number of regions written."""
        return self.classes.total()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "split": self.split,
            "target": str(self.target),
            "pictures": self.pictures,
            "regions": self.regions,
            "classes": dict(self.classes),
            "left_out": [
                {"reason": reason, "class": label, "regions": count}
                for (reason, label), count in self.left_out.items()
            ],
            "same_places": [
                {"classes": list(labels), "pairs": count}
                for labels, count in self.same_places.items()
            ],
            "copied": self.copied,
            "not_copied": list(self.not_copied),
        }


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written and what was left out."""

    parts: Sequence[SplitExport]
    """In the order of the splits; one where nothing was split."""
    others: int = 0
    """Files that were in the target folder before and stayed as they were."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: {"parts": [one for each split], "others"}."""
        return {"parts": [part.to_json() for part in self.parts], "others": self.others}


def parse_classes(text: str) -> list[str]:
    """Read "cat,dog" as a user types it; a name with a comma stands in double quotes.

    Raises:
        InputError: there is no name.

    >>> parse_classes('cat, traffic light,"desk, wooden"')
    ['cat', 'traffic light', 'desk, wooden']
    """
    (row,) = csv.reader([text.replace("\n", " ")], skipinitialspace=True)
    if not any(name.strip() for name in row):
        raise InputError(f"No class is named by {text!r}. Leave the classes out to keep all.")
    return [label_text(name) for name in row]


def parse_splits(text: str) -> dict[str, float]:
    """Read "train=0.8,val=0.2" as a user types it.

    Raises:
        InputError: it has another form, or the shares do not add up to 1.

    >>> parse_splits("train=0.8,val=0.2")
    {'train': 0.8, 'val': 0.2}
    """
    splits: dict[str, float] = {}
    for part in text.split(","):
        name, _, share_text = part.partition("=")
        name = name.strip()
        try:
            share = float(share_text)
        except ValueError:
            share = math.nan
        if math.isnan(share) or name in splits:
            raise InputError(
                f"Cannot read the split {part.strip()!r}. Give each split once with its share, as "
                "in train=0.8,val=0.2."
            )
        splits[name] = share
    check_splits(splits)
    return splits


def check_splits(splits: Mapping[str, float]) -> None:
    """Check names and shares of splits; none at all is fine.

    Raises:
        InputError: a name is no simple word, or the shares do not add up to 1.
    """
    for name, share in splits.items():
        if not re.fullmatch(r"[\w-]+", name):
            raise InputError(
                f"A split is named with letters, digits, _ and -, got {name!r}: it names a folder."
            )
        if not 0 < share <= 1:
            raise InputError(
                f"The share of the split {name!r} must be above 0 and at most 1, got {share:g}."
            )
    if splits and abs(sum(splits.values()) - 1) > 1e-6:
        raise InputError(
            f"The shares of the splits must add up to 1, got {sum(splits.values()):g}. Every "
            "picture goes into one of them."
        )


def split_name(picture_name: str, splits: Mapping[str, float], seed: int) -> str:
    """Return the split of a picture: by a hash of its name, so that it stays when others come.

    Args:
        picture_name: as the data set knows it.
        splits: name -> share; the shares add up to 1.
        seed: another one splits otherwise.
    """
    digest = hashlib.sha256(f"{seed} {picture_name}".encode("utf-8", "surrogatepass")).digest()
    chance = int.from_bytes(digest[:7], "big") / 2**56
    total = 0.0
    for name, share in splits.items():
        total += share
        if chance < total:
            return name
    return list(splits)[-1]


def write_data_set(
    data: DataSet, plan: ExportPlan, source: str | Path | None = None
) -> ExportReport:
    """Write a data set, one target for each split.

    Nothing is written before it is known that no file of the source would be overwritten.

    Args:
        data: what to write.
        plan: how.
        source: where it was read from; it is never written to. None: it is nowhere.

    Returns:
        What was written and what was left out.

    Raises:
        InputError: the target is the source, lies in it or around it, holds something and the plan
            does not force, two pictures would share a file, or a file cannot be written.
    """
    parts: dict[str | None, list[AnnotatedImage]] = {name: [] for name in plan.splits or [None]}
    for picture in data.pictures:
        split = split_name(picture.name, plan.splits, plan.seed) if plan.splits else None
        parts[split].append(picture)
    targets = {split: _target(plan, split) for split in parts}
    _check_targets(plan, targets.values(), source)
    exports = []
    kept_parts = []
    for split, pictures in parts.items():
        export = SplitExport(split, targets[split], len(pictures))
        exports.append(export)
        kept_parts.append([_keep_writable(picture, plan, export) for picture in pictures])
    all_kept = [picture for kept in kept_parts for picture in kept]
    categories = labels_of(all_kept, plan.classes)
    if plan.classes is None:  # the source's own classes come first, in its order
        own = filter(None, map(label_text, data.classes))
        categories = list(dict.fromkeys([*own, *categories]))
    copies = [
        _rename_for_copies(kept, data, plan, export)
        for kept, export in zip(kept_parts, exports, strict=True)
    ]
    all_copies = [copy for _, part_copies in copies for copy in part_copies]
    check_copies(all_copies, may_replace=plan.force)
    before = _files_in(plan.target)
    for (pictures, part_copies), export in zip(copies, exports, strict=True):
        _write_part(pictures, part_copies, categories, plan, export)
    written = {file.resolve() for export in exports for file in export.files}
    return ExportReport(exports, len(before - written))


def _keep_writable(
    picture: AnnotatedImage, plan: ExportPlan, export: SplitExport
) -> AnnotatedImage:
    """Return the picture with the regions that are written, and count the others."""
    classes = None if plan.classes is None else {label_text(name) for name in plan.classes}
    regions: list[Region] = []
    for region in picture.regions:
        label = label_of(region)
        reason = plan.layout.reason_against(region, picture.size)
        if classes is not None and label not in classes:
            reason = OTHER_CLASS
        if reason is None:
            regions.append(region)
        else:
            export.left_out[reason, label] += 1
    dropped_ids = set[int]()
    for pair in same_places(regions):
        first, second = map(label_of, pair.regions)
        export.same_places[first, second] += 1
        if plan.merge_same and not dropped_ids & {id(region) for region in pair.regions}:
            better = better_of(pair)
            worse = pair.second if better is pair.first else pair.first
            dropped_ids.add(id(worse))
            export.left_out[SAME_PLACE, label_of(worse)] += 1
    regions = [region for region in regions if id(region) not in dropped_ids]
    return replace(picture, regions=tuple(regions))


def _rename_for_copies(
    pictures: Sequence[AnnotatedImage], data: DataSet, plan: ExportPlan, export: SplitExport
) -> tuple[list[AnnotatedImage], list[tuple[PictureFile, Path]]]:
    """Return the pictures under the names of their copies, and what is copied where."""
    if plan.pictures == "none":
        return [_in_split(picture, plan, export) for picture in pictures], []
    is_folder = plan.layout.file_name is None
    folder = export.target if is_folder else export.target.parent
    folder /= plan.layout.picture_folder
    names, suffixes = [], []
    originals = [data.files.get(picture.name) for picture in pictures]
    for picture, original in zip(pictures, originals, strict=True):
        path, suffix = picture_path(picture.name), _suffix_of(original)
        suffixes.append(suffix)
        is_png = isinstance(original, Image)
        is_bare = bool(suffix) and not path.suffix
        names.append(str(path.with_suffix(suffix or "") if is_png or is_bare else path))
    if any(isinstance(original, Image) for original in originals):
        names = unique_names(names)  # "a.jpg" and "a.png" are both "a.png" now
    if plan.layout.holds_splits and export.split:
        names = [f"{export.split}/{name}" for name in names]
    copies: list[tuple[PictureFile, Path]] = []
    for picture, name, original, suffix in zip(pictures, names, originals, suffixes, strict=True):
        if original is None or suffix is None:
            export.not_copied.append(picture.name)
        else:
            copies.append((original, folder / name))
    renamed = [replace(picture, name=name) for picture, name in zip(pictures, names, strict=True)]
    return renamed, copies


def _in_split(picture: AnnotatedImage, plan: ExportPlan, export: SplitExport) -> AnnotatedImage:
    """Return the picture under the name that it has in a data set with all splits."""
    if not plan.layout.holds_splits or not export.split:
        return picture
    return replace(picture, name=f"{export.split}/{picture_path(picture.name)}")


def _suffix_of(original: PictureFile | None) -> str | None:
    """Return the suffix of a copy, "" where the picture's own name has it; None: no picture."""
    if isinstance(original, Image):
        return ".png"
    if isinstance(original, Path):
        return None if upright_size(original) is None else ""
    return None if original is None else suffix_of_location(original)


def _write_part(
    pictures: Sequence[AnnotatedImage],
    copies: Sequence[tuple[PictureFile, Path]],
    categories: Sequence[str],
    plan: ExportPlan,
    export: SplitExport,
) -> None:
    options: dict[str, Any] = {}
    if plan.layout.takes_categories:
        options["categories"] = categories
    if plan.layout.holds_splits:
        options["splits"] = list(plan.splits)
    if plan.layout.embeds_pictures and plan.pictures != "none":
        originals = {target: original for original, target in copies}
        folder = export.target / plan.layout.picture_folder
        options["files"] = {
            picture.name: originals[folder / picture.name]
            for picture in pictures
            if folder / picture.name in originals
        }
        export.copied, copies = len(copies), ()
    export.files += EXPORT_FORMATS.load(plan.format, pictures, export.target, **options)
    for original, target in copies:
        write_copy(original, target)
        export.files.append(target)
    export.copied += len(copies)
    export.classes.update(dict.fromkeys(categories, 0))
    export.classes.update(label_of(region) for picture in pictures for region in picture.regions)


def _is_one_file(plan: ExportPlan) -> bool:
    """Whether the target is the one file of the format, not a folder for it."""
    name = plan.layout.file_name
    is_file_name = name is not None and plan.target.suffix.lower() == Path(name).suffix
    return is_file_name and not plan.target.is_dir()


def _target(plan: ExportPlan, split: str | None) -> Path:
    """Return what the writer is given: a folder, or the one file of the format."""
    if _is_one_file(plan):
        return plan.target.with_stem(f"{plan.target.stem}-{split}") if split else plan.target
    if split is None or plan.layout.holds_splits:
        return plan.layout.target_in(plan.target)
    return plan.layout.target_in(plan.target / split)


def _check_targets(plan: ExportPlan, targets: Iterable[Path], source: str | Path | None) -> None:
    outputs = list(targets) if _is_one_file(plan) else [plan.target]
    for output in outputs:
        if source is not None and _overlaps(output, Path(source)):
            raise InputError(
                f"{printable_path(output)} would overwrite the source {printable_path(source)}. "
                "Write to another place, outside the source and not around it."
            )
        if output.is_file() and not _is_one_file(plan):
            raise InputError(
                f"{printable_path(output)} is a file, expected a folder for the format "
                f"{plan.format!r}. Name a folder."
            )
        is_used = output.stat().st_size > 0 if output.is_file() else bool(_files_in(output))
        if is_used and not plan.force:
            raise InputError(
                f"{printable_path(output)} exists and is not empty. Name another place, or give "
                "--force to write there; files of equal names are replaced, others stay."
            )


def _overlaps(output: Path, source: Path) -> bool:
    """Whether writing there could change the source: the same, inside it, or a folder around it."""
    output, source = output.resolve(), source.resolve()
    if output == source or (source.is_dir() and output.is_relative_to(source)):
        return True
    return output.is_dir() and source.is_relative_to(output)


def _files_in(folder: Path) -> set[Path]:
    if not folder.is_dir():
        return set()
    return {file.resolve() for file in folder.rglob("*") if not file.is_dir()}
