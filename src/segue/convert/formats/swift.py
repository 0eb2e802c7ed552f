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
from segue.convert.dialogue import Dialogue, DroppedRecord, strip_markup, to_grid_corners
from segue.convert.exif import EXIF_AMBIGUOUS, UPRIGHT
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import (
    absolute_path,
    is_file,
    open_json_lines,
    read_records_of,
    turn_of_role,
)
from segue.convert.formats.image_placeholders import strip_image_placeholders
from segue.convert.image_files import read_image_header
from segue.errors import InputError
from segue.values.frames import Frame, FramedBox

_MARKUP = re.compile(r"<ref>(?P<phrase>.*?)</ref>|<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>")
_PLACEHOLDERS = re.compile("<ref-object>|<bbox>")
_FRAMES = {"norm1": Frame(1, 1), "norm1000": Frame(1000, 1000)}
_BORDER_TOLERANCE = 0.05
"""Share of the picture by which a corner may lie outside it through rounding."""


def open_writer(path: Path) -> AbstractContextManager[DialogueWriter]:
    """Open a writer of this format."""
    return open_json_lines(path, lambda dialogue: [to_record(dialogue)])


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format."""
    return read_records_of(path, lambda value, name: to_dialogue(value, name, path.parent))


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """Make one record of a dialogue."""
    ref_names: list[str] = []
    boxes: list[list[float]] = []

    def replace_markup(match: re.Match[str]) -> str:
        if match["phrase"] is not None:
            ref_names.append(match["phrase"])
            return "<ref-object>"
        boxes.append([int(number) / 1000 for number in match.groups()[1:]])
        return "<bbox>"

    messages = []
    image_prefix = "<image>" * len(dialogue.images)
    for turn in dialogue.turns:
        text = _MARKUP.sub(replace_markup, turn.text) if turn.role == "assistant" else turn.text
        if turn.role == "user":
            text, image_prefix = image_prefix + text, ""
        messages.append({"role": turn.role, "content": text})
    images = [absolute_path(image) for image in dialogue.images]
    value: dict[str, Any] = {"id": dialogue.id, "messages": messages, "images": images}
    if boxes:
        objects = {
            "ref": ref_names,
            "bbox": boxes,
            "bbox_type": "norm1",
            "image_id": [0] * len(boxes),
        }
        value["objects"] = objects
    return value


def to_dialogue(value: Mapping[str, Any], name: str, folder: Path = Path()) -> Dialogue:
    """Make a dialogue from one record.

    Args:
        value: the record.
        name: its id, when it has none.
        folder: where relative pictures may lie.

    Raises:
        InputError: a placeholder has no object or an object no placeholder, a box makes no sense,
            or pictures stand inside the text.
    """
    images = [_image_path(image) for image in _image_list(value.get("images"))]
    messages = [
        read_object(message, "a message") for message in read_list(value["messages"], "messages")
    ]
    roles = [str(message["role"]) for message in messages]
    texts = strip_image_placeholders(
        [
            (role, read_string(message["content"], "content"))
            for role, message in zip(roles, messages)
        ],
        len(images),
    )
    objects = _Objects(read_object(value.get("objects") or {}, "objects"), images, folder)
    turns = []
    for role, text in zip(roles, texts, strict=True):
        fill_placeholders = objects.fill_answer if role == "assistant" else objects.fill_question
        turns.append(turn_of_role(role, fill_placeholders(text)))
    objects.check_all_used()
    return Dialogue(str(value.get("id") or name), tuple(images), tuple(turns))


class _Objects:
    """The names and boxes of a record, used in order."""

    def __init__(self, objects: Mapping[str, Any], images: list[str], folder: Path) -> None:
        self._ref_names = [
            strip_markup(str(ref)) for ref in read_list(objects.get("ref") or [], "ref")
        ]
        self._boxes = read_list(objects.get("bbox") or [], "bbox")
        self._bbox_type = str(objects.get("bbox_type") or "real")
        self._image_ids = read_list(objects.get("image_id") or [0] * len(self._boxes), "image_id")
        self._images, self._folder = images, folder
        self._n_names_used = self._n_boxes_used = 0
        self._names_in_question: list[
            str
        ] = []  # names in the question that an answer may give boxes for

    def fill_question(self, text: str) -> str:
        """Fill in the names of a question."""
        self._names_in_question = []

        def fill(match: re.Match[str]) -> str:
            if match[0] == "<bbox>":
                raise InputError(f"a question points with a box: {text[:60]!r}")
            self._names_in_question.append(self._next_name())
            return self._names_in_question[-1]

        return _PLACEHOLDERS.sub(fill, text)

    def fill_answer(self, text: str) -> str:
        """Fill in the names and boxes of an answer, as markup."""
        names, boxes = text.count("<ref-object>"), text.count("<bbox>")
        names_in_question = self._names_in_question if boxes and not names else []
        if len(names_in_question) > 1 and len(names_in_question) != boxes:
            raise InputError(f"{boxes} boxes answer {len(names_in_question)} names: {text[:60]!r}")
        n_filled = 0

        def fill(match: re.Match[str]) -> str:
            nonlocal n_filled
            if match[0] == "<ref-object>":
                return f"<ref>{self._next_name()}</ref>"
            n_filled += 1
            has_name = len(names_in_question) > 1 or (len(names_in_question) == 1 and n_filled == 1)
            return (
                f"<ref>{names_in_question[n_filled - 1]}</ref>" if has_name else ""
            ) + self._next_box()

        return _PLACEHOLDERS.sub(fill, text)

    def check_all_used(self) -> None:
        """Check that all names and boxes were used.

        Raises:
            InputError: names or boxes have no placeholder.
        """
        n_unused = len(self._ref_names) - self._n_names_used, len(self._boxes) - self._n_boxes_used
        if any(n_unused):
            raise InputError(
                f"{n_unused[0]} names and {n_unused[1]} boxes of objects have no placeholder"
            )

    def _next_name(self) -> str:
        if self._n_names_used >= len(self._ref_names) or not self._ref_names[self._n_names_used]:
            raise InputError(f"<ref-object> number {self._n_names_used + 1} has no name in objects")
        self._n_names_used += 1
        return self._ref_names[self._n_names_used - 1]

    def _next_box(self) -> str:
        if self._n_boxes_used >= len(self._boxes):
            raise InputError(f"<bbox> number {self._n_boxes_used + 1} has no box in objects")
        values = read_list(self._boxes[self._n_boxes_used], "a bbox")
        if len(values) != 4:
            raise InputError(f"a bbox must be four numbers, got {len(values)}")
        frame = self._frame()
        xa, ya, xb, yb = (read_number(number, "a bbox") for number in values)
        relative = (xa / frame.width, ya / frame.height, xb / frame.width, yb / frame.height)
        if min(relative) < -_BORDER_TOLERANCE or max(relative) > 1 + _BORDER_TOLERANCE:
            raise InputError(f"the bbox {values} lies outside {frame}; is bbox_type right?")
        self._n_boxes_used += 1
        x0, y0, x1, y1 = to_grid_corners(FramedBox(xa, ya, xb, yb, frame))
        if x0 == x1 or y0 == y1:
            raise InputError(f"the bbox {values} has no area")
        return f"<box>({x0},{y0}),({x1},{y1})</box>"

    def _frame(self) -> Frame:
        if self._bbox_type in _FRAMES:
            return _FRAMES[self._bbox_type]
        if self._bbox_type != "real":
            raise InputError(f"bbox_type is {self._bbox_type!r}, expected real, norm1 or norm1000")
        index = (
            self._image_ids[self._n_boxes_used] if self._n_boxes_used < len(self._image_ids) else 0
        )
        if not isinstance(index, int) or not 0 <= index < len(self._images):
            raise InputError(
                f"boxes in pixels refer to picture {index!r}, there are {len(self._images)}"
            )
        path = Path(self._images[index])
        picture_header = read_image_header(path if is_file(path) else self._folder / path)
        if picture_header is None:
            raise InputError(f"boxes are in pixels, and the picture {path} does not open")
        size, orientation = picture_header
        if orientation != UPRIGHT:
            raise InputError(f"boxes are in pixels, and the picture {path} is {EXIF_AMBIGUOUS}")
        return Frame(size.width, size.height)


def _image_list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Mapping) else read_list(value or [], "images")


def _image_path(image: Any) -> str:
    path = image.get("path") if isinstance(image, Mapping) else image
    if not isinstance(path, str) or not path:
        raise InputError(f"a picture must be a path, got {type(path).__name__}")
    return path
