"""Where the pictures of a run come from: folders, patterns, lists, COCO files, shards.

All of it may lie on this machine or in object storage, but for lists and COCO files, which are
small: those name pictures that do.
"""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import is_well_formed
from segue.runs.sources import parquet_shards, tar_shards
from segue.runs.sources.coco import pictures_of_coco
from segue.runs.sources.lists import TABLE_SUFFIXES, pictures_of_list, pictures_of_table
from segue.runs.sources.locations import FileLocation, ObjectLocation, ParquetCell, TarMember
from segue.runs.sources.object_storage import ObjectFolder, Stamp, is_address
from segue.runs.sources.picture import SourcePicture
from segue.runs.sources.shards import (
    SHARD_SUFFIXES,
    TAR_SUFFIXES,
    DamagedShard,
    is_shard,
    place_stamp,
    suffix_of,
)

__all__ = ["SUFFIXES", "SourceOptions", "SourcePicture", "find_pictures"]

SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"])
"""Files of a folder with other suffixes are not pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How sources are read."""

    images: str | Path | None = None
    """Folder of the relative names in lists and COCO files; None: that of the file. It may be an
    address of object storage."""
    image_column: str | None = None
    """Column of the pictures in tables and Parquet shards; None: it is found."""
    ask_column: str | None = None
    """Column of the questions; of a tar shard the extension of the members that hold them, or a key
    in its ".json" members. None: there are no questions."""
    skipped: list[str] = field(default_factory=list)
    """Gets a sentence for what cannot be read and is left out."""


def find_pictures(
    sources: Sequence[str | Path],
    images: str | Path | None = None,
    *,
    image_column: str | None = None,
    ask_column: str | None = None,
    skipped: list[str] | None = None,
) -> list[SourcePicture]:
    """Find the pictures that sources name.

    Args:
        sources: picture files, folders (with all below), patterns ("shots/*.jpg"), lists of paths
            (.txt, a path a line, relative to the list), tables (.csv, .tsv, .jsonl), COCO instances
            (.json), shards (.tar of WebDataset, .parquet). Files, folders, patterns and shards may
            lie in object storage ("s3://bucket/photos").
        images: see `SourceOptions`.
        image_column: see `SourceOptions`.
        ask_column: see `SourceOptions`.
        skipped: gets a sentence for what cannot be read and is left out.

    Returns:
        The pictures in the order of the sources, those of a folder by name; each file once, also
        where links lead to a folder by several ways. With `ask_column` a picture without a question
        has that as its problem.

    Raises:
        InputError: a source is not there, or there is no picture.
        MissingExtra: a package that a source needs is not installed.
    """
    options = SourceOptions(
        images=images,
        image_column=image_column,
        ask_column=ask_column,
        skipped=[] if skipped is None else skipped,
    )
    by_place: dict[str, SourcePicture] = {}
    real_folders: dict[Path, str] = {}
    for source in sources:
        for picture in _pictures_of(str(source), options):
            place = _place_of(picture, real_folders)
            earlier = by_place.get(place)
            if earlier is None or (picture.boxes and not earlier.boxes):
                by_place[place] = picture
    if not by_place:
        reasons = f" {' '.join(options.skipped[:3])}" if options.skipped else ""
        raise InputError(
            f"There is no picture in {', '.join(map(str, sources))}. Expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}, or shards ({', '.join(sorted(SHARD_SUFFIXES))})."
            f"{reasons}"
        )
    pictures = _uniquely_named(list(by_place.values()))
    return pictures if ask_column is None else [_checked_question(p, ask_column) for p in pictures]


def _place_of(picture: SourcePicture, real_folders: dict[Path, str]) -> str:
    """Return what a picture that is named twice has in common."""
    if not isinstance(picture.location, FileLocation):
        return picture.location.address
    path = picture.location.path
    if path.parent not in real_folders:
        real_folders[path.parent] = os.path.realpath(path.parent)
    return os.path.join(real_folders[path.parent], path.name)


def _pictures_of(source: str, options: SourceOptions) -> Iterator[SourcePicture]:
    if not source or "\0" in source:
        raise InputError(f"Expected a picture, a folder or a list of paths, got {source!r}.")
    if is_address(source):
        yield from _pictures_in_storage(source, options)
        return
    path = Path(source)
    if path.is_dir():
        yield from _pictures_of_folder(path, options)
    elif path.is_file():
        yield from _pictures_of_file(path, options)
    elif glob.has_magic(source):
        matches = sorted(Path(match) for match in glob.glob(source, recursive=True))
        if not matches:
            raise InputError(f"No file matches {source!r}.")
        for file in matches:
            if file.is_file() and is_shard(str(file)):
                yield from _pictures_of_shard(str(file.absolute()), None, options)
            elif file.is_file():
                yield SourcePicture.of_file(file.name, file)
    else:
        raise InputError(
            f"There is no file or folder {source!r}. Expected a picture, a folder, a pattern, a "
            "list of paths (.txt, .csv, .tsv, .jsonl), COCO instances (.json), or a shard (.tar, "
            ".parquet)."
        )


def _pictures_of_file(path: Path, options: SourceOptions) -> Iterator[SourcePicture]:
    """Yield what one file of this machine holds: itself, or what a list or shard names."""
    suffix, folder = path.suffix.lower(), options.images or path.parent
    if is_shard(str(path)):
        yield from _pictures_of_shard(str(path.absolute()), None, options)
    elif suffix == ".txt":
        yield from pictures_of_list(path, folder)
    elif suffix == ".json":
        yield from pictures_of_coco(path, folder)
    elif suffix in TABLE_SUFFIXES:
        yield from pictures_of_table(
            path, folder, options.image_column, options.ask_column, options.skipped
        )
    else:
        yield SourcePicture.of_file(path.name, path)


