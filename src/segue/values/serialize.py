"""Regions as plain JSON values, without loss but for the low-resolution logits.

    {"id", "phrase", "box": [x0, y0, x1, y1], "score", "found_by", "span": [start, end],
     "image": index, "mask": {"size": [h, w], "counts": "…"}}

Boxes are pixels of the upright picture, half-open; masks are compressed COCO RLE. What is not known
is null. A region has "quad", "point", "agreement", "verdict", "mask_score", "clicks" ([x, y, 1 or
0]), "names" and "turns" only where there are some.
"""

import math
from collections.abc import Mapping
from typing import Any, get_args

from segue.errors import InputError
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.presence import PresenceVerdict
from segue.values.region import Click, FoundBy, Region


def picture_to_json(image: Image) -> dict[str, Any]:
    """Describe a picture: {"name", "size": [h, w], "digest"}."""
    return {"name": image.name, "size": list(image.size), "digest": image.digest}


def region_to_json(region: Region) -> dict[str, Any]:
    """Write a region as JSON values; `region_from_json` gives an equal region back."""
    value: dict[str, Any] = {
        "id": region.id,
        "phrase": region.phrase,
        "box": [float(corner) for corner in region.box.corners],
        "score": None if region.score is None else float(region.score),
        "found_by": region.found_by,
        "span": None if region.span is None else list(region.span),
        "image": region.image,
        "mask": None if region.mask is None else region.mask.rle,
    }
    if region.mask is not None and region.mask.score is not None:
        value["mask_score"] = region.mask.score
    if region.quad is not None:
        value["quad"] = [[float(x), float(y)] for x, y in region.quad]
    if region.point is not None:
        value["point"] = [float(v) for v in region.point]
    if region.agreement is not None:
        value["agreement"] = float(region.agreement)
    if region.verdict is not None:
        value["verdict"] = region.verdict.to_json()
    if region.clicks:
        value["clicks"] = [[float(x), float(y), label] for x, y, label in region.clicks]
    if region.names:
        value["names"] = list(region.names)
    if region.turns:
        value["turns"] = list(region.turns)
    return value


def region_from_json(value: Mapping[str, Any]) -> Region:
    """Read what `region_to_json` wrote, or the same by another hand.

    Raises:
        InputError: a field is missing or makes no sense; the message names it.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"A region must be a JSON object, got {type(value).__name__}.")
    mask, quad = value.get("mask"), value.get("quad")
    return Region(
        id=_text(value, "id"),
        phrase=_text(value, "phrase"),
        box=Box(*_numbers(value, "box", 4)),
        found_by=_found_by(value.get("found_by")),
        image=_index(value.get("image", 0)),
        mask=None if mask is None else Mask.from_rle(mask, _number(value, "mask_score")),
        score=_number(value, "score"),
        span=_span(value),
        quad=None if quad is None else tuple(_point(p, "quad") for p in _list(quad, "quad")),
        point=None if value.get("point") is None else _point(value["point"], "point"),
        agreement=_number(value, "agreement"),
        verdict=read_verdict(value.get("verdict")),
        clicks=tuple(_click(click) for click in _list(value.get("clicks", ()), "clicks")),
        names=_names(value),
        turns=tuple(_index(turn, "turns") for turn in _list(value.get("turns", ()), "turns")),
    )


def read_verdict(value: Any) -> PresenceVerdict | None:
    """Read a verdict; None stays None.

    Raises:
        InputError: it is no verdict.
    """
    return None if value is None else PresenceVerdict.from_json(value)


def _text(value: Mapping[str, Any], field: str) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        raise InputError(f"The {field!r} of a region must be a text, got {text!r}.")
    return text


def _number(value: Mapping[str, Any], field: str) -> float | None:
    number = value.get(field)
    if number is None:
        return None
    if not _is_number(number):
        raise InputError(f"The {field!r} of a region must be a number or null, got {number!r}.")
    return float(number)


def _numbers(value: Mapping[str, Any], field: str, count: int) -> list[float]:
    numbers = value.get(field)
    if not isinstance(numbers, list | tuple) or len(numbers) != count:
        raise InputError(f"The {field!r} of a region must be {count} numbers, got {numbers!r}.")
    if not all(_is_number(number) for number in numbers):
        raise InputError(f"The {field!r} of a region must be {count} numbers, got {numbers!r}.")
    return [float(number) for number in numbers]


def _span(value: Mapping[str, Any]) -> tuple[int, int] | None:
    if value.get("span") is None:
        return None
    start, end = _numbers(value, "span", 2)
    if not (start == int(start) and end == int(end) and 0 <= start <= end):
        raise InputError(f"The 'span' of a region must be [start, end), got {value['span']!r}.")
    return int(start), int(end)


def _point(point: Any, field: str) -> tuple[float, float]:
    if isinstance(point, list | tuple) and len(point) == 2 and all(map(_is_number, point)):
        return float(point[0]), float(point[1])
    raise InputError(f"The {field!r} of a region must be made of [x, y], got {point!r} in it.")


def _click(click: Any) -> Click:
    if isinstance(click, list | tuple) and len(click) == 3 and all(map(_is_number, click)):
        x, y, label = click
        if label in (0, 1):
            return float(x), float(y), int(label)
    raise InputError(f"A click of a region must be [x, y, 1 or 0], got {click!r}.")


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"The {field!r} of a region must be a list, got {value!r}.")
    return list(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _index(value: Any, field: str = "image") -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"The {field!r} of a region must be 0 or a higher index, got {value!r}.")
    return value


def _names(value: Mapping[str, Any]) -> tuple[str, ...]:
    names = _list(value.get("names", ()), "names")
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"The 'names' of a region must be texts, got {names!r}.")
    return tuple(names)


def _found_by(value: Any) -> FoundBy:
    valid_values = get_args(FoundBy)
    if value == "person":  # as 0.1 wrote it
        return "user"
    if value not in valid_values:
        raise InputError(
            f"The 'found_by' of a region must be one of {', '.join(valid_values)}, got {value!r}."
        )
    return value
