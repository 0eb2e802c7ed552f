"""What the keys and numbers of pointing JSON mean."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.dialects.parsing.places import Corner
from segue.values.frames import GRID_1000, AnyFrame, FramedBox

NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,6}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,2})?", re.ASCII
)
BOX = re.compile(
    r"(?:(?:object|detection|target)?(?:bbox|box|boundingbox|boundingrect|rect|rectangle|region|"
    r"quad|quadbox|bounds|roi)(?:es|s)?(?:2d)?(?:coords?|coordinates?|xyxy)?)|coordinates?|xyxy|"
    r"locations?|positions?|loc|pos"
)
POINT = re.compile(r"(?:point|click|keypoint|centre|center)s?(?:2d)?|coords?|xy")
GEOGRAPHIC = re.compile(r"coordinates?|coords?|locations?|positions?|loc|pos|xy")
"""Keys under which two numbers may as well be latitude and longitude, or a square of a board."""
POLYGON = re.compile(
    r"(?:mask|segmentation)?poly(?:gon)?s?(?:2d)?|segmentation|outlines?|contours?|vertices"
)
PATH = re.compile(r"(?:svg)?path|svg")
XYWH = re.compile(r"(?:b?box(?:2d)?)?xywh|ltwh")
CENTRED = re.compile(r"(?:b?box(?:2d)?)?(?:cxcywh|xcycwh)")
ROTATED = re.compile(
    r"(?:rbb?ox|rotatedb?box|rotatedrect|obb|orientedb?box|orientedboundingbox)(?:2d)?"
)
LABEL = re.compile(
    r"(?:label|objectname|name|object|category|class|classname|text|textcontent|phrase|"
    r"description|caption|sublabel|title|ref|expression|target|item|entity)s?"
)
OTHER_KEY = re.compile(
    r"mask.*|ids?|size|image.*|width|height|type|scores?|confidences?|bbox3d|box3d|.*colou?rs?|"
    r"rgba?|hsv|hsl|palette|histogram|counts?|values?|data|numbers?|probabilit.*|prob|logits?|"
    r"angle|theta|area|index|dimensions?|shape|reason.*|thoughts?|year|date|time|timestamps?"
)
NESTING = re.compile(
    r"objects?|items|results?|detections?|annotations?|answers?|points|boxes|bboxes|bbox2d|data|"
    r"predictions?|instances|output|regions|pointers"
)
ABSENT = re.compile(
    r"|null|none|nil|n/?a|not (?:found|present|visible|there|applicable|in the (?:image|picture))|"
    r"absent|missing|无|没有|不存在|未找到",
    re.IGNORECASE,
)
"""A place as text that says that there is none."""
_SIDES = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("xstart", "ystart", "xend", "yend"),
    ("startx", "starty", "endx", "endy"),
)
_EXTENTS = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("x1", "y1", "w", "h"),
)
_CENTRES = (
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
    ("xcenter", "ycenter", "width", "height"),
    ("centerx", "centery", "width", "height"),
)
_CORNERS = (
    (("topleft", "upperleft", "tl", "lefttop"), ("bottomright", "lowerright", "br", "rightbottom")),
    (("bottomleft", "lowerleft", "bl"), ("topright", "upperright", "tr")),
)
CORNER = re.compile("|".join(name for pair in _CORNERS for side in pair for name in side))


@dataclass(frozen=True, slots=True)
class JsonShape:
    """What the numbers of a dialect mean."""

    frame: AnyFrame = GRID_1000
    y_first: bool = False
    """Lists hold y before x: [y0, x0, y1, x1] and [y, x]."""


@dataclass(frozen=True, slots=True)
class JsonPlaces:
    """One place; "" is no label."""

    label: str
    box: FramedBox | None = None
    quad: tuple[Corner, ...] | None = None
    point: Corner | None = None
    frame: AnyFrame = GRID_1000
    """Of the point."""
    is_reversed: bool = False
    """The second corner is the upper left one, so that these may be x, y, width and height."""
    has_stray_point: bool = False
    """A point of the same thing lies outside this box, and is left out."""


@dataclass(frozen=True, slots=True)
class AbsentItem:
    """The model says that something is not there; "" is no label."""

    label: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A label whose place makes no sense."""

    label: str


