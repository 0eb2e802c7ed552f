"""JSON that points at things, read character by character while it is written.

Models write JSON of many shapes, cut off in the middle, with repeated keys and comments. So this is
no JSON parser: it follows the brackets, remembers what each object says of one thing, and hands it
out the moment nothing can change it any more.

    [{"bbox_2d": [1, 2, 3, 4], "label": "dog"}, …]      label and box, in any order
    {"point_2d": [5, 6], "label": "dog"}                a point
    {"label": "a", "bbox": […], "label": "b", …}        keys repeated instead of objects
    {"dog": [1, 2, 3, 4]}                               the key is the label
    {"objects": [{"x_min": 0.1, …}]}                    corners by name
    {"bboxes": [[…], […]], "labels": ["dog", "cat"]}    side by side
    [[1, 2, 3, 4], …]                                   boxes without a name

A list of eight numbers, or of four corners, is a quadrilateral; of more corners the rectangle
around them is taken. Strings may stand in single quotes. A box key whose value is no box is odd and
reported; other keys mean nothing.
"""

import re
from dataclasses import dataclass, field

from segue.box import FramedBox
from segue.dialects.json_characters import LIMIT, JsonCharacters
from segue.dialects.json_meaning import (
    BOX,
    LABEL,
    NESTING,
    NUMBER,
    OTHER,
    POINT,
    Found,
    Odd,
    Shape,
    plain_key,
    sides_of,
)
from segue.dialects.places import Corner, sensible

DEPTH = 40


@dataclass(slots=True)
class _Node:
    """An object or a list that is open."""

    opener: str
    start: int
    """Where its text begins within the item's."""
    key: str = ""
    """The key it stands under, in plain form; of a list in a list, the outer one's."""
    shown_key: str = ""
    """The same as written."""
    now: str | None = None
    """Of an object: the key whose value is coming."""
    awaits: str = "key"
    """Of an object: "key", "colon", "value" or "comma"."""
    numbers: list[float] = field(default_factory=list)
    corners: list[Corner] = field(default_factory=list)
    sound: bool = True
    """False when a list holds what is no number."""
    labels: list[str] = field(default_factory=list)
    fallback: str = ""
    """The first text that stands under no known key."""
    places: list[Found] = field(default_factory=list)
    fields: dict[str, float] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


