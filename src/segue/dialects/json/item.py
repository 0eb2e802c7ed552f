"""What one object of pointing JSON says of one thing, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from segue.dialects.json.meaning import (
    CENTRED,
    GEOGRAPHIC,
    LABEL,
    NESTING,
    PATH,
    POINT,
    POLYGON,
    ROTATED,
    XYWH,
    AbsentItem,
    JsonPlaces,
    JsonShape,
    OddPlace,
    Unplaced,
    from_centre,
    from_extent,
    from_rotation,
    has_some_sides,
    is_place_key,
    plain_key,
    sides_of,
)
from segue.dialects.parsing.places import Corner, flaw, meant_frame
from segue.values.frames import FramedBox

LIMIT = 2000
"""Text of an odd place is quoted up to this length."""


JsonFinding = JsonPlaces | AbsentItem | Unplaced | OddPlace
"""What an object says of one thing."""


@dataclass(slots=True)
class JsonItem:
    """An object or a list that is open."""

    opener: str
    start: int
    """Where its text begins within that of the block."""
    closer: str = "}"
    key: str = ""
    """The key it stands under, in plain form; of a list in a list, the outer one's."""
    shown_key: str = ""
    """The same as written."""
    current_key: str | None = None
    """Of an object: the key whose value is coming."""
    awaits: str = "key"
    """Of an object: "key", "colon", "value" or "comma"."""
    numbers: list[float] = field(default_factory=list)
    corners: list[Corner] = field(default_factory=list)
    is_sound: bool = True
    """False when a list holds what is no number."""
    blank: bool = True
    """A list holds nothing, or only null and words that say so."""
    has_children: bool = False
    """A list holds other lists or objects."""
    labels: list[str] = field(default_factory=list)
    fallback: str = ""
    """The first text that stands under no known key."""
    places: list[JsonPlaces] = field(default_factory=list)
    outlines: list[JsonPlaces] = field(default_factory=list)
    """Polygons: they count where there is no box."""
    keyed: list[JsonPlaces] = field(default_factory=list)
    """Boxes under a key of their own, which may be their label: they count where nothing else is
    there."""
    doubtful: list[JsonPlaces] = field(default_factory=list)
    """Points under a key that may mean something else: they count where places were asked for, or
    beside a label or an action."""
    absent: bool = False
    """It says of its thing that it is not there."""
    absent_keys: list[str] = field(default_factory=list)
    """Keys without a value, which may name things that are not there."""
    odd_places: list[OddPlace] = field(default_factory=list)
    debris: list[OddPlace] = field(default_factory=list)
    """Text behind strings that belongs to nothing; reported where there is a place."""
    fields: dict[str, float] = field(default_factory=dict)
    corner_fields: dict[str, Corner] = field(default_factory=dict)
    seen_keys: set[str] = field(default_factory=set)

    @property
    def has_places(self) -> bool:
        """It holds a place, or something that was meant to be one."""
        return bool(self.places or self.outlines or self.odd_places or self.absent)

    @property
    def is_complete(self) -> bool:
        """It holds a place and a label."""
        named = bool(self.labels or self.fallback)
        return named and bool(self.places or self.outlines or self.doubtful or self.absent)

    def take_list(self, key: str, values: list[float], shape: JsonShape, text: str) -> None:
        """Numbers under a key that means a place."""
        count = len(values)
        if ROTATED.fullmatch(key) and count == 5:
            x, y, *sides = values
            self._box([y, x, *sides] if shape.y_first else values, shape, text, kind="rotated")
        elif count == 4 and not any(value > 0 for value in values) and len({*values}) == 1:
            self.absent = True  # [0, 0, 0, 0]
        elif XYWH.fullmatch(key) and count == 4:
            self._box(from_extent(values), shape, text, kind="sides")
        elif CENTRED.fullmatch(key) and count == 4:
            self._box(from_centre(values), shape, text, kind="sides")
        elif count == 2 and GEOGRAPHIC.fullmatch(key):
            probe = JsonItem("{", 0)
            probe._points(values, shape, text)
            self.doubtful += probe.places
        elif (POINT.fullmatch(key) and count != 4) or count == 2:
            self._points(values, shape, text)
        elif count == 5 and 0 <= values[4] <= 1:  # the last is a score
            self._box(values[:4], shape, text)
        elif count == 4 and not PATH.fullmatch(key):
            self._box(values, shape, text)
        elif count >= 6 and count % 2 == 0:
            outline = bool(POLYGON.fullmatch(key) or PATH.fullmatch(key))
            self._box(values, shape, text, kind="outline" if outline else "corners")
        else:
            self.odd_places.append(OddPlace(text.strip()[:LIMIT]))

    def take_keyed(self, label: str, values: list[float], shape: JsonShape, text: str) -> None:
        """Four numbers under a key that may be their label."""
        x0, y0, x1, y1 = values
        if any(letter.isalpha() for letter in label) and x0 < x1 and y0 < y1:
            probe = JsonItem("{", 0)
            probe._box(values, shape, text)
            self.keyed += [replace(place, label=label) for place in probe.places]

    def take_sides(self, shape: JsonShape, text: str, is_asked: bool) -> bool:
        """Places whose numbers stand in fields of their own; returns whether there was one.

        Args:
            shape: of the dialect.
            text: of the object.
            is_asked: places were asked for. Otherwise x and y alone, as in the data of a chart, are
                a point only with a label, or under a key that means points.
        """
        sides = sides_of(self.fields, self.corner_fields)
        if sides is not None:
            if not any(sides):
                self.absent = True
            else:
                self._box(sides, shape, text, kind="sides")
            return True
        is_point = is_asked or bool(self.labels) or is_place_key(self.key)
        if {"x", "y"} <= self.fields.keys() and is_point:
            values = [self.fields["x"], self.fields["y"]]
            frame = meant_frame(values, shape.frame)
            self.places.append(JsonPlaces("", point=(values[0], values[1]), frame=frame))
            return True
        if has_some_sides(self.fields):
            self.odd_places.append(
                OddPlace(text.strip()[:LIMIT], "not all sides of the box are given")
            )
            return True
        return False

    def adopt(self, inner: "JsonItem") -> None:
        """Take over the places of an object that stands under a key that means a place."""
        self.places += inner.places
        self.outlines += inner.outlines
        self.doubtful += inner.doubtful
        self.odd_places += inner.odd_places
        self.absent = self.absent or inner.absent

    def resolve(self, is_asked: bool = False) -> list[JsonFinding]:
        """Return what is certain now that the object is closed; afterwards it is empty.

        A point or an outline beside a box is the same thing: the box stands for it. A polygon is
        a place where there is no box.
        """
        if is_asked or self.labels or "action" in self.seen_keys:
            self.places += self.doubtful
            self.doubtful = []
        places = _without_doubles(self.places, self.outlines) or self.keyed
        certain: list[JsonFinding] = []
        labels = self.labels
        if len(labels) != len(places):
            labels = [labels[0] if labels else self.fallback] * len(places)
        for place, label in zip(places, labels, strict=True):
            place_label = _line(label if self.labels else place.label or label)
            certain.append(replace(place, label=place_label))
        if self.absent and not places and not self.odd_places:
            certain.append(AbsentItem(_line(self.labels[0] if self.labels else self.fallback)))
        has_label = bool(certain)
        if not self.places and not self.outlines and not self.labels:
            certain += [AbsentItem(key) for key in self.absent_keys if _is_name(key)]
        if certain or self.odd_places:
            if not has_label and (label := _line(self.labels[0] if self.labels else self.fallback)):
                certain.append(Unplaced(label))
            certain += [*self.odd_places, *self.debris]
            self.absent_keys = []
            self.labels, self.fallback = [], ""
            self.places, self.outlines, self.keyed = [], [], []
            self.odd_places, self.debris, self.doubtful = [], [], []
            self.fields, self.corner_fields, self.absent = {}, {}, False
            self.seen_keys.clear()
        return certain

    def _points(self, values: list[float], shape: JsonShape, text: str) -> None:
        for at in range(0, len(values) - 1, 2):
            x, y = values[at], values[at + 1]
            point = (y, x) if shape.y_first else (x, y)
            self.places.append(JsonPlaces("", point=point, frame=meant_frame(point, shape.frame)))
        if len(values) % 2:
            self.odd_places.append(OddPlace(text.strip()[:LIMIT]))

    def _box(
        self, values: Sequence[float], shape: JsonShape, text: str, kind: str = "corners"
    ) -> None:
        """Add a box of two corners or around several; named sides are never swapped."""
        frame = meant_frame(values[:4] if kind == "rotated" else values, shape.frame)
        if kind == "rotated":
            values = from_rotation(values)
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if shape.y_first and kind not in ("sides", "rotated"):
            pairs = [(b, a) for a, b in pairs]
        across, down = [x for x, _ in pairs], [y for _, y in pairs]
        box = FramedBox(min(across), min(down), max(across), max(down), frame)
        if len(pairs) == 2:
            box = FramedBox(*pairs[0], *pairs[1], frame)
        reason = flaw(box)
        if reason is not None:
            self.odd_places.append(OddPlace(text.strip()[:LIMIT], reason))
            return
        quad = tuple(pairs) if len(pairs) == 4 else None
        is_reversed = kind == "corners" and box.xb < box.xa and box.yb < box.ya
        places = JsonPlaces("", box, quad, is_reversed=is_reversed)
        (self.outlines if kind == "outline" else self.places).append(places)


