"""Where the pictures of a run come from: folders, patterns, lists, COCO files."""

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.annotations.fields import read_identity, read_object, read_string, read_xywh
from segue.errors import InputError
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


def find_pictures(sources: Sequence[str | Path], images: Path | None = None) -> list[SourcePicture]:
    """Find the pictures that sources name.

    Args:
        sources: picture files, folders (with all below), patterns ("shots/*.jpg"), lists of paths
            (.txt, a path a line, relative to the list), COCO instances (.json).
        images: folder of the relative names in lists and COCO files; None: that of the file.

    Returns:
        The pictures in the order of the sources, those of a folder by name; each file once.

    Raises:
        InputError: a source is not there, or there is no picture.
    """
    found: dict[Path, SourcePicture] = {}
    for source in sources:
        for picture in _pictures_of(str(source), images):
            known = found.get(picture.path)
            if known is None or not known.boxes:
                found[picture.path] = picture
    if not found:
        raise InputError(
            f"There is no picture in {', '.join(map(str, sources))}. Expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    return _uniquely_named(list(found.values()))


def _pictures_of(source: str, images: Path | None) -> Iterator[SourcePicture]:
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        yield from (
            SourcePicture(file.relative_to(path).as_posix(), file)
            for file in files
            if file.is_file()
        )
    elif path.is_file() and path.suffix.lower() == ".txt":
        for line in read_text(path).splitlines():
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
