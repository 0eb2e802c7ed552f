"""JSON that points at things, read character by character while it is written.

Models write JSON of many shapes, cut off in the middle, with repeated keys and comments. So this is
no JSON parser: it follows the brackets, remembers what each object says of one thing
(`json/item.py`), and hands it out the moment nothing can change it any more.

    [{"bbox_2d": [1, 2, 3, 4], "label": "dog"}, …]      label and box, in any order
    {"point_2d": [5, 6], "label": "dog"}                a point
    {"label": "a", "bbox": […], "label": "b", …}        keys repeated instead of objects
    {"objects": [{"x_min": 0.1, …}]}                    corners by name; x, y, width, height
    {"bboxes": [[…], […]], "labels": ["dog", "cat"]}    side by side
    {"bbox_2d": null, "label": "dog"}                   the dog is not there

Numbers are a place only with a reason. A key that means a place is one. Without such a key a list
of numbers is one where whoever reads the block knows of a reason (`Reasons`): a tag around it,
words before it, a question that asked for places. Everything else is words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from segue.dialects.json.characters import LIMIT, JsonCharacters
from segue.dialects.json.item import JsonFinding, JsonItem
from segue.dialects.json.meaning import (
    ABSENT,
    BOX,
    CORNER,
    LABEL,
    NESTING,
    NUMBER,
    OTHER_KEY,
    POLYGON,
    AbsentItem,
    JsonShape,
    OddPlace,
    SideText,
    is_place_key,
    path_numbers,
    plain_key,
)

DEPTH = 40


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why numbers of a block may be places although no key says so."""

    bare: bool = False
    """A list of numbers without a key is a place: a tag or words around it say so."""
    sure: bool = False
    """The corners of such a list may stand in any order."""
    attached: bool = False
    """A word stands right before it: "a dog[[012,345,678,910]]" is how CogVLM writes a box, and
    "a dog[0.012,0.345,0.678,0.910]" is how Shikra does."""
    keyed: bool = False
    """{"dog": [1, 2, 3, 4]}: a key may be the label, as the question asked for places."""
    label: str = ""
    """Of numbers without a key."""


