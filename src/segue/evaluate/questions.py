"""Questions with their ground truth: JSON lines, one question per line.

    {"image": "a.jpg", "question": "Segment the tram.", "expect": "tag", "phrases": ["tram"]}
    {"image": "a.jpg", "sent": "man in red", "bbox": [10, 20, 90, 200]}

`segue convert … --format questions` writes them. The second form is that of the files published for
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
"""tag: a request for masks. box: a request for boxes. absent: a request for something absent.
plain: words are enough. any: no form of reply is expected, only the place is scored."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its ground truth, as far as it is known."""

    id: str
    image: str
    """A path."""
    text: str
    expect: Expect = "any"
    phrases: tuple[str, ...] = ()
    """What the answer should name."""
    language: str = "en"
    boxes: tuple[Box, ...] | None = None
    """True boxes, in pixels of the upright picture; None: unknown."""
    mask: Mapping[str, Any] | None = None
    """COCO RLE of everything that is asked for; None: unknown."""
    ignore: Mapping[str, Any] | None = None
    """COCO RLE of pixels that are not scored."""
    history: tuple[tuple[str, str], ...] = field(default=())
    """(question, raw reply) of earlier turns."""

    @property
    def has_mask_truth(self) -> bool:
        """Whether masks can be scored: there is a true mask, or nothing to find."""
        return self.mask is not None or self.expect == "absent"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads; unknown ones are left out."""
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
            name: the id, where it has none.
            prompt: the question for a `sent`, which replaces `{sent}`.

        Raises:
            InputError: picture or words are missing, or a value is invalid.
        """
        try:
            expression = value.get("sent")
            use_prompt = expression is not None and "question" not in value
            expression = (
                None if expression is None else well_formed(read_string(expression, "sent"))
            )
            question = (
                value.get("question")
                if not use_prompt
                else prompt.replace("{sent}", expression or "")
            )
            text = well_formed(read_string(question, "question"))
            if not text.strip():
                raise ValueError("question has no words")
            expect = str(value.get("expect") or ("box" if expression is not None else "any"))
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
                phrases=_read_phrases(value.get("phrases"), expression),
                language=str(value.get("language") or _detect_language(text)),
                boxes=None if boxes is None else tuple(map(_read_box, read_list(boxes, "boxes"))),
                mask=_check_mask(value.get("mask"), "mask"),
                ignore=_check_mask(value.get("ignore"), "ignore"),
                history=tuple(map(_read_turn, read_list(value.get("history") or [], "history"))),
            )
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise InputError(
                f"Question {name} is invalid: {_describe_error(error)}. It must have "
                '"image", and "question" or "sent".'
            ) from error


def _describe_error(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


def _read_phrases(value: Any, expression: str | None) -> tuple[str, ...]:
    if not value:
        return (expression,) if expression else ()
    phrase_list = [value] if isinstance(value, str) else read_list(value, "phrases")
    return tuple(well_formed(read_string(phrase, "a phrase")) for phrase in phrase_list)


def _read_box(value: Any) -> Box:
    numbers = [read_number(corner, "a corner of a box") for corner in read_list(value, "a box")]
    if len(numbers) != 4:
        raise ValueError(f"a box must be four numbers, got {len(numbers)}")
    return Box.spanning(*numbers)


def _check_mask(value: Any, field_name: str) -> Mapping[str, Any] | None:
    """Return a mask that can be decoded; refuse others before hours of asking."""
    if value is None:
        return None
    try:
        size = read_size(*read_list(read_object(value, field_name).get("size"), "size"))
        return checked_rle(value, size)
    except (InputError, TypeError) as error:
        raise InputError(f"its {field_name!r} is invalid: {error}") from error


def _read_turn(pair: Any) -> tuple[str, str]:
    question, reply = read_list(pair, "a turn of the history")
    return well_formed(read_string(question, "a question")), read_string(reply, "an answer")


def read_questions(
    path: str | Path, *, prompt: str = "{sent}", images: Path | None = None
) -> Iterator[Question]:
    """Read a file of questions.

    Args:
        path: JSON lines.
        prompt: see `Question.from_json`.
        images: the folder of relative picture paths; None: the folder of the file.

    Raises:
        InputError: the file cannot be read, or a line is invalid; the message names it.
    """
    path = Path(path)
    ids: set[str] = set()
    image_folder = images if images is not None else path.parent
    for number, value in enumerate(json_lines(path), 1):
        try:
            question = Question.from_json(value, f"{path.stem}-{number}", prompt)
        except InputError as error:
            raise InputError(f"{printable_path(path)}, question {number}: {error}") from error
        if question.id in ids:
            raise InputError(
                f"Question {number} of {path} has the same id {question.id!r} as an earlier "
                "one. Give each question its own id, or none."
            )
        ids.add(question.id)
        yield replace(question, image=str(image_folder / question.image))


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the objects of a file of JSON lines; empty lines are skipped.

    Raises:
        InputError: it cannot be read, or a line is not a JSON object.
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
                f"Line {number} of {path}, the last, is incomplete. Resume the command that wrote "
                "it, or remove the line."
            ) from error
        raise InputError(f"Line {number} of {path} is not JSON: {error}.") from error


def _detect_language(text: str) -> str:
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
