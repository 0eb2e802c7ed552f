"""What is asked, and what is known of the right answer. JSON lines, one question a line.

    {"image": "a.jpg", "question": "Segment the tram.", "expect": "tag", "phrases": ["tram"]}
    {"image": "a.jpg", "sent": "man in red", "bbox": [10, 20, 90, 200]}

`segue convert … --format questions` writes them; so do, in the second form, the files published for
the grounding benchmarks of Qwen-VL. Everything but `image` and the words is optional.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from segue.annotations.fields import read_list, read_number, read_object, read_size, read_string
from segue.annotations.segmentation import checked_rle
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import open_text
from segue.files.unicode import well_formed
from segue.values.box import Box

Expect = Literal["tag", "box", "absent", "plain", "any"]
"""tag: a request for masks. box: a request for boxes. absent: for something that is not there.
plain: words are enough. any: nothing is expected of the form, only of the place."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what is known of its answer."""

    id: str
    image: str
    """A path."""
    text: str
    expect: Expect = "any"
    phrases: tuple[str, ...] = ()
    """What the answer should name."""
    language: str = "en"
    boxes: tuple[Box, ...] | None = None
    """True boxes, in pixels of the upright picture; None: not known."""
    mask: Mapping[str, Any] | None = None
    """COCO RLE of all that is meant; None: not known."""
    ignore: Mapping[str, Any] | None = None
    """COCO RLE of pixels that count neither way."""
    history: tuple[tuple[str, str], ...] = field(default=())
    """(question, raw answer) of the turns before."""

    @property
    def has_place(self) -> bool:
        """Whether masks can be scored: a true mask is known, or that there is nothing to find."""
        return self.mask is not None or self.expect == "absent"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` reads them. What is not known is left out."""
        value: dict[str, Any] = {
            "id": self.id,
            "image": self.image,
            "question": self.text,
            "expect": self.expect,
            "phrases": list(self.phrases),
            "language": self.language,
            "boxes": [list(box.corners) for box in self.boxes] if self.boxes is not None else None,
            "mask": self.mask,
            "ignore": self.ignore,
            "history": [list(pair) for pair in self.history],
        }
        return {key: entry for key, entry in value.items() if entry not in (None, [])}

    @classmethod
    def from_json(
        cls, value: Mapping[str, Any], name: str = "?", prompt: str = "{sent}"
    ) -> "Question":
        """Read one line.

        Args:
            value: the line.
            name: its id, when it has none.
            prompt: how a `sent` is asked for; `{sent}` is the expression.

        Raises:
            InputError: picture or words are missing, or a value is strange.
        """
        try:
            sent = value.get("sent")
            asked_for = sent is not None and "question" not in value
            sent = None if sent is None else well_formed(read_string(sent, "sent"))
            words = value.get("question") if not asked_for else prompt.replace("{sent}", sent or "")
            text = well_formed(read_string(words, "question"))
            if not text.strip():
                raise ValueError("question has no words")
            expect = str(value.get("expect") or ("box" if sent is not None else "any"))
            if expect not in get_args(Expect):
                raise ValueError(f"expect is {expect!r}, not one of {', '.join(get_args(Expect))}")
            boxes = value.get("boxes")
            if boxes is None and value.get("bbox") is not None:
                boxes = [value["bbox"]]
            return cls(
                id=str(name if value.get("id") is None else value["id"]),
                image=read_string(value["image"], "image"),
                text=text,
                expect=cast("Expect", expect),
                phrases=_phrases(value.get("phrases"), sent),
                language=str(value.get("language") or _language(text)),
                boxes=None if boxes is None else tuple(map(_box, read_list(boxes, "boxes"))),
                mask=_mask(value.get("mask"), "mask"),
                ignore=_mask(value.get("ignore"), "ignore"),
                history=tuple(map(_exchange, read_list(value.get("history") or [], "history"))),
            )
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise InputError(
                f"Question {name} cannot be used: {_reason(error)}. It must have "
                '"image", and "question" or "sent".'
            ) from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


def _phrases(value: Any, sent: str | None) -> tuple[str, ...]:
    if not value:
        return (sent,) if sent else ()
    listed = [value] if isinstance(value, str) else read_list(value, "phrases")
    return tuple(well_formed(read_string(phrase, "a phrase")) for phrase in listed)


def _box(value: Any) -> Box:
    numbers = [read_number(corner, "a corner of a box") for corner in read_list(value, "a box")]
    if len(numbers) != 4:
        raise ValueError(f"a box must be four numbers, got {len(numbers)}")
    return Box.spanning(*numbers)


def _mask(value: Any, what: str) -> Mapping[str, Any] | None:
    """A mask that can be decoded, found out before hours of asking."""
    if value is None:
        return None
    try:
        size = read_size(*read_list(read_object(value, what).get("size"), "size"))
        return checked_rle(value, size)
    except (InputError, TypeError) as error:
        raise InputError(f"its {what!r} makes no sense: {error}") from error


def _exchange(pair: Any) -> tuple[str, str]:
    asked, raw = read_list(pair, "a turn of the history")
    return well_formed(read_string(asked, "a question")), read_string(raw, "an answer")


def read_questions(
    path: str | Path, *, prompt: str = "{sent}", images: Path | None = None
) -> Iterator[Question]:
    """Read a file of questions.

    Args:
        path: JSON lines.
        prompt: see `Question.from_json`.
        images: where relative picture paths begin; None: at the folder of the file.

    Raises:
        InputError: the file cannot be read, or a line makes no sense; the message says which.
    """
    path = Path(path)
    seen: set[str] = set()
    root = images if images is not None else path.parent
    for number, value in enumerate(json_lines(path), 1):
        try:
            question = Question.from_json(value, f"{path.stem}-{number}", prompt)
        except InputError as error:
            raise InputError(f"{printable_path(path)}, question {number}: {error}") from error
        if question.id in seen:
            raise InputError(
                f"Question {number} of {path} has the id {question.id!r} of an earlier one. Ids "
                "tell answers apart: give each its own, or none."
            )
        seen.add(question.id)
        yield replace(question, image=str(root / question.image))


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; empty lines do not count.

    Raises:
        InputError: it cannot be read, or a line is no JSON object.
    """
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise InputError(f"Line {number} of {path} must be a JSON object.")
                yield value
    except RecursionError as error:
        raise InputError(f"Line {number} of {path} is nested too deeply.") from error
    except json.JSONDecodeError as error:
        if not line.endswith("\n"):
            raise InputError(
                f"Line {number} of {path}, the last, was cut off. The command that wrote it goes "
                "on there; or take the line out."
            ) from error
        raise InputError(f"Line {number} of {path} is not JSON: {error}.") from error


def _language(text: str) -> str:
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
