"""YOLO segmentation: a folder with a text file for each picture and one list of classes.

    labels/street.txt      class x1 y1 x2 y2 …     corners as fractions of width and height
    data.yaml              names: {0: "cat", 1: "dog"}

Kept: phrases as classes, outlines to a millionth of the picture's side.
Lost: scores, boxes, ids, who found a region, sizes of pictures. A line holds one ring, so holes and
separate pieces are tied together by seams: exact under the even-odd rule, as `read_yolo` fills; the
usual trainers fill border pixels in and so see each seam as a line one pixel wide. A region without
a mask is written as the rectangle of its box.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from segue.box import Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_text, write_text
from segue.export.labels import label_of, labels_of, region_of
from segue.export.names import safe_name, unique_names
from segue.export.rings import one_ring
from segue.mask import Mask
from segue.mask.contour import Polygon, Ring
from segue.region import Region


def write_yolo(pictures: Sequence[Annotated], target: str | Path) -> list[Path]:
    """Write the data set into a folder.

    A picture's label file has its name with .txt; the pictures themselves are not copied.

    Returns:
        data.yaml, then one file for each picture, empty where nothing was found.
    """
    folder, labels = Path(target), labels_of(pictures)
    listed = "".join(
        f"  {n}: {json.dumps(name, ensure_ascii=False)}\n" for n, name in enumerate(labels)
    )
    text = f"path: .\ntrain: images\nval: images\nnames:{' {}' if not labels else ''}\n{listed}"
    files = [write_text(text, folder / "data.yaml")]
    for picture, name in zip(pictures, label_files(pictures), strict=True):
        lines = [_line(region, labels, picture.size) for region in picture.regions]
        files.append(write_text("".join(line for line in lines if line), folder / "labels" / name))
    return files


def label_files(pictures: Sequence[Annotated]) -> list[str]:
    """The name of each picture's label file. Folders in a name stay folders, but only downwards."""
    names = []
    for picture in pictures:
        parts = PurePosixPath(picture.name.replace("\\", "/")).with_suffix("").parts
        kept = [part for part in parts if part not in ("/", "..", ".") and safe_name(part)]
        names.append("/".join(kept or ["picture"]) + ".txt")
    return unique_names(names)


def read_yolo(source: str | Path, sizes: Mapping[str, Size]) -> list[Annotated]:
    """Read the label files of a folder.

    Args:
        source: the folder with data.yaml and labels/.
        sizes: the size of each picture to read, by its name; the files do not hold it.

    Raises:
        InputError: a file is missing or a line makes no sense.
    """
    labels = _names(read_text(Path(source) / "data.yaml"))
    asked = [Annotated(name, size) for name, size in sizes.items()]
    pictures = []
    for picture, name in zip(asked, label_files(asked), strict=True):
        file = Path(source) / "labels" / name
        rows = [line.split() for line in read_text(file).splitlines() if line.strip()]
        try:
            regions = [_region(n, row, labels, picture.size) for n, row in enumerate(rows, 1)]
        except (ValueError, KeyError) as error:
            raise InputError(f"{file} is not a YOLO label file: {error}.") from error
        pictures.append(Annotated(picture.name, picture.size, tuple(regions)))
    return pictures


def _line(region: Region, labels: list[str], size: Size) -> str:
    ring: Ring = ()
    if region.mask is not None:
        ring = one_ring(region.mask.polygons)
    elif not region.box.clipped(size).is_empty:
        x0, y0, x1, y1 = region.box.clipped(size).corners
        ring = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    if not ring:
        return ""
    corners = " ".join(f"{x / size.width:.6f} {y / size.height:.6f}" for x, y in ring)
    return f"{labels.index(label_of(region))} {corners}\n"


def _region(number: int, row: list[str], labels: Mapping[int, str], size: Size) -> Region:
    label, values = labels[int(row[0])], [float(value) for value in row[1:]]
    corners = zip(values[::2], values[1::2], strict=True)
    ring = tuple((x * size.width, y * size.height) for x, y in corners)
    return region_of(number, label, Mask.from_polygons([Polygon(ring)], size), None)


def _names(text: str) -> dict[int, str]:
    """The classes of a data.yaml as `write_yolo` writes it, one "number: name" a line."""
    _, _, listed = text.partition("names:")
    names = {}
    for line in listed.splitlines():
        number, colon, name = line.strip().partition(":")
        if colon and number.isdigit():
            name = name.strip()
            names[int(number)] = json.loads(name) if name.startswith('"') else name.strip("'")
    return names
