"""Looking at a converted file before money is spent on training: rules, counts, pictures."""

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from segue.box import Size
from segue.convert.dataset import read
from segue.convert.dialogue import Dialogue, Turn, has_markup
from segue.dialects import DIALECTS, Dialect, Event, Malformed, Pointed
from segue.draw import draw_regions
from segue.errors import InputError
from segue.image import Image
from segue.region import Region

LISTED = 20
"""Problems that are spelt out; all are counted."""
_GRID = Size(1000, 1000)


@dataclass(slots=True)
class Findings:
    """What `check` found."""

    dialogues: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    phrases: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    """"id: problem", the first few."""
    drawn: list[Path] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        return self.dialogues > 0 and not self.problems


def check(
    path: Path, *, draw_to: Path | None = None, draw: int = 16, format_name: str | None = None
) -> Findings:
    """Check every dialogue of a file; draw the first ones with boxes.

    Args:
        path: a file of any format that `segue convert` writes.
        draw_to: a folder for pictures with their boxes, and `index.html`.
        draw: how many.
        format_name: None: found out.

    Raises:
        InputError: the file cannot be read.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    findings = Findings()
    ids: set[int] = set()
    for dialogue in read(path, format_name):
        findings.dialogues += 1
        findings.kinds[dialogue.kind] += 1
        findings.languages[dialogue.language] += 1
        findings.phrases.update(p for turn in dialogue.turns for p in turn.phrases)
        problems = list(problems_of(dialogue))
        if hash(dialogue.id) in ids:
            problems.append("id is not unique")
        ids.add(hash(dialogue.id))
        for problem in problems:
            findings.problems[problem.partition(":")[0]] += 1
            if len(findings.examples) < LISTED:
                findings.examples.append(f"{dialogue.id}: {problem}")
        if draw_to is not None and len(findings.drawn) < draw and not problems:
            findings.drawn += _draw(dialogue, draw_to, len(findings.drawn) + 1)
    if draw_to is not None and findings.drawn:
        _close_page(draw_to)
    return findings


def problems_of(dialogue: Dialogue) -> Iterator[str]:
    """What is wrong with a dialogue, each as "what: detail"."""
    roles = [turn.role for turn in dialogue.turns if turn.role != "system"]
    if not roles or roles[0] != "user":
        yield "does not begin with a question"
    if not roles or roles[-1] != "assistant":
        yield "does not end with an answer"
    for before, after in pairwise(roles):
        if after not in _MAY_FOLLOW[before]:
            yield f"turns out of order: {after} after {before}"
    for turn in dialogue.turns:
        if not turn.text.strip():
            yield f"empty turn: {turn.role}"
        if turn.role == "assistant":
            yield from _markup_problems(turn)
        elif has_markup(turn.text):
            yield f"markup in what should be plain: {turn.text[:60]!r}"
    for image in dialogue.images:
        if not Path(image).is_file():
            yield f"picture not found: {image}"
        elif not opens(image):
            yield f"picture does not open: {image}"


_MAY_FOLLOW = {
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant",),
}


def _events(turn: Turn) -> list[Event]:
    reader: Dialect = DIALECTS.load("qwen_vl")
    return list(reader.read([turn.text]))


def _markup_problems(turn: Turn) -> Iterator[str]:
    for event in _events(turn):
        if isinstance(event, Malformed):
            yield f"markup that cannot be read: {event.text[:60]!r}"
        if isinstance(event, Pointed):
            box = event.box
            numbers = (box.xa, box.ya, box.xb, box.yb)
            if not all(0 <= value <= 1000 for value in numbers):
                yield f"box off the grid: {numbers}"
            if box.xa > box.xb or box.ya > box.yb:
                yield f"corners in the wrong order: {numbers}"


def opens(image: str) -> bool:
    """Whether a picture's header can be read; its pixels are not decoded."""
    import PIL.Image

    try:
        with PIL.Image.open(image):
            return True
    except (OSError, SyntaxError, ValueError):
        return False


def _draw(dialogue: Dialogue, folder: Path, number: int) -> list[Path]:
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
    pointed = [
        event
        for turn in dialogue.turns
        if turn.role == "assistant"
        for event in _events(turn)
        if isinstance(event, Pointed)
    ]
    regions = [
        Region(f"r{n}", event.phrase, event.box.to_box(picture.size), "chat")
        for n, event in enumerate(pointed, 1)
    ]
    target = folder / f"{number:03d}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draw_regions(picture, regions).save(target)
        _add_to_page(dialogue, target, first=number == 1)
    except OSError as error:
        raise InputError(f"Cannot draw into {folder}: {error.strerror or error}.") from error
    return [target]


def _add_to_page(dialogue: Dialogue, picture: Path, *, first: bool) -> None:
    said = "".join(f"<p><b>{turn.role}</b> {html.escape(turn.text)}</p>" for turn in dialogue.turns)
    with (picture.parent / "index.html").open("w" if first else "a", encoding="utf-8") as page:
        if first:
            page.write(_HEAD)
        page.write(f'<div><img src="{picture.name}" alt=""><h2>{html.escape(dialogue.id)}</h2>')
        page.write(f"{said}</div>\n")


_HEAD = (
    "<!doctype html><html><meta charset=utf-8><title>converted dialogues</title><style>"
    "body{font:15px sans-serif;max-width:60em;margin:auto}div{border-top:1px solid #999;"
    "padding:1em 0;overflow:auto}img{max-width:45%;float:left;margin-right:1em}"
    "p{white-space:pre-wrap}h2{font-size:1em}</style>\n"
)


def _close_page(folder: Path) -> None:
    with (folder / "index.html").open("a", encoding="utf-8") as page:
        page.write("</html>\n")
