"""Dialogue: the neutral form between existing data sets and the files that trainers read.

Text of the user and of tools is plain: markup in it is removed. Text of the assistant is written
as the model should write it, in the dialect of Qwen-VL: `<gsam>dog</gsam>`,
`<ref>dog</ref><box>(12,30),(480,997)</box>`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from segue.dialects.parsing.gsam_phrases import quote_phrase
from segue.errors import InputError
from segue.files.unicode import is_well_formed, well_formed
from segue.values.box import Box, Size
from segue.values.frames import FramedBox

TurnRole = Literal["system", "user", "assistant", "tool"]
AnswerKind = Literal["tag", "box", "absent", "plain"]
"""What an answer does: requests masks, gives boxes, says that something is absent, or none."""

_KIND_PRIORITY: tuple[AnswerKind, ...] = ("tag", "box", "absent", "plain")


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The true boxes and mask of what a question asks for, in pixels of the upright picture."""

    boxes: tuple[Box, ...] = ()
    mask: Mapping[str, Any] | None = None
    """COCO RLE of all instances together; None when it is unknown."""


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """One message."""

    role: TurnRole
    text: str
    kind: AnswerKind = "plain"
    """Of the assistant's turns; "plain" for all others."""
    phrases: tuple[str, ...] = ()
    """What is requested or pointed at, in the order of the text."""
    truth: GroundTruth | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation about pictures, for training or evaluation."""

    id: str
    images: tuple[str, ...]
    """Paths; the pictures come at the start of the first user turn."""
    turns: tuple[DialogueTurn, ...]
    source: str = ""
    """Where the record comes from: "coco", "vg", …"""
    image_key: str = ""
    """The same for all file names of one picture; splits are made by it."""
    split: str | None = None
    """Set by the source; None: decided by `image_key`."""
    size: Size | None = None
    """Of the picture, upright, when there is exactly one."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was repaired on the way here."""

    @property
    def kind(self) -> AnswerKind:
        """The strongest kind among its answers, in the order tag, box, absent, plain."""
        kinds = {turn.kind for turn in self.turns if turn.role == "assistant"}
        return next((kind for kind in _KIND_PRIORITY if kind in kinds), "plain")

    @property
    def language(self) -> str:
        """ "zh" when a question has Chinese characters, else "en"."""
        questions = "".join(turn.text for turn in self.turns if turn.role == "user")
        return detect_language(questions)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of pictures and texts: equal for duplicate records."""
        words = [[turn.role, turn.text] for turn in self.turns]
        content = json.dumps([self.image_key or self.images, words], ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    def with_split(self, split: str) -> "Dialogue":
        """Return the dialogue, assigned to a split."""
        return replace(self, split=split)

    def well_formed(self) -> "Dialogue":
        """Replace each lone surrogate in the texts by U+FFFD; paths stay as they are."""
        texts = [self.id, *(text for turn in self.turns for text in (turn.text, *turn.phrases))]
        if all(map(is_well_formed, texts)):
            return self
        turns = tuple(
            replace(
                turn, text=well_formed(turn.text), phrases=tuple(map(well_formed, turn.phrases))
            )
            for turn in self.turns
        )
        notes = (*self.notes, "half a character became U+FFFD")
        return replace(self, id=well_formed(self.id), turns=turns, notes=notes)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, which `from_json` reads."""
        return {
            "id": self.id,
            "kind": self.kind,
            "language": self.language,
            "source": self.source,
            "split": self.split,
            "images": list(self.images),
            "image_key": self.image_key,
            "size": list(self.size) if self.size else None,
            "turns": [_turn_to_json(turn) for turn in self.turns],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Dialogue":
        """Read what `to_json` wrote.

        Raises:
            InputError: a key is missing or has an invalid value.
        """
        try:
            size = value.get("size")
            return cls(
                id=str(value["id"]),
                images=tuple(str(path) for path in value["images"]),
                turns=tuple(_turn_from_json(turn) for turn in value["turns"]),
                source=str(value.get("source") or ""),
                image_key=str(value.get("image_key") or ""),
                split=value.get("split"),
                size=Size(*map(int, size)) if size else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"A dialogue must have id, images and turns ({type(error).__name__}: {error})."
            ) from error


@dataclass(frozen=True, slots=True)
class DroppedRecord:
    """A record that cannot be used, and why."""

    id: str
    reason: str
    """One of a few fixed sentences, to count by."""
    detail: str = ""


def tag_markup(phrases: Sequence[str]) -> str:
    """Return the markup that requests masks.

    >>> tag_markup(["basket", "blanket"])
    '<gsam>basket</gsam>, <gsam>blanket</gsam>'
    >>> tag_markup(["box, red"])
    '<gsam>"box, red"</gsam>'
    """
    return ", ".join(f"<gsam>{quote_phrase(phrase)}</gsam>" for phrase in phrases)


def box_markup(phrase: str, boxes: Sequence[FramedBox]) -> str:
    """Return the markup of a phrase with its boxes, on the grid of Qwen-VL: integers from 0 to 999.

    Boxes without area on the grid are dropped; "" when none remains.

    >>> from segue.values.frames import Frame
    >>> box_markup("dog", [FramedBox(0.1, 0.2, 0.5, 1.0, Frame(1, 1))])
    '<ref>dog</ref><box>(100,200),(500,999)</box>'
    """
    box_texts = []
    for box in boxes:
        x0, y0, x1, y1 = to_grid_corners(box)
        if x0 < x1 and y0 < y1:
            box_texts.append(f"<box>({x0},{y0}),({x1},{y1})</box>")
    return f"<ref>{phrase}</ref>{''.join(box_texts)}" if box_texts else ""


def to_grid_corners(box: FramedBox) -> tuple[int, int, int, int]:
    """Return two ordered corners on the 0-999 grid, rounded and clipped."""
    x0, y0, x1, y1 = (min(999, round(v)) for v in box.to_box(Size(1000, 1000)).corners)
    return x0, y0, x1, y1


_MARKUP = re.compile(
    r"<img>[^<]{0,500}</img>"
    r"|</?(?:img|ref|box|quad|gsam|image|video|audio|imgpad|ref-object|bbox)>"
    r"|<\|[A-Za-z0-9_]{1,32}\|>|<(?:start|end)_of_[a-z]{1,12}>",
    re.IGNORECASE,
)


def strip_markup(text: str) -> str:
    """Remove all markup from a text; lines are kept, CRLF becomes LF, edges are trimmed.

    >>> strip_markup("<image>\\r\\nOutline the tram.  ")
    'Outline the tram.'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    while True:  # removing one tag may form another: <im<ref>g>
        stripped_text = _MARKUP.sub("", text)
        if stripped_text == text:
            break
        text = stripped_text
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def has_markup(text: str) -> bool:
    """Return True when a text holds a picture, a tag or a special token."""
    return _MARKUP.search(text) is not None


def detect_language(text: str) -> str:
    """Return "zh" when there are Chinese characters, else "en"."""
    return "zh" if re.search("[\u3400-\u4dbf\u4e00-\u9fff]", text) else "en"


def _turn_to_json(turn: DialogueTurn) -> dict[str, Any]:
    value: dict[str, Any] = {"role": turn.role, "text": turn.text}
    if turn.role == "assistant":
        value |= {"kind": turn.kind, "phrases": list(turn.phrases)}
    if turn.truth is not None:
        boxes = [list(box.corners) for box in turn.truth.boxes]
        value["truth"] = {"boxes": boxes, "mask": turn.truth.mask}
    return value


def _turn_from_json(value: Mapping[str, Any]) -> DialogueTurn:
    role, kind = str(value["role"]), str(value.get("kind", "plain"))
    if role not in get_args(TurnRole) or kind not in get_args(AnswerKind):
        raise ValueError(f"a turn has the role {role!r} and the kind {kind!r}")
    truth = value.get("truth")
    return DialogueTurn(
        role=cast("TurnRole", role),
        text=str(value["text"]),
        kind=cast("AnswerKind", kind),
        phrases=tuple(map(str, value.get("phrases", ()))),
        truth=GroundTruth(tuple(Box(*map(float, box)) for box in truth["boxes"]), truth.get("mask"))
        if truth
        else None,
    )