@dataclass(frozen=True, slots=True)
class SideText:
    """Something among places that says nothing of any, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class OddPlace:
    """A box or a point without sense, word for word."""

    text: str
    reason: str = ""


def has_some_sides(fields: Mapping[str, float]) -> bool:
    """Whether some, but not all, sides of a box stand in fields of their own."""
    return any(len(fields.keys() & set(names)) == 3 for names in (*_SIDES, *_EXTENTS))


def plain_key(key: str) -> str:
    """Return a key in lower case, letters and digits only.

    >>> plain_key("Bbox_2D")
    'bbox2d'
    """
    return re.sub(r"[\W_]+", "", key.lower())


def is_place_key(key: str) -> bool:
    """Whether what stands under a plain key is meant to be a place."""
    kinds = (BOX, POINT, POLYGON, PATH, XYWH, CENTRED, ROTATED)
    return any(kind.fullmatch(key) for kind in kinds)


def sides_of(
    fields: Mapping[str, float], corners: Mapping[str, Corner] | None = None
) -> list[float] | None:
    """Opposite corners [x0, y0, x1, y1] that stand in fields of their own.

    >>> sides_of({"x": 10, "y": 20, "width": 5, "height": 6})
    [10, 20, 15, 26]
    """
    for names in _SIDES:
        if fields.keys() >= set(names):
            return [fields[name] for name in names]
    for names in _EXTENTS:
        if fields.keys() >= set(names):
            return from_extent([fields[name] for name in names])
    for names in _CENTRES:
        if fields.keys() >= set(names):
            return from_centre([fields[name] for name in names])
    for first, second in _CORNERS:
        sides = [
            next((corner for name, corner in (corners or {}).items() if name in names), None)
            for names in (first, second)
        ]
        if sides[0] is not None and sides[1] is not None:
            return [*sides[0], *sides[1]]
    return None


def from_extent(values: Sequence[float]) -> list[float]:
    """Left, top, width, height as opposite corners."""
    x, y, width, height = values
    return [x, y, x + width, y + height]


def from_centre(values: Sequence[float]) -> list[float]:
    """Centre, width, height as opposite corners."""
    x, y, width, height = values
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def from_rotation(values: Sequence[float]) -> list[float]:
    """Centre, width, height and angle as four corners, [x, y] eight numbers.

    Angles up to pi that are no whole numbers count as radians, others as degrees.

    >>> [round(value) for value in from_rotation([50, 50, 20, 10, 90])]
    [55, 40, 55, 60, 45, 60, 45, 40]
    """
    x, y, width, height, angle = values
    turn = angle if angle % 1 and abs(angle) <= math.pi else math.radians(angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    numbers: list[float] = []
    for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        across, down = a * width / 2, b * height / 2
        numbers += (x + across * cosine - down * sine, y + across * sine + down * cosine)
    return numbers


_PATH_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,6}(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_PATH_TEXT = re.compile(r"\s*[Mm][\s\d.,+\-MmLlHhVvCcSsQqTtAaZzeE]*")


def path_numbers(text: str) -> list[float]:
    """Return the corners of an SVG path as x, y, x, y …; [] where it has relative lines or curves.

    >>> path_numbers("M 0.1 0.2 L0.5,0.2 0.5 0.9 Z")
    [0.1, 0.2, 0.5, 0.2, 0.5, 0.9]
    """
    if not _PATH_TEXT.fullmatch(text) or re.search(r"[mlhvHVcsqtAa]", text):
        return []
    numbers = [float(number) for number in _PATH_NUMBER.findall(text)]
    return numbers if len(numbers) >= 6 and len(numbers) % 2 == 0 else []


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def unescaped(text: str) -> str:
    """Return the text of a JSON string."""

    def unescape_match(match: re.Match[str]) -> str:
        if match.group(1):
            return chr(int(match.group(1), 16))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(match.group(2), match.group(2))

    if "\\" not in text:
        return text
    text_without_escapes = _ESCAPE.sub(unescape_match, text)
    return text_without_escapes.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
