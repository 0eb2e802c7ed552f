"""The picture files of a data set: names in records -> files that open."""

import re
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

import PIL.Image

from segue.convert.exif import UPRIGHT, upright_size
from segue.errors import InputError
from segue.values.box import Size

_COCO = re.compile(r"(?:COCO_(?:train|val|test)\d{4}_)?(\d{12})\.jpg", re.IGNORECASE)
_COCO_PREFIXES = ("", "COCO_train2014_", "COCO_val2014_")
SOURCE_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "coco": ("train2017", "val2017", "train2014", "val2014"),
    "vg": ("VG_100K", "VG_100K_2"),
}
"""Where the pictures of a source usually are inside a root, besides the root itself."""
CACHE_SIZE = 4096
"""Lookups that are cached, so that memory does not grow with the number of pictures."""
_ORIENTATION = 0x0112
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    PIL.Image.DecompressionBombError,
)
"""What Pillow raises on damaged files."""
MAX_PATH_LENGTH = 4096
"""Characters; no file system has longer paths."""


@dataclass(frozen=True, slots=True)
class LocatedImage:
    """A picture file that opens."""

    path: Path
    size: Size
    """Upright."""
    key: str
    """The same for all file names of one picture."""
    stored_size: Size
    """As it is stored, before EXIF rotation."""
    orientation: int = 1
    """Of its EXIF data, 1 to 8; 1: it is stored upright."""
    notes: tuple[str, ...] = ()
    """What had to be assumed to find it."""


@dataclass(frozen=True, slots=True)
class MissingImage:
    """A picture that is missing or does not open."""

    name: str
    reason: str


class PictureFinder(Protocol):
    """Finds the files of pictures by their names in records."""

    def find(self, name: str, source: str = "") -> LocatedImage | MissingImage:
        """Find the file of a picture; see `ImageFiles.find`."""


class ImageFiles:
    """Finds pictures in some root folders, and opens each once."""

    def __init__(
        self,
        roots: Mapping[str, Sequence[Path]],
        *,
        check_pixels: bool = False,
        known_files: Mapping[str, Path] | None = None,
    ) -> None:
        """Check the root folders.

        Args:
            roots: folders by data source; those under "" are searched for every source.
            check_pixels: decode every picture, instead of reading its header only. Detects
                truncated files, and takes about a hundred times longer.
            known_files: by name, pictures of which it is known where they are; they come first.

        Raises:
            InputError: a root is not a folder.
        """
        for root in (root for folders in roots.values() for root in folders):
            if not root.is_dir():
                raise InputError(f"The picture folder {root} does not exist.")
        self._roots = {source.lower(): tuple(folders) for source, folders in roots.items()}
        self._check_pixels = check_pixels
        self._known_files = known_files or {}
        self._cached_search = lru_cache(CACHE_SIZE)(self._search)

    def find(self, name: str, source: str = "") -> LocatedImage | MissingImage:
        """Find the file of a picture.

        Args:
            name: as a record writes it: with or without folders and COCO's prefix.
            source: "coco", "vg", …; says which roots are searched first.
        """
        return self._cached_search(name, source.lower())

    def _search(self, name: str, source: str) -> LocatedImage | MissingImage:
        if len(name) > MAX_PATH_LENGTH or any(
            len(part) > 1000 for part in re.split(r"[/\\]", name)
        ):
            return MissingImage(
                f"{name[:60]}… ({len(name)} characters)", "picture name is too long"
            )
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
            return MissingImage(name, "picture name leads outside its folder")
        is_damaged = False
        for candidate in self._candidates(name, path, source):
            if _is_file(candidate):
                picture_header = read_image_header(candidate, check_pixels=self._check_pixels)
                if picture_header is not None:
                    stored_size, orientation = picture_header
                    is_elsewhere = len(path.parts) > 1 and not str(candidate).endswith(str(path))
                    notes = (MOVED_NOTE,) if is_elsewhere and not _COCO.fullmatch(path.name) else ()
                    size = upright_size(stored_size, orientation)
                    key = image_key(name, source)
                    return LocatedImage(candidate, size, key, stored_size, orientation, notes)
                is_damaged = True
        return MissingImage(name, "picture does not open" if is_damaged else "picture not found")

    def _candidates(self, name: str, path: PurePosixPath, source: str) -> Iterator[Path]:
        if name in self._known_files:
            yield self._known_files[name]
        names = [str(path), path.name]
        coco = _COCO.fullmatch(path.name)
        if coco:
            names += [f"{prefix}{coco[1]}.jpg" for prefix in _COCO_PREFIXES]
        names = list(dict.fromkeys(names))
        general = self._roots.get("", ()) if source else ()
        for root in (*self._roots.get(source, ()), *general):
            for folder in ("", *SOURCE_FOLDERS.get(source, ())):
                yield from (root / folder / name for name in names)
                if folder and source:
                    yield from (root / source / folder / name for name in names)


def read_image_header(path: Path, *, check_pixels: bool = False) -> tuple[Size, int] | None:
    """Read size as stored, and EXIF orientation; None when the picture does not open.

    Args:
        path: of the picture.
        check_pixels: also decode all pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(path) as picture:
                width, height = picture.size
                orientation = _orientation(picture)
                if check_pixels:
                    picture.load()
    except _UNREADABLE:
        return None
    return Size(height, width), orientation


MOVED_NOTE = "picture found under another folder than named"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file system can hold
        return False


def _orientation(picture: PIL.Image.Image) -> int:
    """Return 1 to 8; damaged EXIF data are ignored."""
    try:
        value = picture.getexif().get(_ORIENTATION, UPRIGHT)
    except _UNREADABLE:
        return UPRIGHT
    return value if value in range(1, 9) else UPRIGHT


def image_key(name: str, source: str = "") -> str:
    """Return the identity of a picture across file names.

    >>> image_key("COCO_train2014_000000000012.jpg", "coco") == image_key("000000000012.jpg")
    True
    """
    base = PurePosixPath(name.replace("\\", "/"))
    coco = _COCO.fullmatch(base.name)
    return f"coco/{coco[1]}" if coco else f"{source.lower() or 'file'}/{base}"


def parse_image_roots(values: Sequence[str]) -> dict[str, list[Path]]:
    """Parse "FOLDER" and "source=FOLDER" as a user types them.

    >>> parse_image_roots(["coco=/data/coco", "/pictures"])
    {'coco': [PosixPath('/data/coco')], '': [PosixPath('/pictures')]}
    """
    roots: dict[str, list[Path]] = {}
    for value in values:
        source, equals, folder = value.partition("=")
        has_source = equals and "/" not in source and "\\" not in source
        roots.setdefault(source.lower() if has_source else "", []).append(
            Path(folder if has_source else value).expanduser()
        )
    return roots