class JsonBlock(JsonCharacters):
    """One piece of JSON, from its opening bracket on."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.out: list[Found | Odd] = []
        """What became certain; whoever reads it empties it."""
        self._stack: list[_Node] = []

    def give_up(self) -> str:
        """It will not be closed: hand out what is complete.

        Returns:
            What is not, word for word; "" when nothing but brackets is left.
        """
        self.state = "broken"
        for node in reversed(self._stack):
            if node.opener == "{":
                self._hand_out(node)
        self._stack.clear()
        return "".join(self._item).strip(" \t\r\n,]}")

    # Values

    @property
    def _depth(self) -> int:
        return len(self._stack)

    def _comma(self) -> bool:
        if self._stack and self._stack[-1].opener == "{":
            self._stack[-1].awaits, self._stack[-1].now = "key", None
        return bool(self._stack)

    def _colon(self) -> bool:
        top = self._stack[-1] if self._stack else None
        if top is None or top.opener != "{" or top.awaits != "colon":
            return False
        top.awaits = "value"
        return True

    def _key(self, text: str) -> None:
        node = self._stack[-1]
        plain = plain_key(text)
        if plain in node.seen and node.places and (node.labels or node.fallback):
            written = self._item[self._string_start :]
            self._hand_out(node)
            self._item, self._length = written, len(written)
        node.seen.add(plain)
        node.now, node.awaits = text, "colon"

    def _string(self, text: str) -> None:
        node = self._stack[-1]
        if node.opener == "[":
            if LABEL.fullmatch(node.key):
                node.labels.append(text)
            elif not self._numbers_in(node, node.key, text):
                node.sound = False
        elif node.awaits != "value":
            self._key(text)
        else:
            plain = plain_key(node.now or "")
            node.awaits = "comma"
            if LABEL.fullmatch(plain):
                node.labels.append(text)
            elif not self._numbers_in(node, plain, text) and not OTHER.fullmatch(plain):
                node.fallback = node.fallback or text

    def _numbers_in(self, node: _Node, key: str, text: str) -> bool:
        """Numbers written as text: "12" in a list, "1, 2, 3, 4" under a key."""
        parts = [part for part in re.split(r"[\s,()\[\]]+", text) if part]
        if not parts or not all(NUMBER.fullmatch(part) for part in parts):
            return False
        values = [float(part) for part in parts]
        if node.opener == "[":
            node.numbers += values
        elif BOX.fullmatch(key) or POINT.fullmatch(key):
            self._list(node, key, values, text)
        elif len(values) == 1:
            node.fields[key] = values[0]
        return True

    def _number_or_word(self, text: str) -> None:
        if not self._stack:
            return
        node = self._stack[-1]
        number = float(text) if NUMBER.fullmatch(text) else None
        if node.opener == "[":
            if number is None:
                node.sound = False
            else:
                node.numbers.append(number)
        elif node.awaits == "value":
            node.awaits = "comma"
            if number is not None:
                node.fields[plain_key(node.now or "")] = number

    # Brackets

    def _push(self, opener: str) -> bool:
        if len(self._stack) >= DEPTH:
            return False
        above = self._stack[-1] if self._stack else None
        shown = "" if above is None else above.shown_key
        if above is not None and above.opener == "{":
            if above.awaits != "value":
                return False
            shown = above.now or ""
        start = max(len(self._item) - 1, 0)
        self._stack.append(_Node(opener, start, plain_key(shown), shown))
        return True

    def _pop(self, closer: str) -> bool:
        if not self._stack or "{}[]".index(self._stack[-1].opener) + 1 != "{}[]".index(closer):
            return False
        node = self._stack.pop()
        above = self._stack[-1] if self._stack else None
        if above is not None and above.opener == "{":
            above.awaits = "comma"
        if node.opener == "{":
            self._close_object(node, above)
        else:
            self._close_list(node, above)
        return True

    def _close_object(self, node: _Node, above: _Node | None) -> None:
        box = sides_of(node.fields)
        if box is not None:
            self._place(node, box, "box", "")
        elif {"x", "y"} <= node.fields.keys():
            self._place(node, [node.fields["x"], node.fields["y"]], "point", "")
        holder = next((n for n in reversed(self._stack) if n.opener == "{"), None)
        if above is not None and holder is not None and not node.labels and not node.fallback:
            pointing = BOX.fullmatch(node.key) or POINT.fullmatch(node.key)
            if pointing and above.opener == "{":
                holder.places += node.places  # {"bbox": {"x1": …}}: the outer object has the label
                return
            if holder.labels:
                node.labels = holder.labels[:1]
            elif not NESTING.fullmatch(node.key) and not pointing:
                node.fallback = node.shown_key
        self._hand_out(node)

    def _close_list(self, node: _Node, above: _Node | None) -> None:
        holder = next((n for n in reversed(self._stack) if n.opener == "{"), None)
        if holder is not None and node.labels and not node.numbers:
            (above if above is not None and above.opener == "[" else holder).labels += node.labels
            return
        text = "".join(self._item[node.start :])
        pointing = BOX.fullmatch(node.key) or POINT.fullmatch(node.key)
        if node.corners:
            flat = [value for corner in node.corners for value in corner]
            self._list(holder, node.key, flat, text)
        elif not node.sound:
            if pointing:
                self._odd(text)
        elif len(node.numbers) == 2 and above is not None and above.opener == "[":
            if BOX.fullmatch(node.key):
                above.corners.append((node.numbers[0], node.numbers[1]))
            else:
                self._list(holder, node.key, node.numbers, text, node.shown_key)
        elif node.numbers:
            self._list(holder, node.key, node.numbers, text, node.shown_key)

    def _list(
        self, holder: _Node | None, key: str, values: list[float], text: str, shown: str = ""
    ) -> None:
        """A list of numbers under a key; "" is none."""
        count = len(values)
        target = holder if holder is not None else _Node("{", 0)
        if POINT.fullmatch(key) and count == 4:
            self._place(target, values, "box", text)  # a box under the key of points
        elif POINT.fullmatch(key):
            for at in range(0, count - count % 2, 2):
                self._place(target, values[at : at + 2], "point", text)
            if count % 2:
                self._odd(text)
        elif BOX.fullmatch(key) or (not key and holder is None and count == 4):
            kind = "box" if count == 4 else "quad" if count >= 6 and count % 2 == 0 else ""
            kind = "point" if count == 2 else kind
            self._place(target, values, kind, text) if kind else self._odd(text)
        elif not key and holder is None and count == 2 and self.shape.bare_points:
            self._place(target, values, "point", text)
        elif not key and holder is None and self.points:
            self._odd(text)
        elif key and count == 4 and not OTHER.fullmatch(key) and not LABEL.fullmatch(key):
            self._place(target, values, "box", text, shown)
        if holder is None:
            self._hand_out(target)

    # Places

    def _place(
        self, node: _Node, values: list[float], kind: str, text: str, label: str = ""
    ) -> None:
        swap = self.shape.y_first and text != ""  # sides by name are never swapped
        pairs = list(zip(values[::2], values[1::2], strict=True))
        pairs = [(b, a) for a, b in pairs] if swap else pairs
        self.points = True
        if kind == "point":
            node.places.append(Found(label, point=pairs[0]))
            return
        across, down = [x for x, _ in pairs], [y for _, y in pairs]
        box = FramedBox(min(across), min(down), max(across), max(down), self.shape.frame)
        if kind == "box":
            box = FramedBox(*pairs[0], *pairs[1], self.shape.frame)
        quad = tuple(pairs) if kind == "quad" and len(pairs) == 4 else None
        if sensible(box):
            node.places.append(Found(label, box, quad))
        else:
            self._odd(text or "".join(self._item[node.start :]))

    def _odd(self, text: str) -> None:
        self.points = True
        self.out.append(Odd(text.strip()[:LIMIT]))

    def _hand_out(self, node: _Node) -> None:
        """What an object says is certain: pair its labels with its places."""
        places, labels = node.places, node.labels
        if not places:
            return
        if len(labels) != len(places):
            labels = [labels[0] if labels else node.fallback] * len(places)
        for place, label in zip(places, labels, strict=True):
            named = place.label or label
            self.out.append(Found(named.strip(), place.box, place.quad, place.point))
        node.places, node.labels, node.fallback, node.fields = [], [], "", {}
        node.seen.clear()
        self._item.clear()
        self._length = 0
        for open_node in self._stack:
            open_node.start = 0
