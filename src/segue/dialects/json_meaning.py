"""What the keys and numbers of pointing JSON mean."""

import re
from dataclasses import dataclass

from segue.box import GRID_1000, AnyFrame, FramedBox
from segue.dialects.places import Corner

NUMBER = re.compile(r"[-+]?[0-9]{1,6}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
BOX = re.compile(
    r"(?:bbox|box|boundingbox|rect|region|quad|quadbox|polygon)(?:es|s)?(?:2d)?|coordinates?"
)
POINT = re.compile(r"(?:point|click|keypoint|centre|center)s?(?:2d)?|coords?")
LABEL = re.compile(
    r"(?:label|objectname|name|object|category|class|classname|text|textcontent|phrase|"
    r"description|caption|sublabel|title|ref|expression|target)s?"
)
OTHER = re.compile(r"mask|id|size|image.*|width|height|type|score|confidence|imagesize|bbox3d")
NESTING = re.compile(r"objects|items|results?|detections?|annotations?|answers?|points|boxes|data")
_SIDES = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the numbers of a dialect mean."""

    frame: AnyFrame = GRID_1000
    y_first: bool = False
    """Lists hold y before x: [y0, x0, y1, x1] and [y, x]."""
    bare_points: bool = False
    """A list of two numbers without a key is a point."""


@dataclass(frozen=True, slots=True)
class Found:
    """One place; "" is no label."""

    label: str
    box: FramedBox | None = None
    quad: tuple[Corner, ...] | None = None
    point: Corner | None = None


@dataclass(frozen=True, slots=True)
class Odd:
    """A box or a point without sense, word for word."""

    text: str


def plain_key(key: str) -> str:
    """A key in lower case, letters and digits only.

    >>> plain_key("Bbox_2D")
    'bbox2d'
    """
    return re.sub(r"[\W_]+", "", key.lower())


def sides_of(fields: dict[str, float]) -> list[float] | None:
    for names in _SIDES:
        if fields.keys() >= set(names):
            return [fields[name] for name in names]
    return None


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match.group(1):
            return chr(int(match.group(1), 16))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(match.group(2), match.group(2))

    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(one, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
