"""The file beside a picture that holds its labels: the picture's own name with another suffix.

Programs find a label file by the picture's stem, so nothing in the stem is changed but what could
lead out of the folder or that no file system takes. Two pictures with one stem cannot be told apart
by such a program, so they are refused.
"""

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.files.unicode import REPLACEMENT, well_formed

_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def label_files(pictures: Sequence[AnnotatedImage], suffix: str = ".txt") -> list[str]:
    """Return the name of each picture's label file, with "/" between folders, all different.

    Folders in a name stay folders, but only downwards.

    Raises:
        InputError: two pictures have the same folder and stem.

    >>> from segue.values.box import Size
    >>> names = ["street/🐱.png", "../a.b.jpg"]
    >>> label_files([AnnotatedImage(name, Size(1, 1)) for name in names])
    ['street/🐱.txt', 'a.b.txt']
    """
    owners: dict[str, str] = {}
    for picture in pictures:
        path = picture_path(picture.name)
        file = str(path.with_name(_stem(path.name))) + suffix
        if file in owners:
            raise InputError(
                f"The pictures {owners[file]!r} and {picture.name!r} would share the label file "
                f"{file!r}, and a trainer would read it for both. Rename one of them."
            )
        owners[file] = picture.name
    return list(owners)


def picture_path(name: str) -> PurePosixPath:
    """Return where a picture of this name lies below its folder; it leads nowhere but down.

    >>> str(picture_path("../../etc/a.png")), str(picture_path("C:\\\\pics\\\\b.png"))
    ('etc/a.png', 'pics/b.png')
    """
    name = _DRIVE.sub("", name).replace("\\", "/").replace("\0", REPLACEMENT)
    parts = [_encodable(part) for part in name.split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*(parts or ["picture"]))


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _encodable(part: str) -> str:
    try:
        os.fsencode(part)
    except UnicodeEncodeError:
        return well_formed(part)
    return part
