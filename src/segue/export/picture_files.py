"""The pictures of a data set as files: where they lie, how large they are, and copies of them."""

import filecmp
import io
import shutil
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import PIL.Image

from segue.annotations.entry_log import DAMAGE
from segue.errors import InputError
from segue.export.label_files import picture_path
from segue.files.atomic import printable_path, replacing, unwritable, write_bytes
from segue.runs.sources.locations import PictureLocation
from segue.values.box import Size
from segue.values.image import Image
from segue.values.image.conversion import orientation_of


def find_picture(name: str, folders: Iterable[Path]) -> Path | None:
    """Return the file of a picture: in one of the folders under its whole name or its last part.

    Names that lead out of a folder ("../x.png", "/x.png") are looked for below it all the same.

    Args:
        name: as the data set knows it.
        folders: where to look, the likeliest first.
    """
    path = picture_path(name)
    candidates = [path, Path(path.name)] if len(path.parts) > 1 else [path]
    for folder in folders:
        for candidate in candidates:
            if _is_file(folder / candidate):
                return folder / candidate
    return None


def upright_size(file: Path) -> Size | None:
    """Return the size of a picture after EXIF turned it; None: it does not open as a picture.

    Only the beginning of the file is read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(file) as picture:
                width, height = picture.size
                is_turned = orientation_of(picture.getexif) >= 5
    except (*DAMAGE, PIL.Image.DecompressionBombError):
        return None
    return Size(width, height) if is_turned else Size(height, width)


PictureFile: TypeAlias = Path | Image | PictureLocation
"""A file, an image of a conversation, or a picture in a shard or in object storage."""


def suffix_of_location(location: PictureLocation) -> str | None:
    """Return the suffix that the content of a picture should have; None: it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(io.BytesIO(location.read())) as picture:
                name = (picture.format or "").lower()
    except (*DAMAGE, InputError, PIL.Image.DecompressionBombError):
        return None
    return {"jpeg": ".jpg", "mpo": ".jpg", "tiff": ".tif"}.get(name, f".{name}")


def read_picture(picture: PictureFile) -> bytes:
    """Return the bytes of a picture file, those of an image of a conversation as PNG.

    Raises:
        InputError: it cannot be read.
    """
    if isinstance(picture, Image):
        return picture.to_png_bytes()
    try:
        return picture.read_bytes() if isinstance(picture, Path) else picture.read()
    except OSError as error:
        shown = picture if isinstance(picture, Path) else picture.address
        raise InputError(
            f"{printable_path(shown)} cannot be read: {error.strerror or error}."
        ) from error


def write_copy(picture: PictureFile, target: Path) -> None:
    """Write a picture: a file byte for byte, an image of a conversation as PNG.

    A file that is already there as itself stays untouched.

    Raises:
        InputError: it cannot be read or written.
    """
    if not isinstance(picture, Path):
        write_bytes(target, read_picture(picture))
        return
    if _is_file(target) and target.samefile(picture):
        return
    try:
        with replacing(target) as part:
            shutil.copyfile(picture, part)
    except OSError as error:
        raise unwritable(target, error) from error


def check_copies(copies: Sequence[tuple[PictureFile, Path]], *, may_replace: bool) -> None:
    """Refuse copies that would replace what they should not.

    Args:
        copies: what is copied and where to.
        may_replace: replace other pictures that are there, if they are not among the originals.

    Raises:
        InputError: a copy would replace the original of another, two would share a place, or
            another file is there.
    """
    originals = {file.resolve() for file, _ in copies if isinstance(file, Path)}
    taken: dict[Path, PictureFile] = {}
    for picture, target in copies:
        place = target.resolve()
        is_itself = isinstance(picture, Path) and picture.resolve() == place
        if place in originals and not is_itself:
            raise InputError(
                f"{printable_path(target)} is a picture of the source and would be overwritten "
                "by another. Write to another folder."
            )
        if place in taken and taken[place] != picture:
            raise InputError(
                f"Two pictures would be copied to {printable_path(target)}. Rename one of them, "
                "or copy none."
            )
        taken[place] = picture
        if target.exists() and not (may_replace or is_itself or _is_copy(target, picture)):
            raise InputError(
                f"{printable_path(target)} exists and is another picture. Write to another "
                "folder, give --force to replace it, or copy none."
            )


def _is_copy(target: Path, picture: PictureFile) -> bool:
    try:
        if not isinstance(picture, Path | Image):
            return target.read_bytes() == picture.read()
        if isinstance(picture, Image):
            return target.read_bytes() == picture.to_png_bytes()
        return filecmp.cmp(target, picture, shallow=False)
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file system can hold
        return False
