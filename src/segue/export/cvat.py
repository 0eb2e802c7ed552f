"""CVAT for images 1.1: one XML file for all pictures.

Kept: phrases as labels, masks exactly (run lengths), boxes of regions without masks, the order.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
scores, ids, spans, who found a region; characters that XML cannot hold.

Source: https://docs.cvat.ai/docs/other/xml_format
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segue.box import Box, Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_text, write_text
from segue.export.labels import label_of, labels_of, region_of
from segue.mask import Mask
from segue.region import Region

_MARK = {"source": "auto", "occluded": "0", "z_order": "0"}


def write_cvat(pictures: Sequence[Annotated], target: str | Path) -> list[Path]:
    """Write all pictures into one .xml file."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    for tag, text in [("name", "segue"), ("size", str(len(pictures))), ("mode", "annotation")]:
        ET.SubElement(task, tag).text = text
    listed = ET.SubElement(task, "labels")
    for label in labels_of(pictures):
        entry = ET.SubElement(listed, "label")
        ET.SubElement(entry, "name").text = _plain(label)
        ET.SubElement(entry, "attributes")
    for number, picture in enumerate(pictures):
        image = ET.SubElement(
            root,
            "image",
            {
                "id": str(number),
                "name": _plain(picture.name),
                "width": str(picture.size.width),
                "height": str(picture.size.height),
            },
        )
        for region in picture.regions:
            _add(image, region)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return [write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n', Path(target))]


def read_cvat(source: str | Path) -> list[Annotated]:
    """Read the masks and boxes of a CVAT for images file; other shapes are passed over.

    Raises:
        InputError: it is not such a file.
    """
    text = read_text(source)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # never needed, and a way to exhaust memory
        raise InputError(f"{source} declares a document type, CVAT files have none.")
    try:
        root = ET.fromstring(text)
        return [_picture(image) for image in root.iter("image")]
    except (ET.ParseError, KeyError, ValueError) as error:
        raise InputError(f"{source} is not a CVAT for images file: {error}.") from error


def _add(image: ET.Element, region: Region) -> None:
    label = {"label": _plain(label_of(region)), **_MARK}
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


def _picture(image: ET.Element) -> Annotated:
    size = Size(int(image.attrib["height"]), int(image.attrib["width"]))
    regions: list[Region] = []
    for shape in image:
        if shape.tag in ("mask", "box"):
            regions.append(_region(len(regions) + 1, shape, size))
    return Annotated(image.attrib["name"], size, tuple(regions))


def _region(number: int, shape: ET.Element, size: Size) -> Region:
    at, label = shape.attrib, shape.attrib["label"]
    if shape.tag == "box":
        xa, ya, xb, yb = (float(at[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
        return region_of(number, label, None, Box.spanning(xa, ya, xb, yb))
    left, top, width, height = (int(at[side]) for side in ("left", "top", "width", "height"))
    inside = left >= 0 and top >= 0 and left + width <= size.width and top + height <= size.height
    counts = np.array([int(count) for count in at["rle"].split(",")])
    if not inside or counts.min() < 0 or counts.sum() != width * height:
        raise InputError(f"mask {number} does not fit its own box or its picture")
    values = np.repeat(np.arange(counts.size) % 2 == 1, counts)
    array = np.zeros(size, bool)
    array[top : top + height, left : left + width] = values.reshape(height, width)
    return region_of(number, label, Mask(array), None)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
