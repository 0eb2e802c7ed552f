"""Validation of a converted file before training: rules, counts, drawings."""

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from segue.convert.dataset import read_records_tolerantly
from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord, has_markup
from segue.convert.formats.files import is_file
from segue.convert.formats.image_placeholders import PLACEHOLDER
from segue.convert.image_files import read_image_header
from segue.dialects import DIALECTS, BoxMention, Dialect, MalformedMarkup, ReplyEvent
from segue.draw import draw_regions
from segue.errors import InputError
from segue.files.atomic import write_picture, write_text
from segue.values.box import Size
from segue.values.image import Image
from segue.values.region import Region

MAX_EXAMPLES = 20
"""Problems that are listed one by one; all are counted."""
_GRID = Size(1000, 1000)


@dataclass(slots=True)
class CheckResult:
    """What `check_dataset` found."""

    dialogues: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    phrases: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    """"id: problem", the first few."""
    drawings: list[Path] = field(default_factory=list)

    def add(self, id: str, problem: str) -> None:
        """Count a problem, written "problem: detail", and list it while there is room."""
        self.problems[problem.partition(":")[0]] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{id}: {problem}")

    @property
    def is_fine(self) -> bool:
        return self.dialogues > 0 and not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "dialogues": self.dialogues,
            "kinds": dict(self.kinds),
            "languages": dict(self.languages),
            "phrases": dict(self.phrases.most_common()),
            "problems": dict(self.problems),
            "examples": list(self.examples),
            "drawings": [str(file) for file in self.drawings],
        }


def check_dataset(
    path: Path, *, draw_to: Path | None = None, draw: int = 16, format_name: str | None = None
) -> CheckResult:
    """Check every dialogue of a file; draw the first ones with boxes.

    Args:
        path: a file of any format that `segue convert` writes.
        draw_to: a folder for pictures with their boxes, and `index.html`.
        draw: how many.
        format_name: None: detected.

    Raises:
        InputError: the file cannot be read, or `draw_to` is the folder of its pictures.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    findings = CheckResult()
    id_hashes: set[int] = set()
    page_entries: list[str] = []
    for dialogue in read_records_tolerantly(path, format_name):
        if isinstance(dialogue, DroppedRecord):
            findings.add(dialogue.id, f"{dialogue.reason}: {dialogue.detail}")
            continue
        findings.dialogues += 1
        findings.kinds[dialogue.kind] += 1
        findings.languages[dialogue.language] += 1
        findings.phrases.update(p for turn in dialogue.turns for p in turn.phrases)
        dialogue_problems = list(find_problems(dialogue))
        if hash(dialogue.id) in id_hashes:
            dialogue_problems.append("id is not unique")
        id_hashes.add(hash(dialogue.id))
        for problem in dialogue_problems:
            findings.add(dialogue.id, problem)
        if draw_to is not None and len(findings.drawings) < draw and not dialogue_problems:
            _refuse_picture_folder(dialogue, draw_to)
            drawn_files = _draw_boxes(dialogue, draw_to, len(findings.drawings) + 1)
            page_entries += [_format_entry(dialogue, file) for file in drawn_files]
            findings.drawings += drawn_files
    if draw_to is not None and findings.drawings:
        write_text(draw_to / "index.html", f"{_HEAD}{''.join(page_entries)}</html>\n")
    return findings


def find_problems(dialogue: Dialogue) -> Iterator[str]:
    """Yield the problems of a dialogue, each as "problem: detail"."""
    roles = [turn.role for turn in dialogue.turns if turn.role != "system"]
    if not roles or roles[0] != "user":
        yield "does not begin with a question"
    if not roles or roles[-1] != "assistant":
        yield "does not end with an answer"
    for previous_role, next_role in pairwise(roles):
        if next_role not in _ALLOWED_SUCCESSORS[previous_role]:
            yield f"turns out of order: {next_role} after {previous_role}"
    for turn in dialogue.turns:
        if not turn.text.strip():
            yield f"empty turn: {turn.role}"
        if turn.role == "assistant":
            yield from _markup_problems(turn)
        if placeholder := PLACEHOLDER.search(turn.text):
            yield f"unfilled placeholder: {placeholder[0]} in {turn.text[:60]!r}"
        elif turn.role != "assistant" and has_markup(turn.text):
            yield f"markup in what should be plain: {turn.text[:60]!r}"
    for image in dialogue.images:
        if not is_file(Path(image)):
            yield f"picture not found: {image}"
        elif not can_open_picture(image):
            yield f"picture does not open: {image}"


_ALLOWED_SUCCESSORS = {
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant",),
}


def _events(turn: DialogueTurn) -> list[ReplyEvent]:
    reader: Dialect = DIALECTS.load("qwen_vl")
    return list(reader.read([turn.text]))


def _markup_problems(turn: DialogueTurn) -> Iterator[str]:
    for event in _events(turn):
        if isinstance(event, MalformedMarkup):
            yield f"markup that cannot be read: {event.text[:60]!r}"
        if isinstance(event, BoxMention):
            box = event.box
            numbers = (box.xa, box.ya, box.xb, box.yb)
            if not all(0 <= value <= 1000 for value in numbers):
                yield f"box off the grid: {numbers}"
            if box.xa > box.xb or box.ya > box.yb:
                yield f"corners in the wrong order: {numbers}"


def can_open_picture(image: str) -> bool:
    """Return True when a picture's header can be read; its pixels are not decoded."""
    return read_image_header(Path(image)) is not None


def _draw_boxes(dialogue: Dialogue, folder: Path, number: int) -> list[Path]:
    """Draw the boxes of one dialogue; nothing when there is no picture to draw on.

    Raises:
        InputError: the folder cannot be written.
    """
    if len(dialogue.images) != 1:
        return []
    try:
        picture = Image.open(dialogue.images[0])
    except InputError:
        return []
    box_mentions = [
        event
        for turn in dialogue.turns
        if turn.role == "assistant"
        for event in _events(turn)
        if isinstance(event, BoxMention)
    ]
    regions = [
        Region(f"r{n}", event.phrase, event.box.to_box(picture.size), "chat")
        for n, event in enumerate(box_mentions, 1)
    ]
    drawing_path = folder / f"{number:03d}.png"
    return [write_picture(drawing_path, draw_regions(picture, regions))]


def _refuse_picture_folder(dialogue: Dialogue, folder: Path) -> None:
    """Refuse to draw where the pictures themselves are.

    Raises:
        InputError: a drawing might take the place of a picture.
    """
    if any(Path(image).resolve().parent == folder.resolve() for image in dialogue.images):
        raise InputError(f"{folder} holds the pictures themselves; draw into another folder.")


def _format_entry(dialogue: Dialogue, picture: Path) -> str:
    turns_html = "".join(
        f"<p><b>{turn.role}</b> {html.escape(turn.text)}</p>" for turn in dialogue.turns
    )
    heading = f'<img src="{picture.name}" alt=""><h2>{html.escape(dialogue.id)}</h2>'
    return f"<div>{heading}{turns_html}</div>\n"


_HEAD = (
    "<!doctype html><html><meta charset=utf-8><title>converted dialogues</title><style>"
    "body{font:15px sans-serif;max-width:60em;margin:auto}div{border-top:1px solid #999;"
    "padding:1em 0;overflow:auto}img{max-width:45%;float:left;margin-right:1em}"
    "p{white-space:pre-wrap}h2{font-size:1em}</style>\n"
)