class JsonBlock(JsonCharacters):
    """One piece of JSON, from its opening bracket on."""

    def __init__(self, shape: JsonShape, reasons: Reasons = Reasons()) -> None:
        super().__init__()
        self.shape = shape
        self.reasons = reasons
        self.out: list[JsonFinding | SideText] = []
        """What became certain; whoever reads it empties it. Asides count where there is a place."""
        self.holds_nothing = False
        """It is closed, and consists of an empty list where things would be listed."""
        self._stack: list[JsonItem] = []
        self._named = False  # something was handed out
        self._values = 0  # numbers, words and texts that are not empty

    def give_up(self) -> str:
        """Hand out what is complete: the block will not be closed.

        Returns:
            What is not, word for word; "" when nothing but brackets is left.
        """
        self.state = "broken"
        for node in reversed(self._stack):
            if node.opener == "{":
                self._hand_out(node)
        self._stack.clear()
        item_text = "".join(self._item)
        return item_text.removesuffix(self.unfinished).strip(" \t\r\n,]}")

    # Values

    @property
    def _depth(self) -> int:
        return len(self._stack)

    @property
    def _in_object(self) -> bool:
        return bool(self._stack) and self._stack[-1].opener == "{"

    @property
    def _awaits_key(self) -> bool:
        return self._in_object and self._stack[-1].awaits == "key"

    def _comma(self) -> bool:
        if self._in_object:
            self._stack[-1].awaits, self._stack[-1].current_key = "key", None
        return bool(self._stack)

    def _colon(self) -> bool:
        if not self._in_object or self._stack[-1].awaits != "colon":
            return False
        self._stack[-1].awaits = "value"
        return True

    def _key(self, text: str) -> None:
        node = self._stack[-1]
        normalized_key = plain_key(text)
        if normalized_key in node.seen_keys and node.is_complete:
            raw_key = self._item[self._string_start :]
            self._hand_out(node)
            self._item, self._length = raw_key, len(raw_key)
        node.seen_keys.add(normalized_key)
        node.current_key, node.awaits = text, "colon"

    def _string(self, text: str) -> None:
        node = self._stack[-1]
        if node.opener == "[":
            self._values += bool(text)
            node.blank = node.blank and bool(ABSENT.fullmatch(text.strip(" .。")))
            if LABEL.fullmatch(node.key):
                node.labels.append(text)
            elif not self._numbers_in(node, node.key, text):
                node.is_sound = False
        elif node.awaits != "value":
            self._key(text)
        else:
            self._values += bool(text)
            node.awaits = "comma"
            self._text_value(node, plain_key(node.current_key or ""), text)

    def _text_value(self, node: JsonItem, key: str, text: str) -> None:
        if LABEL.fullmatch(key):
            node.labels.append(text)
        elif self._numbers_in(node, key, text):
            return
        elif is_place_key(key):
            if numbers := path_numbers(text):
                self._list(node, key, numbers, text)
            elif ABSENT.fullmatch(text.strip(" .。")):
                self._absent(node)
        elif not OTHER_KEY.fullmatch(key):
            node.fallback = node.fallback or text

    def _numbers_in(self, node: JsonItem, key: str, text: str) -> bool:
        """Numbers written as text: "12" in a list, "1, 2, 3, 4" under a key."""
        parts = [part for part in re.split(r"[\s,()\[\]]+", text) if part]
        if not parts or not all(NUMBER.fullmatch(part) for part in parts):
            return False
        values = [float(part) for part in parts]
        if node.opener == "[":
            node.numbers += values
        elif is_place_key(key):
            self._list(node, key, values, text)
        elif len(values) == 1:
            node.fields[key] = values[0]
        return True

    def _number_or_word(self, text: str) -> None:
        if not self._stack:
            return
        node = self._stack[-1]
        if self._awaits_key:
            self._key(text)  # without quotation marks
            return
        number = float(text) if NUMBER.fullmatch(text) else None
        if number is not None or text not in ("null", "None"):
            self._values += 1
        if node.opener == "[":
            node.blank = node.blank and text in ("null", "None")
            if number is None:
                node.is_sound = False
            else:
                node.numbers.append(number)
        elif node.awaits == "value":
            node.awaits = "comma"
            key = plain_key(node.current_key or "")
            if number is not None:
                node.fields[key] = number
            elif text in ("null", "None", "false", "False") and is_place_key(key):
                self._absent(node)
            elif text in ("null", "None") and self.reasons.keyed and not OTHER_KEY.fullmatch(key):
                node.absent_keys.append(node.current_key or "")

    def _take_debris(self, text: str) -> None:
        if self._stack:
            self._stack[-1].debris.append(OddPlace(text.strip()))

    def _absent(self, node: JsonItem) -> None:
        self.points = node.absent = True

    # Brackets

    def _push(self, opener: str) -> bool:
        if len(self._stack) >= DEPTH:
            return False
        above = self._stack[-1] if self._stack else None
        visible_key = "" if above is None else above.shown_key
        if above is not None and above.opener == "{":
            if above.awaits != "value":
                return False
            visible_key = above.current_key or ""
        start = max(len(self._item) - 1, 0)
        closer = {"{": "}", "[": "]", "(": ")"}[opener]
        opener = "{" if opener == "{" else "["  # a tuple is a list
        self._stack.append(JsonItem(opener, start, closer, plain_key(visible_key), visible_key))
        return True

    def _pop(self, closer: str) -> bool:
        if not self._stack or self._stack[-1].closer != closer:
            return False
        node = self._stack.pop()
        above = self._stack[-1] if self._stack else None
        if above is not None and above.opener == "{":
            above.awaits = "comma"
        if node.opener == "{":
            self._close_object(node, above)
        else:
            self._close_list(node, above)
        if not self._stack and not self.points and not self._values:
            seen_keys = node.seen_keys or {""}
            self.holds_nothing = all(not key or NESTING.fullmatch(key) for key in seen_keys)
        return True

    def _holder(self) -> JsonItem | None:
        return next((node for node in reversed(self._stack) if node.opener == "{"), None)

    def _close_object(self, node: JsonItem, above: JsonItem | None) -> None:
        text = "".join(self._item[node.start :])
        is_asked = self.reasons.sure or self.reasons.keyed
        self.points = node.take_sides(self.shape, text, is_asked) or self.points
        holder = self._holder()
        if above is not None and holder is not None and not node.labels and not node.fallback:
            pointing = is_place_key(node.key)
            if pointing and above.opener == "{":
                holder.adopt(node)  # {"bbox": {"x1": …}}: the outer object has the label
                return
            if above.opener == "{" and CORNER.fullmatch(node.key):
                if {"x", "y"} <= node.fields.keys():
                    holder.corner_fields[node.key] = (node.fields["x"], node.fields["y"])
                return
            if holder.labels:
                node.labels = holder.labels[:1]
            elif not NESTING.fullmatch(node.key) and not pointing and node.shown_key[:1] != "<":
                node.fallback = node.shown_key
        sentence, says = node.fallback, self._hand_out(node)
        if not says and above is not None and above.opener == "[":
            if node.seen_keys and not node.has_children:
                self._say([SideText(text)])
        elif not says and node.has_children and len(sentence.split()) > 1:
            self._say([SideText(sentence)])  # beside the things that were found
        if above is not None:
            above.has_children = True

    def _close_list(self, node: JsonItem, above: JsonItem | None) -> None:
        holder = self._holder()
        if holder is not None and node.labels and not node.numbers:
            (above if above is not None and above.opener == "[" else holder).labels += node.labels
            return
        text = "".join(self._item[node.start :])
        if node.corners:
            flat = [value for corner in node.corners for value in corner]
            self._list(holder, node.key, flat, text)
        elif node.blank and not node.has_children and above is not None and above is holder:
            if is_place_key(node.key):
                self._absent(holder)
            elif self.reasons.keyed and not OTHER_KEY.fullmatch(node.key):
                holder.absent_keys.append(node.shown_key)
        elif not node.is_sound:
            if is_place_key(node.key):
                self.points = True
                (holder.odd_places if holder is not None else self.out).append(
                    OddPlace(text.strip()[:LIMIT])
                )
        elif len(node.numbers) == 2 and above is not None and above.opener == "[":
            if BOX.fullmatch(node.key) or POLYGON.fullmatch(node.key):
                above.corners.append((node.numbers[0], node.numbers[1]))
            else:
                self._list(holder, node.key, node.numbers, text, node.shown_key)
        elif node.numbers:
            self._list(holder, node.key, node.numbers, text, node.shown_key)
        if above is not None:
            above.has_children = True

    def _list(
        self,
        holder: JsonItem | None,
        key: str,
        values: list[float],
        text: str,
        visible_key: str = "",
    ) -> None:
        """Read a list of numbers under a key; "" is none."""
        target = holder if holder is not None else JsonItem("{", 0)
        if is_place_key(key):
            target.take_list(key, values, self.shape, text)
        elif CORNER.fullmatch(key) and len(values) == 2:
            target.corner_fields[key] = (values[0], values[1])
        elif not key and holder is None:
            attached = self.reasons.attached and self._is_tight(values, text)
            if (self.reasons.bare or attached) and self._is_ordered(values):
                target.labels = [self.reasons.label]
                target.take_list("bbox", values, self.shape, text)
            elif self.points:
                target.odd_places.append(OddPlace(text.strip()[:LIMIT]))
        elif self.reasons.keyed and len(values) == 4 and not OTHER_KEY.fullmatch(key):
            target.take_keyed(visible_key, values, self.shape, text)
        self.points = self.points or target.has_places
        if holder is None:
            self._hand_out(target)

    def _is_tight(self, values: list[float], text: str) -> bool:
        """Whether a list right behind a word is written as some families write boxes."""
        doubled = bool(self._stack) or all(value <= 1 and value % 1 for value in values)
        return doubled and len(values) == 4 and not any(map(str.isspace, text))

    def _is_ordered(self, values: list[float]) -> bool:
        """Whether numbers without a key may be a place."""
        if self.reasons.sure or len(values) != 4:
            return len(values) in (2, 4, 8)
        return values[0] < values[2] and values[1] < values[3]

    def _hand_out(self, node: JsonItem) -> bool:
        """Hand out what an object says; return whether it says something."""
        certain = node.resolve(self.reasons.sure or self.reasons.keyed)
        if self._named:  # an empty list beside things that were found means nothing
            certain = [
                item for item in certain if not (isinstance(item, AbsentItem) and not item.label)
            ]
        if not certain:
            return False
        self.points = self._named = True
        self._say(certain)
        return True

    def _say(self, certain: Sequence[JsonFinding | SideText]) -> None:
        """Hand something out; what comes next is another item."""
        self.out += certain
        self._item.clear()
        self._length = 0
        for open_node in self._stack:
            open_node.start = 0
