"""YOLO segmentation: a folder with a text file for each picture and one list of classes.

    labels/street.txt      class x1 y1 x2 y2 …     corners as fractions of width and height
    data.yaml              names: {0: "cat", 1: "dog"}

Where it is split, each split is a folder in images/ and in labels/, and data.yaml names them all.

Kept: phrases as classes, outlines to a millionth of the picture's side.
Lost: scores, boxes, ids, who found a region, sizes of pictures. A line holds one ring, so holes and
separate pieces are tied together by seams: exact under the even-odd rule, as `read_yolo` fills; the
usual trainers fill border pixels in and so see each seam as a line one pixel wide. A region without
a mask is written as the rectangle of its box.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import MaskBudget, near, read_number, read_whole
from segue.annotations.segmentation import read_segmentation
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.class_names import read_names, yaml_names
from segue.export.files import read_text, write_text
from segue.export.label_files import label_files
from segue.export.labels import label_of, labels_of, region_of
from segue.export.rings import one_ring
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.mask.contour import Ring
from segue.values.region import Region


def write_yolo(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    categories: Sequence[str] | None = None,
    splits: Sequence[str] = (),
) -> list[Path]:
    """Write the data set into a folder.

    A picture's label file has its name with .txt; the pictures themselves are not copied.

    Args:
        pictures: what to write.
        target: the folder.
        categories: the classes in the order of their numbers, from 0, with those that have no
            object; None: in the order in which they occur. Give it where parts must agree.
        splits: of the whole data set, as data.yaml names them; a picture's name begins with the
            folder of its split.

    Returns:
        data.yaml, then one file for each picture, empty where nothing was found.

    Raises:
        InputError: two pictures would share a label file, a region is called by none of the
            categories, or a file cannot be written.
    """
    folder, labels = Path(target), labels_of(pictures, categories)
    names = label_files(pictures)
    text = f"{_split_lines(splits)}{yaml_names(labels)}"
    files = [write_text(text, folder / "data.yaml")]
    numbers = {label: number for number, label in enumerate(labels)}
    for picture, name in zip(pictures, names, strict=True):
        lines = [_line(region, numbers, picture.size) for region in picture.regions]
        files.append(write_text("".join(line for line in lines if line), folder / "labels" / name))
    return files


def _split_lines(splits: Sequence[str]) -> str:
    """Return the lines of a data.yaml that say where the pictures of each split are.

    Trainers ask for "train" and "val": where no split is called so, others stand in.

    >>> _split_lines(["train", "valid"])
    'train: images/train\\nval: images/valid\\n'
    """
    folders = {split: f"images/{split}" for split in splits} or {"train": "images"}
    first, last = next(iter(folders.values())), list(folders.values())[-1]
    rival_names = ("val", "valid", "validation", "dev", "test")
    val = next((folders[name] for name in rival_names if name in folders), last)
    lines = {"train": folders.get("train", first), "val": val}
    stood_in = list(lines.values())
    lines |= {n: f for n, f in folders.items() if n == "test" or f not in stood_in}
    return "".join(f"{name}: {folder}\n" for name, folder in lines.items())


def read_yolo(
    source: str | Path, sizes: Mapping[str, Size], *, skipped: list[str] | None = None
) -> list[AnnotatedImage]:
    """Read the label files of a folder: rows of corners, and rows of boxes, with scores or without.

    Args:
        source: the folder with data.yaml and labels/.
        sizes: the size of each picture to read, by its name; the files do not hold it.
        skipped: gets a sentence for each line that is left out; None: the first ends it all.

    Raises:
        InputError: a file is missing or a line makes no sense.
    """
    with EntryLog(Path(source) / "data.yaml", skipped).whole("a list of classes"):
        labels = read_names(read_text(Path(source) / "data.yaml"))
    sized_images = [AnnotatedImage(name, size) for name, size in sizes.items()]
    budget = MaskBudget()
    pictures = []
    for picture, name in zip(sized_images, label_files(sized_images), strict=True):
        file = Path(source) / "labels" / name
        log = EntryLog(file, skipped)
        regions: list[Region] = []
        for number, line in enumerate(read_text(file).split("\n"), 1):
            if line.strip():
                with log.entry(f"line {number}"):
                    regions.append(
                        _region(len(regions) + 1, line.split(), labels, picture.size, budget)
                    )
        pictures.append(AnnotatedImage(picture.name, picture.size, tuple(regions)))
    return pictures


def _line(region: Region, numbers: Mapping[str, int], size: Size) -> str:
    ring: Ring = ()
    if region.mask is not None:
        ring = one_ring(region.mask.polygons)
    elif not region.box.clipped(size).is_empty:
        x0, y0, x1, y1 = region.box.clipped(size).corners
        ring = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    if not ring:
        return ""
    corners = " ".join(f"{x / size.width:.6f} {y / size.height:.6f}" for x, y in ring)
    return f"{numbers[label_of(region)]} {corners}\n"


def _region(
    number: int, row: list[str], labels: Mapping[int, str], size: Size, budget: MaskBudget
) -> Region:
    """Read a line: class and corners x y x y …, or class and box cx cy w h; perhaps a score."""
    index = read_whole(row[0], "the class")
    if index not in labels:
        raise InputError(f"there is no class {index} in data.yaml")
    label = labels[index]
    values = [read_number(value, "a coordinate") for value in row[1:]]
    score = values.pop() if len(values) % 2 else None
    if len(values) == 4:
        x, y, width, height = values
        left, top = (x - width / 2) * size.width, (y - height / 2) * size.height
        box = Box(left, top, left + width * size.width, top + height * size.height)
        return region_of(number, label, None, near(box, size, "the box"), score)
    budget.spend(size)
    sides = (size.width, size.height)
    outline = read_segmentation([[v * sides[n % 2] for n, v in enumerate(values)]], size)
    assert outline is not None
    return region_of(number, label, Mask(outline.filled(size)), None, score)
