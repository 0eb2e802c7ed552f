"""JSON lines of ms-swift. Boxes become placeholders, and ms-swift writes them as each model likes.

    {"messages": [{"role": "user", "content": "<image>Where is the tram?"},
                  {"role": "assistant", "content": "<ref-object><bbox>"}],
     "images": ["path"],
     "objects": {"ref": ["tram"], "bbox": [[0.12, 0.3, 0.81, 0.77]], "bbox_type": "norm1"}}

Boxes are fractions, as precise as the 0-999 grid they come from. Read are boxes in fractions
("norm1"), on the grid of 1000 ("norm1000"), and in pixels ("real", which ms-swift assumes where
nothing is said). Placeholders are filled in order, in questions and answers alike; a name in the
question belongs to the boxes of the answer where those have none of their own.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from segue.annotations.fields import read_list, read_number, read_object, read_string
from segue.convert.dialogue import Dialogue, Dropped, grid, plain
from segue.convert.exif import TURNED, UPRIGHT
from segue.convert.formats import Writer
from segue.convert.formats.files import absolute, is_file, json_lines, read_with, turn_of_role
from segue.convert.formats.image_places import without_image_places
from segue.convert.image_files import header
from segue.errors import InputError
from segue.values.frames import Frame, FramedBox

_MARKUP = re.compile(r"<ref>(?P<phrase>.*?)</ref>|<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>")
_HOLES = re.compile("<ref-object>|<bbox>")
_FRAMES = {"norm1": Frame(1, 1), "norm1000": Frame(1000, 1000)}
_BEYOND = 0.05
"""So far beyond the picture, in parts of it, a corner is still taken for rounding."""


def open_writer(path: Path) -> AbstractContextManager[Writer]:
    """A writer for this format."""
    return json_lines(path, lambda dialogue: [to_record(dialogue)])


def read(path: Path) -> Iterator[Dialogue | Dropped]:
    """Read a file of this format."""
    return read_with(path, lambda value, name: to_dialogue(value, name, path.parent))


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """One record."""
    refs: list[str] = []
    boxes: list[list[float]] = []

    def hole(match: re.Match[str]) -> str:
        if match["phrase"] is not None:
            refs.append(match["phrase"])
            return "<ref-object>"
        boxes.append([int(number) / 1000 for number in match.groups()[1:]])
        return "<bbox>"

    made = []
    waiting = "<image>" * len(dialogue.images)
    for turn in dialogue.turns:
        text = _MARKUP.sub(hole, turn.text) if turn.role == "assistant" else turn.text
        if turn.role == "user":
            text, waiting = waiting + text, ""
        made.append({"role": turn.role, "content": text})
    images = [absolute(image) for image in dialogue.images]
    value: dict[str, Any] = {"id": dialogue.id, "messages": made, "images": images}
    if boxes:
        objects = {"ref": refs, "bbox": boxes, "bbox_type": "norm1", "image_id": [0] * len(boxes)}
        value["objects"] = objects
    return value


def to_dialogue(value: Mapping[str, Any], name: str, folder: Path = Path()) -> Dialogue:
    """One record read back.

    Args:
        value: the record.
        name: its id, when it has none.
        folder: where relative pictures may lie.

    Raises:
        InputError: a placeholder has no object or an object no placeholder, a box makes no sense,
            or pictures stand inside the text.
    """
    images = [_path(image) for image in _listed(value.get("images"))]
    messages = [read_object(one, "a message") for one in read_list(value["messages"], "messages")]
    roles = [str(message["role"]) for message in messages]
    texts = without_image_places(
        [
            (role, read_string(message["content"], "content"))
            for role, message in zip(roles, messages)
        ],
        len(images),
    )
    objects = _Objects(read_object(value.get("objects") or {}, "objects"), images, folder)
    turns = []
    for role, text in zip(roles, texts, strict=True):
        fill = objects.in_answer if role == "assistant" else objects.in_question
        turns.append(turn_of_role(role, fill(text)))
    objects.end()
    return Dialogue(str(value.get("id") or name), tuple(images), tuple(turns))


class _Objects:
    """The names and boxes of a record, handed out in order."""

    def __init__(self, objects: Mapping[str, Any], images: list[str], folder: Path) -> None:
        self._refs = [plain(str(ref)) for ref in read_list(objects.get("ref") or [], "ref")]
        self._boxes = read_list(objects.get("bbox") or [], "bbox")
        self._kind = str(objects.get("bbox_type") or "real")
        self._image_ids = read_list(objects.get("image_id") or [0] * len(self._boxes), "image_id")
        self._images, self._folder = images, folder
        self._named = self._boxed = 0
        self._waiting: list[str] = []  # names in the question that an answer may give boxes for

    def in_question(self, text: str) -> str:
        """A question with its names."""
        self._waiting = []

        def fill(match: re.Match[str]) -> str:
            if match[0] == "<bbox>":
                raise InputError(f"a question points with a box: {text[:60]!r}")
            self._waiting.append(self._name())
            return self._waiting[-1]

        return _HOLES.sub(fill, text)

    def in_answer(self, text: str) -> str:
        """An answer with its names and boxes, as markup."""
        names, boxes = text.count("<ref-object>"), text.count("<bbox>")
        lent = self._waiting if boxes and not names else []
        if len(lent) > 1 and len(lent) != boxes:
            raise InputError(f"{boxes} boxes answer {len(lent)} names: {text[:60]!r}")
        given = 0

        def fill(match: re.Match[str]) -> str:
            nonlocal given
            if match[0] == "<ref-object>":
                return f"<ref>{self._name()}</ref>"
            given += 1
            owns = len(lent) > 1 or (len(lent) == 1 and given == 1)
            return (f"<ref>{lent[given - 1]}</ref>" if owns else "") + self._box()

        return _HOLES.sub(fill, text)

    def end(self) -> None:
        """Check that nothing is left over.

        Raises:
            InputError: names or boxes have no placeholder.
        """
        left = len(self._refs) - self._named, len(self._boxes) - self._boxed
        if any(left):
            raise InputError(f"{left[0]} names and {left[1]} boxes of objects have no placeholder")

    def _name(self) -> str:
        if self._named >= len(self._refs) or not self._refs[self._named]:
            raise InputError(f"<ref-object> number {self._named + 1} has no name in objects")
        self._named += 1
        return self._refs[self._named - 1]

    def _box(self) -> str:
        if self._boxed >= len(self._boxes):
            raise InputError(f"<bbox> number {self._boxed + 1} has no box in objects")
        values = read_list(self._boxes[self._boxed], "a bbox")
        if len(values) != 4:
            raise InputError(f"a bbox must be four numbers, got {len(values)}")
        frame = self._frame()
        xa, ya, xb, yb = (read_number(number, "a bbox") for number in values)
        relative = (xa / frame.width, ya / frame.height, xb / frame.width, yb / frame.height)
        if min(relative) < -_BEYOND or max(relative) > 1 + _BEYOND:
            raise InputError(f"the bbox {values} lies outside {frame}; is bbox_type right?")
        self._boxed += 1
        x0, y0, x1, y1 = grid(FramedBox(xa, ya, xb, yb, frame))
        if x0 == x1 or y0 == y1:
            raise InputError(f"the bbox {values} has no area")
        return f"<box>({x0},{y0}),({x1},{y1})</box>"

    def _frame(self) -> Frame:
        if self._kind in _FRAMES:
            return _FRAMES[self._kind]
        if self._kind != "real":
            raise InputError(f"bbox_type is {self._kind!r}, expected real, norm1 or norm1000")
        index = self._image_ids[self._boxed] if self._boxed < len(self._image_ids) else 0
        if not isinstance(index, int) or not 0 <= index < len(self._images):
            raise InputError(
                f"boxes in pixels lie on picture {index!r}, there are {len(self._images)}"
            )
        path = Path(self._images[index])
        found = header(path if is_file(path) else self._folder / path)
        if found is None:
            raise InputError(f"boxes are in pixels, and the picture {path} does not open")
        size, orientation = found
        if orientation != UPRIGHT:
            raise InputError(f"boxes are in pixels, and the picture {path} is {TURNED}")
        return Frame(size.width, size.height)


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Mapping) else read_list(value or [], "images")


def _path(image: Any) -> str:
    path = image.get("path") if isinstance(image, Mapping) else image
    if not isinstance(path, str) or not path:
        raise InputError(f"a picture must be a path, got {type(path).__name__}")
    return path
