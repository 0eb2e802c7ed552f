"""Label Studio: one JSON file of tasks, each with one finished annotation.

Kept: phrases, masks exactly (brush run lengths), boxes of regions without masks, ids, scores.
Lost: regions whose mask is empty; boxes of regions with masks (the tight box takes their place),
spans, who found a region.
The labelling setup that the file fits is given by `labelling_setup`.

A brush is the picture's pixels as RGBA, row by row, packed into bits: 32 bits number of values, 5
bits word size - 1, four times 4 bits "length of a count" - 1, then blocks: 1 bit (1: one value
repeated, 0: values one by one), 2 bits which length of count, the count - 1, the value or values.

Source: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack describes the packing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from segue.box import Box, Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_json, write_json
from segue.export.labels import label_of, labels_of, region_of
from segue.mask import Mask
from segue.region import Region

_LENGTHS = (3, 4, 8, 16)
"""Bits of a count, as Label Studio itself writes."""


def write_label_studio(
    pictures: Sequence[Annotated], target: str | Path, *, image_url: str = "/data/local-files/?d="
) -> list[Path]:
    """Write all pictures as tasks into one .json file.

    Args:
        pictures: what to write.
        target: the file.
        image_url: what stands before a picture's name so that Label Studio finds it.
    """
    tasks = [
        {
            "data": {"image": image_url + picture.name},
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


def labelling_setup(pictures: Sequence[Annotated]) -> str:
    """The XML to paste into the project's labelling interface."""
    labels = "".join(f"<Label value={quoteattr(label)}/>" for label in labels_of(pictures))
    return (
        '<View><Image name="image" value="$image" zoom="true"/>'
        f'<BrushLabels name="brush" toName="image">{labels}</BrushLabels>'
        f'<RectangleLabels name="box" toName="image">{labels}</RectangleLabels></View>'
    )


def read_label_studio(source: str | Path) -> list[Annotated]:
    """Read tasks with brushes and rectangles; other results are passed over.

    A picture's name is the last part of its address. A task without results has no size and is
    passed over too.

    Raises:
        InputError: it is not such a file.
    """
    tasks = read_json(source)
    if not isinstance(tasks, list):
        raise InputError(f"{source} is not a Label Studio file: expected a list of tasks.")
    pictures = []
    try:
        for task in tasks:
            results = [r for a in task["annotations"] for r in a["result"]]
            known = [r for r in results if r["type"] in ("brushlabels", "rectanglelabels")]
            if known:
                size = Size(int(known[0]["original_height"]), int(known[0]["original_width"]))
                regions = tuple(_region(n, r, size) for n, r in enumerate(known, 1))
                name = str(task["data"]["image"]).replace("=", "/").rpartition("/")[2]
                pictures.append(Annotated(name, size, regions))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{source} is not a Label Studio file: {error}.") from error
    return pictures


def rectangle(box: Box, size: Size) -> dict[str, Any]:
    """A box in per cent of the picture, as the value of a result.

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
    """The pixels of a mask, as the value of a result."""
    pixels = mask.array.reshape(-1).astype(np.uint8) * np.uint8(255)
    return {"format": "rle", "rle": pack(np.repeat(pixels, 4))}


def pack(values: np.ndarray) -> list[int]:
    """Pack (N,) uint8 into the bytes of a brush."""
    edges = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1, [values.size]))
    bits = [f"{values.size:032b}{7:05b}", *(f"{length - 1:04b}" for length in _LENGTHS)]
    for start, count in zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True):
        value = f"{int(values[start]):08b}"
        while count > 0:
            which = next((n for n, b in enumerate(_LENGTHS) if count <= 1 << b), 3)
            part = min(count, 1 << _LENGTHS[which])
            bits.append(f"1{which:02b}{part - 1:0{_LENGTHS[which]}b}{value}")
            count -= part
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - 48).tolist()


def unpack(packed: Sequence[int], expected: int) -> np.ndarray:
    """Read the bytes of a brush: (expected,) uint8.

    Raises:
        InputError: they end early, or hold another number of values.
    """
    text = "".join(f"{byte:08b}" for byte in bytes(packed))
    place = 0

    def read(bits: int) -> int:
        nonlocal place
        place += bits
        if place > len(text):
            raise InputError("a brush ends early")
        return int(text[place - bits : place], 2)

    count, word = read(32), read(5) + 1
    lengths = [read(4) + 1 for _ in range(4)]
    if count != expected or word != 8:
        raise InputError(f"a brush holds {count} values of {word} bits, expected {expected} of 8")
    values, done = np.zeros(count, np.uint8), 0
    while done < count:
        repeated, end = read(1), done
        end += read(lengths[read(2)]) + 1
        if end > count:
            raise InputError("a brush holds more values than it says")
        values[done:end] = read(8) if repeated else [read(8) for _ in range(end - done)]
        done = end
    return values


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


def _region(number: int, result: dict[str, Any], size: Size) -> Region:
    value, score = result["value"], result.get("score")
    if result["type"] == "rectanglelabels":
        x, y = float(value["x"]) * size.width / 100, float(value["y"]) * size.height / 100
        across, down = float(value["width"]) / 100, float(value["height"]) / 100
        box = Box(x, y, x + across * size.width, y + down * size.height)
        return region_of(number, str(value["rectanglelabels"][0]), None, box, score)
    values = unpack(value["rle"], 4 * size.height * size.width)
    mask = Mask(values.reshape(*size, 4)[:, :, 3] > 0)
    return region_of(number, str(value["brushlabels"][0]), mask, None, score)