def _pictures_of_folder(folder: Path, options: SourceOptions) -> Iterator[SourcePicture]:
    """Yield the pictures below a folder; where there are none, those of its shards."""
    files = sorted(_files_below(folder, options.skipped))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    shards = [file for file in files if is_shard(str(file))]
    for file in pictures:
        yield SourcePicture.of_file(file.relative_to(folder).as_posix(), file)
    if pictures and shards:
        options.skipped.append(_unread_shards(len(shards), str(folder)))
        return
    for file in shards:
        yield from _pictures_of_shard(str(file.absolute()), None, options)


def _pictures_in_storage(address: str, options: SourceOptions) -> Iterator[SourcePicture]:
    """Yield the pictures of an address: an object, a folder, a pattern, or shards."""
    storage = ObjectFolder(address)
    kind = storage.kind()
    if kind == "file":
        if suffix_of(address) in TABLE_SUFFIXES | {".txt", ".json"}:
            raise InputError(
                f"{printable_path(address)} is a list. Download it, and name the folder of its "
                "pictures with --images."
            )
        files = {storage.path: storage.stamp()}
        root = str(PurePosixPath(storage.path).parent)
    elif kind == "folder":
        files, root = storage.files(), storage.path
    elif glob.has_magic(storage.path):
        files, root = storage.matches(), ""
    else:
        files, root = {}, ""
    if not files:
        raise InputError(
            f"There is nothing at {printable_path(address)}, or nothing that your credentials may "
            "see. Expected a picture, a folder, a pattern or a shard."
        )
    is_named = kind != "folder"
    shards = [path for path in files if is_shard(path)]
    pictures = [
        path for path in files if path not in shards and (is_named or suffix_of(path) in SUFFIXES)
    ]
    for path in pictures:
        name = path.removeprefix(root).lstrip("/") if root else PurePosixPath(path).name
        yield SourcePicture(name, ObjectLocation(storage.address_of(path), files[path]))
    if pictures and shards and not is_named:
        options.skipped.append(_unread_shards(len(shards), address))
        return
    for path in shards:
        yield from _pictures_of_shard(storage.address_of(path), files[path], options)


def _unread_shards(count: int, folder: str) -> str:
    return (
        f"{printable_path(folder)} has {count} shard(s) beside its pictures, which are not read. "
        f"Name them to read them: '{printable_path(folder).rstrip('/')}/*.tar'."
    )


def _pictures_of_shard(
    place: str, stamp: Stamp | None, options: SourceOptions
) -> Iterator[SourcePicture]:
    """Yield the pictures of a shard; one that is damaged is named, and the others are read."""
    try:
        yield from _list_shard(place, stamp or place_stamp(place), options)
    except DamagedShard as error:
        options.skipped.append(str(error))


def _list_shard(place: str, stamp: Stamp, options: SourceOptions) -> Iterator[SourcePicture]:
    if suffix_of(place) in TAR_SUFFIXES:
        listing = tar_shards.list_tar(place, options.ask_column)
        options.skipped.extend(listing.problems)
        entries = tar_shards.picture_entries(listing, SUFFIXES)
        if not entries:
            options.skipped.append(f"{printable_path(place)} holds no picture.")
        for entry in entries:
            member = TarMember(place, stamp, entry.name, entry.offset, entry.size_bytes)
            yield SourcePicture(entry.name, member, question=listing.questions.get(entry.key))
        return
    column, rows = parquet_shards.list_rows(place, options.image_column, options.ask_column)
    stem = PurePosixPath(place).stem
    for row in rows:
        suffix = PurePosixPath(row.path or "").suffix.lower()
        name = f"{stem}/{row.row:06}{suffix if suffix in SUFFIXES else ''}"
        yield SourcePicture(name, ParquetCell(place, stamp, row.row, column), question=row.question)


def _files_below(folder: Path, skipped: list[str]) -> Iterator[Path]:
    """Yield pictures and shards in a folder and below; linked folders once, also in circles."""

    def skip(error: OSError) -> None:
        file_name = printable_path(str(error.filename))
        skipped.append(f"The folder {file_name} cannot be read: {error.strerror or error}.")

    real_paths = {os.path.realpath(folder)}
    for place, subfolders, names in os.walk(folder, onerror=skip, followlinks=True):
        real = {name: os.path.realpath(os.path.join(place, name)) for name in sorted(subfolders)}
        subfolders[:] = [name for name, target in real.items() if target not in real_paths]
        real_paths.update(real.values())
        for name in names:
            file = Path(place, name)
            if file.suffix.lower() in SUFFIXES | SHARD_SUFFIXES and file.is_file():
                yield file


def _uniquely_named(pictures: list[SourcePicture]) -> list[SourcePicture]:
    """Give pictures of one name, from different folders, the names of their folders too."""
    counts = Counter(picture.name for picture in pictures)
    return [
        replace(picture, name=picture.location.long_name) if counts[picture.name] > 1 else picture
        for picture in pictures
    ]


def _checked_question(picture: SourcePicture, column: str) -> SourcePicture:
    """Return the picture, with a problem where it has no question."""
    question = picture.question
    if not isinstance(question, str) or not question.strip():
        return replace(picture, question=None, problem=f"It has no question in {column!r}.")
    if not is_well_formed(question):
        return replace(
            picture, question=None, problem=f"Its question in {column!r} is in no known encoding."
        )
    return replace(picture, question=question.strip())