def _without_doubles(places: list[JsonPlaces], outlines: list[JsonPlaces]) -> list[JsonPlaces]:
    """One place for each thing."""
    boxes = [place for place in places if place.box is not None]
    points = [place for place in places if place.point is not None]
    if not boxes:
        boxes, outlines = outlines, []
        if not boxes:
            return places
    if len(outlines) > len(boxes):
        boxes = boxes + outlines[len(boxes) :]  # more things than boxes
    if len(points) == len(boxes) and all(map(_holds, boxes, points)):
        return boxes
    if len(boxes) == 1 and len(points) == 1:  # one thing, whatever the point says
        return [replace(boxes[0], has_stray_point=True)]
    if len(boxes) == 1 and all(_holds(boxes[0], point) for point in points):
        return boxes
    return [*boxes, *points]


def _holds(box: JsonPlaces, point: JsonPlaces) -> bool:
    """Whether a point lies in a box of the same frame, or within a tenth of its size of it."""
    assert box.box is not None
    assert point.point is not None
    (x, y), at = point.point, box.box
    across, down = abs(at.xb - at.xa) / 10, abs(at.yb - at.ya) / 10
    inside_x = min(at.xa, at.xb) - across <= x <= max(at.xa, at.xb) + across
    inside_y = min(at.ya, at.yb) - down <= y <= max(at.ya, at.yb) + down
    return box.box.frame == point.frame and inside_x and inside_y


def _is_name(key: str) -> bool:
    """Whether a key may name a thing."""
    normalized_key = plain_key(key)
    is_known_key = (
        NESTING.fullmatch(normalized_key)
        or LABEL.fullmatch(normalized_key)
        or is_place_key(normalized_key)
    )
    return any(map(str.isalpha, key)) and not is_known_key


def _line(label: str) -> str:
    """Return a label on one line."""
    return " ".join(label.split())
