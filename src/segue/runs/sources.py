"""Where the pictures of a run come from: folders, patterns, lists, COCO files."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.annotations.fields import read_identity, read_object, read_string, read_xywh
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json, read_text
from segue.values.box import Box

SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"])
"""Files of a folder with other suffixes are not pictures."""


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """A picture of a run."""

    name: str
    """Unique in the run; relative to the folder it was found in, with "/" between its parts."""
    path: Path
    boxes: tuple[tuple[str, Box], ...] = ()
    """What the source says is on it: class and box, in pixels of the picture."""


def find_pictures(
    sources: Sequence[str | Path],
    images: Path | None = None,
    *,
    skipped: list[str] | None = None,
) -> list[SourcePicture]:
    """Find the pictures that sources name.

    Args:
        sources: picture files, folders (with all below), patterns ("shots/*.jpg"), lists of paths
            (.txt, a path a line, relative to the list), COCO instances (.json).
        images: folder of the relative names in lists and COCO files; None: that of the file.
        skipped: gets a sentence for each folder that cannot be read.

    Returns:
        The pictures in the order of the sources, those of a folder by name; each file once, also
        where links lead to a folder by several ways.

    Raises:
        InputError: a source is not there, or there is no picture.
    """
    found: dict[str, SourcePicture] = {}
    real_folders: dict[Path, str] = {}
    for source in sources:
        for picture in _pictures_of(str(source), images, [] if skipped is None else skipped):
            folder = picture.path.parent
            if folder not in real_folders:
                real_folders[folder] = os.path.realpath(folder)
            place = os.path.join(real_folders[folder], picture.path.name)
            known = found.get(place)
            if known is None or (picture.boxes and not known.boxes):
                found[place] = picture
    if not found:
        raise InputError(
            f"There is no picture in {', '.join(map(str, sources))}. Expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    return _uniquely_named(list(found.values()))


def _pictures_of(source: str, images: Path | None, skipped: list[str]) -> Iterator[SourcePicture]:
    if not source or "\0" in source:
        raise InputError(f"Expected a picture, a folder or a list of paths, got {source!r}.")
    path = Path(source)
    if path.is_dir():
        files = sorted(_pictures_below(path, skipped))
        yield from (SourcePicture(file.relative_to(path).as_posix(), file) for file in files)
    elif path.is_file() and path.suffix.lower() == ".txt":
        for line in read_text(path).splitlines():
            if "\0" in line:
                raise InputError(f"{source} holds {line.strip()[:80]!r}, which is no path.")
            if line.strip():
                file = (images or path.parent) / line.strip()
                yield SourcePicture(Path(line.strip()).as_posix().lstrip("/"), file)
    elif path.is_file() and path.suffix.lower() == ".json":
        yield from _pictures_of_coco(path, images or path.parent)
    elif path.is_file():
        yield SourcePicture(path.name, path)
    elif glob.has_magic(source):
        matches = sorted(Path(match) for match in glob.glob(source, recursive=True))
        if not matches:
            raise InputError(f"No file matches {source!r}.")
        yield from (SourcePicture(file.name, file) for file in matches if file.is_file())
    else:
        raise InputError(
            f"There is no file or folder {source!r}. Expected a picture, a folder, a pattern, a "
            "list of paths (.txt) or COCO instances (.json)."
        )


def _pictures_below(folder: Path, skipped: list[str]) -> Iterator[Path]:
    """Yield the pictures in a folder and below; linked folders once, circles of links as well."""

    def skip(error: OSError) -> None:
        shown = printable_path(str(error.filename))
        skipped.append(f"The folder {shown} cannot be read: {error.strerror or error}.")

    seen = {os.path.realpath(folder)}
    for place, subfolders, names in os.walk(folder, onerror=skip, followlinks=True):
        real = {name: os.path.realpath(os.path.join(place, name)) for name in sorted(subfolders)}
        subfolders[:] = [name for name, target in real.items() if target not in seen]
        seen.update(real.values())
        for name in names:
            file = Path(place, name)
            if file.suffix.lower() in SUFFIXES and file.is_file():
                yield file


def _pictures_of_coco(file: Path, folder: Path) -> Iterator[SourcePicture]:
    document = read_object(read_json(file), str(file))
    entries = {}
    for key in ("images", "annotations", "categories"):
        value = document.get(key, [])
        if not isinstance(value, list):
            raise InputError(f"The {key!r} of {file} must be a list.")
        entries[key] = [read_object(entry, f"an entry of {key}") for entry in value]
    if not entries["images"]:
        raise InputError(f"{file} must be COCO instances with 'images', and has none.")
    names = {
        read_identity(entry.get("id"), "id"): read_string(entry.get("name"), "name")
        for entry in entries["categories"]
    }
    boxes: dict[int | str, list[tuple[str, Box]]] = {}
    for entry in entries["annotations"]:
        category = names.get(read_identity(entry.get("category_id"), "category_id"))
        if category is not None and entry.get("bbox"):
            picture = read_identity(entry.get("image_id"), "image_id")
            boxes.setdefault(picture, []).append((category, read_xywh(entry["bbox"], None)))
    for entry in entries["images"]:
        name = read_string(entry.get("file_name"), "file_name")
        identity = read_identity(entry.get("id"), "id")
        if "\0" in name:
            raise InputError(f"{file} holds the name {name[:80]!r}, which is no path.")
        yield SourcePicture(name, folder / name, tuple(boxes.get(identity, ())))


def _uniquely_named(pictures: list[SourcePicture]) -> list[SourcePicture]:
    """Give pictures of one name, from different folders, the names of their folders too."""
    counts = Counter(picture.name for picture in pictures)
    return [
        SourcePicture(picture.path.as_posix().lstrip("/"), picture.path, picture.boxes)
        if counts[picture.name] > 1
        else picture
        for picture in pictures
    ]
