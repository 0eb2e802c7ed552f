"""Points written as XML: an opening tag with coordinates, words, a closing tag.

    <point x="63.5" y="44.5" alt="the dog">the dog</point>
    <points x1="10.0" y1="20.5" x2="30" y2="40" alt="dogs">dogs</points>
    <points coords="1 1 073 160 2 173 600" alt="boats">boats</points>   Molmo2: a 0-1000 grid
    <points coords="1 1 073 160;2 2 173 600">boats</points>             on several pictures

The coordinates of Molmo2 begin with the number of the picture; then each point has its number, x
and y; ";" or a tab begins the next picture. Each point is one object. What stands between the tags
shows and is the phrase; where it is empty the phrase is `alt`, without a span.

Where the reply ends inside a tag, the points that are complete come out.
"""

import re
from abc import abstractmethod

from segue.dialects.parsing.markup import Phrase
from segue.dialects.parsing.places import meant_frame
from segue.dialects.parsing.reply import LIMIT, ReplyParser
from segue.values.frames import GRID_1000, AnyFrame

LONGEST = 8000
"""A tag with more characters is given up."""

_ATTRIBUTE = re.compile(r"([a-z]+[0-9]{0,4})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[0-9]{1,4}(?:\.[0-9]{1,9})?\s*", re.ASCII)
_PICTURES = re.compile(r"[;\t]")

Point = tuple[float, float, AnyFrame, int | None]
"""x, y, frame, number of the picture."""


class PointsReply(ReplyParser):
    """Reads `<point …>` and `<points …>`; `tokens` must hold them."""

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self._waiting: tuple[str, list[Point], str] | None = None  # tag, points, alt
        self._inside: list[str] = []
        self._length = 0

    @property
    @abstractmethod
    def points_frame(self) -> AnyFrame:
        """The frame of coordinates that are attributes of their own."""

    def stray(self, token: str) -> None:
        """Read a tag of points, or another token."""
        lower = token.lower()
        if lower.startswith("<point") and len(lower) > len("<points>"):
            self._open_points(token)
        elif lower in ("</point>", "</points>") and self._waiting is not None:
            self._end_points()
        else:
            super().stray(token)

    def _open_points(self, token: str) -> None:
        self._end_points(open_=True)
        points, alt, is_complete = _points(token, self.points_frame)
        if not points or not is_complete:
            self.malformed(token)
        if points:
            self._waiting = (token, points, alt)
            if token.rstrip(">").rstrip().endswith("/"):
                self._end_points()

    def show(self, text: str) -> None:
        """Words that show; those between the tags of points name them."""
        super().show(text)
        if self._waiting is not None:
            self._inside.append(text)
            self._length += len(text)

    def prose(self, text: str) -> None:
        """Words; too many of them name nothing."""
        while text and self._waiting is not None:
            head = text[: max(LIMIT - self._length, 0)]
            self.show(head)
            text = text[len(head) :]
            if self._length >= LIMIT:
                self._end_points(open_=True)
        if text:
            super().prose(text)

    def finish(self) -> None:
        """End the reply, maybe between the tags of points or inside one."""
        super().finish()
        self._end_points(open_=True, cut=True)

    def malformed(self, markup: str, cut: bool = False, reason: str = "") -> None:
        """Report markup without sense; of a tag that was cut, keep the points that are complete."""
        if cut and re.match(r"<points?\s", markup, re.IGNORECASE):
            points, _, _ = _points(markup, self.points_frame, cut=True)
            for x, y, frame, picture in points:
                self.spot(x, y, frame, Phrase("", self._position), picture)
        super().malformed(markup, cut, reason)

    def _end_points(self, open_: bool = False, cut: bool = False) -> None:
        """End the words of the points."""
        waiting, self._waiting = self._waiting, None
        words = "".join(self._inside)
        self._inside, self._length = [], 0
        if waiting is None:
            return
        tag, points, alt = waiting
        name = "" if open_ else words.strip()
        start = self._position - len(words.lstrip())
        phrase = Phrase(name, start)
        self.note_form("<point …>")
        for x, y, frame, picture in points:
            self.spot(x, y, frame, phrase, picture, alt)
        if open_:
            super().malformed(tag, cut)


def _points(tag: str, frame: AnyFrame, cut: bool = False) -> tuple[list[Point], str, bool]:
    """Return the points of an opening tag, its `alt`, and whether all of it made sense."""
    attributes = {
        name.lower(): quoted or unquoted for name, quoted, unquoted in _ATTRIBUTE.findall(tag)
    }
    alt = attributes.get("alt", "").strip()
    if "coords" in attributes:
        coordinates, is_complete = _coordinates(attributes["coords"])
        return coordinates, alt, is_complete
    if cut and (open_list := re.search(r"coords\s*=\s*[\"']([0-9.\s;]*)$", tag, re.IGNORECASE)):
        complete = re.sub(r"[0-9.]+$", "", open_list.group(1))
        return _coordinates(complete)[0], alt, False
    points: list[Point] = []
    is_complete = True
    for name, value in attributes.items():
        if name[0] != "x" or (not name[1:].isdigit() and name != "x"):
            continue
        across, down = value, attributes.get("y" + name[1:], "")
        if _NUMBER.fullmatch(across) and _NUMBER.fullmatch(down):
            x, y = float(across), float(down)
            points.append((x, y, meant_frame((x, y), frame), None))
        else:
            is_complete = False
    return points, alt, is_complete


def _coordinates(text: str) -> tuple[list[Point], bool]:
    """Read "1 1 073 160 2 173 600": a picture, then number, x and y of each point."""
    points: list[Point] = []
    is_complete = True
    groups = [group.split() for group in _PICTURES.split(text) if group.strip()]
    for group in groups:
        numbers = [float(number) for number in group if _NUMBER.fullmatch(number)]
        is_complete = is_complete and len(numbers) == len(group) and len(numbers) % 3 == 1
        if len(numbers) != len(group):
            continue
        picture = int(numbers[0]) if len(groups) > 1 else None
        for at in range(1, len(numbers) - 2, 3):
            points.append((numbers[at + 1], numbers[at + 2], GRID_1000, picture))
    return points, is_complete
