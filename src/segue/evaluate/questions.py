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

from segue.box import Box
from segue.errors import InputError

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
            text = prompt.replace("{sent}", str(sent)) if asked_for else value["question"]
            expect = str(value.get("expect") or ("box" if sent is not None else "any"))
            if expect not in get_args(Expect):
                raise ValueError(f"expect is {expect!r}, not one of {', '.join(get_args(Expect))}")
            boxes = value.get("boxes")
            if boxes is None and value.get("bbox") is not None:
                boxes = [value["bbox"]]
            return cls(
                id=str(value.get("id", name)),
                image=str(value["image"]),
                text=str(text),
                expect=cast("Expect", expect),
                phrases=tuple(map(str, value.get("phrases") or ([sent] if sent else ()))),
                language=str(value.get("language") or _language(str(text))),
                boxes=None if boxes is None else tuple(Box.spanning(*map(float, b)) for b in boxes),
                mask=value.get("mask"),
                ignore=value.get("ignore"),
                history=tuple((str(q), str(a)) for q, a in value.get("history") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"Question {name} cannot be used ({type(error).__name__}: {error}). It must have "
                '"image", and "question" or "sent".'
            ) from error


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
        question = Question.from_json(value, f"{path.stem}-{number}", prompt)
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
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise InputError(f"Line {number} of {path} must be a JSON object.")
                yield value
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}.") from error
    except json.JSONDecodeError as error:
        if not line.endswith("\n"):
            raise InputError(
                f"Line {number} of {path}, the last, was cut off. The command that wrote it goes "
                "on there; or take the line out."
            ) from error
        raise InputError(f"Line {number} of {path} is not JSON: {error}.") from error


def _language(text: str) -> str:
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
