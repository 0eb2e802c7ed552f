"""Pascal VOC: one XML file a picture, in the folder Annotations.

Kept: phrases as names, boxes in whole pixels, sizes of pictures.
Lost: masks, fractions of pixels (a box grows to the whole pixels it touches), scores, ids, who
found a region, quadrilaterals, spans. A box without area inside its picture is left out. The few
characters that XML cannot hold become U+FFFD.

Coordinates are those of VOC: pixels are counted from 1, and `xmax` and `ymax` are the last pixel
that belongs to the object. The box that covers the whole of a picture 64 wide has xmin 1 and xmax
64; here it runs from 0 to 64. So xmin = floor(x0) + 1 and xmax = ceil(x1), and back x0 = xmin - 1
and x1 = xmax. Files that count from 0, as some programs write them, cannot be told apart; what
then lies outside the picture is cut off.

Source: Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 88 (2010),
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import near, read_number, read_size
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.files import write_text
from segue.export.label_files import label_files
from segue.export.labels import label_of, region_of
from segue.export.xml_text import read_xml, xml_file, xml_text
from segue.values.box import Box, Size
from segue.values.region import Region

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def write_voc(pictures: Sequence[AnnotatedImage], target: str | Path) -> list[Path]:
    """Write a file for each picture into the folder Annotations of a folder, named like it.

    Programs look for the picture in the folder JPEGImages beside; the pictures themselves are not
    copied.

    Args:
        pictures: what to write.
        target: the folder.

    Returns:
        The files, in the order of the pictures.

    Raises:
        InputError: two pictures would share a file, or it cannot be written.
    """
    return [
        write_text(xml_file(voc(picture)), Path(target) / "Annotations" / name)
        for picture, name in zip(pictures, label_files(pictures, ".xml"), strict=True)
    ]


def voc(picture: AnnotatedImage) -> ET.Element:
    """Return the contents of one file, as its root element."""
    root = ET.Element("annotation")
    ET.SubElement(root, "folder").text = "JPEGImages"
    ET.SubElement(root, "filename").text = xml_text(picture.name)
    ET.SubElement(ET.SubElement(root, "source"), "database").text = "segue"
    size = ET.SubElement(root, "size")
    sides = {"width": picture.size.width, "height": picture.size.height, "depth": 3}
    for tag, value in sides.items():
        ET.SubElement(size, tag).text = str(value)
    ET.SubElement(root, "segmented").text = "0"
    for region in picture.regions:
        if not region.box.clipped(picture.size).is_empty:
            _add(root, region, picture.size)
    return root


def corners_from_box(box: Box, size: Size) -> tuple[int, int, int, int]:
    """Return xmin, ymin, xmax, ymax as VOC counts them: from 1, the last pixel counted in.

    Args:
        box: with some area inside the picture.
        size: of the picture.

    >>> size = Size(height=48, width=64)
    >>> corners_from_box(Box(0, 0, 64, 48), size), corners_from_box(Box(2, 3, 3, 4.5), size)
    ((1, 1, 64, 48), (3, 4, 3, 5))
    """
    inside = box.clipped(size)
    return (
        math.floor(inside.x0) + 1,
        math.floor(inside.y0) + 1,
        math.ceil(inside.x1),
        math.ceil(inside.y1),
    )


def box_from_corners(xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
    """Return the box of VOC's corners; the inverse of `corners_from_box` for whole pixels.

    Raises:
        InputError: the corners are not in order.

    >>> box_from_corners(1, 1, 64, 48).corners
    (0, 0, 64, 48)
    """
    return Box(xmin - 1, ymin - 1, xmax, ymax)


def read_voc(source: str | Path, *, skipped: list[str] | None = None) -> AnnotatedImage:
    """Read one file: its objects as regions without masks; their parts are not read.

    Args:
        source: the file.
        skipped: gets a sentence for each object that is left out; None: the first ends it all.

    Raises:
        InputError: it is not such a file.
    """
    log = EntryLog(source, skipped)
    root = read_xml(source, "a Pascal VOC file", log)
    regions: list[Region] = []
    with log.whole("a Pascal VOC file"):
        if root.tag != "annotation":
            raise InputError(f"its root is <{root.tag[:40]}>, expected <annotation>")
        size = read_size(_text(root, "size/height"), _text(root, "size/width"))
        name = _text(root, "filename")
    for number, entry in enumerate(root.iterfind("object"), 1):
        with log.entry(f"object {number}"):
            corners = (read_number(_text(entry, f"bndbox/{side}"), side) for side in _SIDES)
            box = near(box_from_corners(*corners), size, "the box").clipped(size)
            if box.is_empty:
                raise InputError("its box lies outside the picture")
            regions.append(region_of(len(regions) + 1, _text(entry, "name"), None, box))
    return AnnotatedImage(name, size, tuple(regions))


def _add(root: ET.Element, region: Region, size: Size) -> None:
    entry = ET.SubElement(root, "object")
    ET.SubElement(entry, "name").text = xml_text(label_of(region))
    for tag, text in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
        ET.SubElement(entry, tag).text = text
    box = ET.SubElement(entry, "bndbox")
    for side, value in zip(_SIDES, corners_from_box(region.box, size), strict=True):
        ET.SubElement(box, side).text = str(value)


def _text(element: ET.Element, path: str) -> str:
    """Return the text of an element below.

    Raises:
        InputError: there is none.
    """
    text = (element.findtext(path) or "").strip(" \t\r\n")
    if not text:
        raise InputError(f"<{path.replace('/', '><')}> is missing or empty")
    return text
