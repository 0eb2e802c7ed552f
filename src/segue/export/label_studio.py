"""Label Studio: one JSON file of tasks, each with one finished annotation.

Kept: phrases, masks exactly (brush run lengths), boxes of regions without masks, ids, scores.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
spans, who found a region.
Read: brushes, rectangles (turned ones too), polygons and ellipses of annotations that were not
cancelled.
The labelling setup that the file fits is given by `labelling_setup`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_plus
from xml.sax.saxutils import quoteattr

import numpy as np

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    MaskBudget,
    are_near,
    near,
    read_flag,
    read_list,
    read_number,
    read_object,
    read_size,
)
from segue.annotations.segmentation import read_segmentation
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.brush import pack, unpack
from segue.export.files import read_json, write_json
from segue.export.labels import label_of, labels_of, region_of
from segue.export.outlines import ellipse, turned_corners
from segue.files.unicode import well_formed
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region


def write_label_studio(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    image_url: str = "/data/local-files/?d=",
) -> list[Path]:
    """Write all pictures as tasks into one .json file.

    Args:
        pictures: what to write.
        target: the file.
        image_url: what stands before a picture's name so that Label Studio finds it. The name is
            quoted as in any URL; behind another scheme than http(s), "s3://bucket/", it stands as
            it is, for that is how those name their files.
    """
    tasks = [
        {
            "data": {"image": address_of(picture.name, image_url)},
            "annotations": [
                {
                    "result": [
                        _result(region, picture.size)
                        for region in picture.regions
                        if region.mask is None or not region.mask.is_empty
                    ],
                }
            ],
        }
        for picture in pictures
    ]
    return [write_json(tasks, Path(target))]


def address_of(name: str, image_url: str) -> str:
    """Return the address under which Label Studio asks for a picture.

    >>> address_of("a+b&c#d%41.png", "/data/local-files/?d=")
    '/data/local-files/?d=a%2Bb%26c%23d%2541.png'
    """
    scheme, separator, _ = image_url.partition("://")
    if separator and scheme.lower() not in ("http", "https"):
        return image_url + well_formed(name)
    try:
        content = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        content = well_formed(name).encode()
    return image_url + quote(content, safe="/")


def name_of(address: str) -> str:
    """Return the picture's name in an address: the file that `?d=` names, else the last part.

    >>> name_of("/data/local-files/?d=sub/a%2Bb.png"), name_of("s3://bucket/a b.png")
    ('sub/a+b.png', 'a b.png')
    """
    _, separator, query = address.partition("?d=")
    if separator:
        return unquote_plus(query.partition("&")[0], errors="surrogateescape")
    scheme, separator, _ = address.partition("://")
    if separator and scheme.lower() not in ("http", "https"):
        return address.rpartition("/")[2]
    return unquote(address.partition("?")[0].rpartition("/")[2], errors="surrogateescape")


def labelling_setup(
    pictures: Sequence[AnnotatedImage], categories: Sequence[str] | None = None
) -> str:
    """Return the XML to paste into the project's labelling interface.

    Raises:
        InputError: a region is called by none of the categories.
    """
    label_names = labels_of(pictures, categories)
    labels = "".join(f"<Label value={quoteattr(well_formed(label))}/>" for label in label_names)
    return (
        '<View><Image name="image" value="$image" zoom="true"/>'
        f'<BrushLabels name="brush" toName="image">{labels}</BrushLabels>'
        f'<RectangleLabels name="box" toName="image">{labels}</RectangleLabels></View>'
    )


def read_label_studio(
    source: str | Path, *, skipped: list[str] | None = None
) -> list[AnnotatedImage]:
    """Read tasks with brushes, rectangles, polygons and ellipses.

    A task without results has no size and is passed over.

    Args:
        source: the file.
        skipped: gets a sentence for everything that is left out: cancelled annotations, results of
            other kinds, tasks without results, damage; None: the first damage ends it all.

    Raises:
        InputError: it is not such a file.
    """
    log, budget = EntryLog(source, skipped), MaskBudget()
    with log.whole("a Label Studio file"):
        tasks = [read_object(task, "a task") for task in read_list(read_json(source), "it")]
        for task in tasks:
            read_object(task["data"], "the data of a task")
    pictures = []
    for number, task in enumerate(tasks, 1):
        with log.entry(f"task {number}"):
            if (picture := _picture(task, f"task {number}", log, budget)) is not None:
                pictures.append(picture)
    return pictures


_RESULT_TYPES = ("brushlabels", "rectanglelabels", "polygonlabels", "ellipselabels")


def _picture(
    task: Mapping[str, Any], place: str, log: EntryLog, budget: MaskBudget
) -> AnnotatedImage | None:
    """Return the picture of a task; None when nobody drew on it, for then its size is not known."""
    results = []
    for number, annotation in enumerate(read_list(task.get("annotations") or [], "annotations"), 1):
        if read_flag(
            read_object(annotation, "an annotation").get("was_cancelled"), "was_cancelled"
        ):
            log.pass_over(f"{place}, annotation {number}", "it was cancelled")
        else:
            results += read_list(annotation.get("result") or [], "result")
    size: Size | None = None
    regions: list[Region] = []
    for number, result in enumerate(results, 1):
        where = f"{place}, result {number}"
        with log.entry(where):
            if result["type"] not in _RESULT_TYPES:
                log.pass_over(where, f"{result['type']!r} is no shape with a label")
                continue
            own = read_size(result["original_height"], result["original_width"])
            size = size or own
            if own != size:
                raise InputError(f"its picture is {tuple(own)}, others say {tuple(size)}")
            regions.append(_region(len(regions) + 1, result, size, budget))
    if size is None:
        log.pass_over(place, "nobody drew on it, so the size of its picture is not known")
        return None
    address = next((v for v in task["data"].values() if isinstance(v, str)), "")
    return AnnotatedImage(name_of(str(task["data"].get("image", address))), size, tuple(regions))


def rectangle(box: Box, size: Size) -> dict[str, Any]:
    """Return a box in per cent of the picture, as the value of a result.

    >>> rectangle(Box(8, 6, 24, 18), Size(height=60, width=80))
    {'x': 10.0, 'y': 10.0, 'width': 20.0, 'height': 20.0, 'rotation': 0}
    """
    box = box.clipped(size)
    return {
        "x": 100 * box.x0 / size.width,
        "y": 100 * box.y0 / size.height,
        "width": 100 * box.width / size.width,
        "height": 100 * box.height / size.height,
        "rotation": 0,
    }


def brush(mask: Mask) -> dict[str, Any]:
    """Return the pixels of a mask, as the value of a result."""
    pixels = mask.array.reshape(-1).astype(np.uint8) * np.uint8(255)
    return {"format": "rle", "rle": pack(np.repeat(pixels, 4))}


def _result(region: Region, size: Size) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": region.id,
        "to_name": "image",
        "original_width": size.width,
        "original_height": size.height,
        "image_rotation": 0,
    }
    if region.score is not None:
        result["score"] = region.score
    if region.mask is None:
        value = {**rectangle(region.box, size), "rectanglelabels": [label_of(region)]}
        return {**result, "type": "rectanglelabels", "from_name": "box", "value": value}
    value = {**brush(region.mask), "brushlabels": [label_of(region)]}
    return {**result, "type": "brushlabels", "from_name": "brush", "value": value}


def _region(number: int, result: Mapping[str, Any], size: Size, budget: MaskBudget) -> Region:
    value, kind = read_object(result["value"], "value"), str(result["type"])
    if read_number(result.get("image_rotation") or 0, "image_rotation"):
        raise InputError("it was drawn on a picture that was turned in the tool")
    label = str(read_list(value[kind], kind)[0])
    score = None if result.get("score") is None else read_number(result["score"], "score")
    if kind == "rectanglelabels":
        return _rectangle(number, value, label, score, size)
    budget.spend(size)
    if kind == "brushlabels":
        values = unpack(value["rle"], 4 * size.height * size.width)
        mask = Mask(values.reshape(*size, 4)[:, :, 3] > 0)
    elif kind == "polygonlabels":
        percents = [read_number(v, "a corner") for point in value["points"] for v in point]
        sides = (size.width, size.height)
        flat = [v * sides[n % 2] / 100 for n, v in enumerate(percents)]
        outline = read_segmentation([flat], size)
        assert outline is not None
        mask = Mask(outline.filled(size))
    else:
        x, y, rx, ry = (read_number(value[k], k) for k in ("x", "y", "radiusX", "radiusY"))
        centre = (x * size.width / 100, y * size.height / 100)
        radii = (rx * size.width / 100, ry * size.height / 100)
        reach = max(map(abs, radii))
        if not are_near([v + d for v in centre for d in (-reach, reach)], size):
            raise InputError("an ellipse lies far outside its picture")
        angle = read_number(value.get("rotation") or 0, "rotation")
        mask = Mask(ellipse(centre, radii, angle, size))
    return region_of(number, label, mask, None, score)


def _rectangle(
    number: int, value: Mapping[str, Any], label: str, score: float | None, size: Size
) -> Region:
    """Return the box around a rectangle, which is rotated about its upper left corner."""
    keys = ("x", "y", "width", "height")
    x, y, width, height = (read_number(value[key], key) / 100 for key in keys)
    left, top = x * size.width, y * size.height
    box = Box.spanning(left, top, left + width * size.width, top + height * size.height)
    near(box, size, "the rectangle")
    angle = read_number(value.get("rotation") or 0, "rotation")
    if not angle:
        return region_of(number, label, None, box, score)
    quad = turned_corners(box, angle, (left, top))
    xs, ys = zip(*quad)
    around = Box(min(xs), min(ys), max(xs), max(ys))
    return replace(region_of(number, label, None, around, score), quad=quad)
