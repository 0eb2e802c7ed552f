"""CVAT for images 1.1: one XML file for all pictures.

Kept: phrases as labels, masks exactly (run lengths), boxes of regions without masks, the order.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
scores, ids, spans, who found a region. The few characters that XML cannot hold become U+FFFD.
Read: masks, boxes (turned ones too), polygons and ellipses.

Source: https://docs.cvat.ai/docs/other/xml_format
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import MaskBudget, are_near, near, read_number, read_size, read_whole
from segue.annotations.segmentation import read_segmentation
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.files import write_text
from segue.export.labels import label_of, labels_of, region_of
from segue.export.outlines import ellipse, turned_corners
from segue.export.xml_text import read_xml, xml_file, xml_text
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region

_MARK = {"source": "auto", "occluded": "0", "z_order": "0"}
_SHAPES = ("mask", "box", "polygon", "ellipse")


def write_cvat(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    categories: Sequence[str] | None = None,
) -> list[Path]:
    """Write all pictures into one .xml file.

    Args:
        pictures: what to write.
        target: the file.
        categories: the labels of the task in their order; None: those that occur.

    Raises:
        InputError: a region is called by none of the categories, or the file cannot be written.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    for tag, text in [("name", "segue"), ("size", str(len(pictures))), ("mode", "annotation")]:
        ET.SubElement(task, tag).text = text
    label_list = ET.SubElement(task, "labels")
    for label in labels_of(pictures, categories):
        entry = ET.SubElement(label_list, "label")
        ET.SubElement(entry, "name").text = xml_text(label)
        ET.SubElement(entry, "attributes")
    for number, picture in enumerate(pictures):
        image = ET.SubElement(
            root,
            "image",
            {
                "id": str(number),
                "name": xml_text(picture.name),
                "width": str(picture.size.width),
                "height": str(picture.size.height),
            },
        )
        for region in picture.regions:
            _add(image, region)
    return [write_text(xml_file(root), Path(target))]


def read_cvat(source: str | Path, *, skipped: list[str] | None = None) -> list[AnnotatedImage]:
    """Read the masks, boxes, polygons and ellipses of a CVAT for images file.

    Args:
        source: the file.
        skipped: gets a sentence for each shape that is left out: those of other kinds, and damaged
            ones; None: other kinds are passed over, damage ends it all.

    Raises:
        InputError: it is not such a file.
    """
    log, budget = EntryLog(source, skipped), MaskBudget()
    root = read_xml(source, "a CVAT for images file", log)
    with log.whole("a CVAT for images file"):
        images = list(root.iter("image"))
        for image in images:
            image.attrib["name"], image.attrib["width"], image.attrib["height"]
    pictures = []
    for number, image in enumerate(images, 1):
        with log.entry(f"image {number}"):
            pictures.append(_picture(image, number, log, budget))
    return pictures


def _add(image: ET.Element, region: Region) -> None:
    label = {"label": xml_text(label_of(region)), **_MARK}
    if region.mask is None:
        sides = zip(("xtl", "ytl", "xbr", "ybr"), region.box.corners, strict=True)
        ET.SubElement(image, "box", {**label, **{side: f"{value:.2f}" for side, value in sides}})
        return
    box = region.mask.box
    if box is None:
        return
    x0, y0, x1, y1 = (int(corner) for corner in box.corners)
    flat = region.mask.array[y0:y1, x0:x1].reshape(-1)  # row by row, zeros first
    turns = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    counts = ([0] if flat[0] else []) + np.diff(turns).tolist()
    ET.SubElement(
        image,
        "mask",
        {
            **label,
            "rle": ", ".join(map(str, counts)),
            "left": str(x0),
            "top": str(y0),
            "width": str(x1 - x0),
            "height": str(y1 - y0),
        },
    )


def _picture(image: ET.Element, number: int, log: EntryLog, budget: MaskBudget) -> AnnotatedImage:
    size = read_size(image.attrib["height"], image.attrib["width"])
    regions: list[Region] = []
    for shape in image:
        place = f"image {number}, <{shape.tag}> {len(regions) + 1}"
        if shape.tag in _SHAPES:
            with log.entry(place):
                regions.append(_region(len(regions) + 1, shape, size, budget))
        elif shape.tag != "tag":
            log.pass_over(place, f"a {shape.tag} has no area")
    return AnnotatedImage(image.attrib["name"], size, tuple(regions))


def _region(number: int, shape: ET.Element, size: Size, budget: MaskBudget) -> Region:
    at, label = shape.attrib, shape.attrib["label"]
    angle = read_number(at.get("rotation", 0), "rotation")
    if shape.tag == "box":
        xa, ya, xb, yb = (read_number(at[side], side) for side in ("xtl", "ytl", "xbr", "ybr"))
        box = near(Box.spanning(xa, ya, xb, yb), size, "the box")
        if not angle:
            return region_of(number, label, None, box)
        quad = turned_corners(box, angle, box.centre)
        xs, ys = zip(*quad)
        around = Box(min(xs), min(ys), max(xs), max(ys))
        return replace(region_of(number, label, None, around), quad=quad)
    budget.spend(size)
    if shape.tag == "mask":
        return region_of(number, label, _mask(at, size), None)
    if shape.tag == "ellipse":
        cx, cy, rx, ry = (read_number(at[side], side) for side in ("cx", "cy", "rx", "ry"))
        if not are_near((cx - rx, cx + rx, cy - ry, cy + ry), size):
            raise InputError("an ellipse lies far outside its picture")
        return region_of(number, label, Mask(ellipse((cx, cy), (rx, ry), angle, size)), None)
    corners = [corner.split(",") for corner in at["points"].split(";")]
    outline = read_segmentation([[v for corner in corners for v in corner]], size)
    assert outline is not None
    return region_of(number, label, Mask(outline.filled(size)), None)


def _mask(at: Mapping[str, str], size: Size) -> Mask:
    left, top, width, height = (
        read_whole(at[side], side) for side in ("left", "top", "width", "height")
    )
    inside = left >= 0 and top >= 0 and left + width <= size.width and top + height <= size.height
    counts = np.array([int(count) for count in at["rle"].split(",")])
    fits = inside and width > 0 and height > 0 and counts.dtype.kind == "i"
    if not fits or counts.min() < 0 or counts.max() > width * height:
        raise InputError("a mask does not fit its own box or its picture")
    if counts.sum() != width * height:
        raise InputError("the counts of a mask do not add up to its box")
    values = np.repeat(np.arange(counts.size) % 2 == 1, counts)
    array = np.zeros(size, bool)
    array[top : top + height, left : left + width] = values.reshape(height, width)
    return Mask(array)
