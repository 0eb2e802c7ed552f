"""Places inside a tag: corners, lists of numbers, single points.

A `ReadPlaces` gets what stands inside a tag, and whether the tag is closed. It returns the places
that are complete, and the text that is left: None when nothing of interest is.

What is tolerated: spaces, floats, signs, full-width marks, corners in any order, square brackets or
none, `<12><30>…` of models whose numbers are tokens, numbers off the grid (whoever knows the
picture clips them), several places inside one tag, a point where a box was meant.

Two things are never guessed: numbers that are all fractions are fractions, whatever frame their
family speaks (`meant_frame`); and a box smaller than one step of its frame is none (`flaw`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from segue.values.box import Size
from segue.values.frames import (
    FRACTIONS,
    GRID_1000,
    SEEN_PIXELS,
    AnyFrame,
    EitherFrame,
    Frame,
    FramedBox,
    FramedPoint,
)

Corner = tuple[float, float]
BoxPlace = tuple[FramedBox, tuple[Corner, ...] | None]
"""A box, with its four corners when it was given as a quadrilateral."""
Place = BoxPlace | FramedPoint
ReadPlaces = Callable[[str, bool], tuple[list[Place], str | None]]
Kind = Literal["box", "quad", "point"]
"""What a tag is meant to hold."""

NUMBER = re.compile(r"[-+]?(?:[0-9]{1,6}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})", re.ASCII)
FEWEST_STEPS = 100
"""Frames with fewer steps (cells, percent) may hold fractions of a step."""
THINNEST = 0.0005
"""In fractions of the picture no box is thinner than this."""
_COORDINATES = re.compile(r"[\s\d()\[\].,;+\-（）［］，．；、－＋]*")
_NUMBER_TOKENS = re.compile(r"(?:\s*<\s*[0-9]{1,4}\s*>[\s,;]*)+", re.ASCII)
_ASCII_PUNCTUATION = str.maketrans("（）［］[]，；、;．－＋<>", "()()(),,,,.-+  ")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_SEPARATORS = re.compile(r"[\s,，\[\]]*")
_UNIT = Size(1000, 1000)


def meant_frame(numbers: Sequence[float], frame: AnyFrame) -> AnyFrame:
    """Return the frame of these numbers: fractions are fractions in every dialect.

    Args:
        numbers: of one place.
        frame: that the family speaks.

    >>> str(meant_frame([0.1, 0.2, 0.5, 1], GRID_1000)), str(meant_frame([0, 1, 1, 1], GRID_1000))
    ('fractions 0-1', 'a grid 0-1000')
    """
    if frame == FRACTIONS and max(numbers) > 2:
        return EitherFrame((GRID_1000, SEEN_PIXELS))
    if isinstance(frame, Frame) and frame.width <= FEWEST_STEPS:
        return frame
    small = all(-0.5 <= number <= 1.5 for number in numbers)  # some reach beyond the picture
    return FRACTIONS if small and any(number % 1 for number in numbers) else frame


def flaw(box: FramedBox) -> str | None:
    """Why these corners make no box, as far as can be told without knowing the picture.

    Returns:
        None for a box; "" where it is plain to see: no area, or all of it outside the picture.

    >>> flaw(FramedBox(10, 10, 10, 90)), flaw(FramedBox(900, 900, 2000, 2000))
    ('', None)
    >>> flaw(FramedBox(0.4, 1.5, 0.8, 9))
    'it is smaller than one step of a grid 0-1000'
    """
    right, bottom = max(box.xa, box.xb), max(box.ya, box.yb)
    width, height = abs(box.xa - box.xb), abs(box.ya - box.yb)
    if not (width > 0 and height > 0) or right <= 0 or bottom <= 0:
        return ""
    min_side = 1.0
    if isinstance(box.frame, Frame):
        if box.to_box(_UNIT).is_empty:
            return ""
        if box.frame.width <= FEWEST_STEPS:
            min_side = THINNEST if box.frame.width <= 1 else 0.0
    if min_side == 1.0 and max(right, bottom) <= 1:
        return f"it may be in fractions of the picture or on {box.frame}"
    return f"it is smaller than one step of {box.frame}" if min(width, height) < min_side else None


def sensible(box: FramedBox) -> bool:
    """Return whether it covers an area of the picture that is large enough to be meant.

    >>> sensible(FramedBox(10, 10, 10, 90)), sensible(FramedBox(900, 900, 2000, 2000))
    (False, True)
    """
    return flaw(box) is None


def flaw_inside(inside: str, frame: AnyFrame) -> str:
    """Why what stands in a tag is no place, where it is worth a sentence; else "".

    >>> flaw_inside("(0.4,1.5),(0.8,9)", GRID_1000)
    'it is smaller than one step of a grid 0-1000'
    """
    for part in [match.group(1) for match in _LIST.finditer(inside)] or [inside]:
        points = _corners(part)
        if len(points) == 2 and (reason := flaw(around(points, frame))):
            return reason
    return ""


def corners(kind: Kind, frame: AnyFrame = GRID_1000) -> ReadPlaces:
    """Read "(1,2),(3,4)" and looser forms, once the tag is closed.

    Args:
        kind: of the tag. Two corners make a box, four a quadrilateral where the tag holds these;
            a single corner is a point.
        frame: that the numbers are in.
    """
    n_corners = {"box": 2, "quad": 4, "point": 1}[kind]

    def read(inside: str, is_closed: bool) -> tuple[list[Place], str | None]:
        if not is_closed:
            return [], inside
        points = _corners(inside)
        size = 2 if kind == "quad" and len(points) == 2 else n_corners
        size = 1 if len(points) == 1 and inside.count("(") == inside.count(")") else size
        if not points or len(points) % size:
            return [], inside
        places = [_place(points[at : at + size], frame) for at in range(0, len(points), size)]
        good = [place for place in places if place is not None]
        return (good, None) if len(good) == len(places) else ([], inside)

    return read


def lists(kind: Kind = "box", frame: AnyFrame = GRID_1000) -> ReadPlaces:
    """Read "[[1, 2, 3, 4], [5, 6, 7, 8]]", each list as soon as it closes; else as `corners`."""
    pairs = corners(kind, frame)

    def read(inside: str, is_closed: bool) -> tuple[list[Place], str | None]:
        if "[" not in inside:
            return pairs(inside, is_closed)
        if is_closed and (joined := _join_parts(inside, kind, frame)) is not None:
            return [joined], None
        places: list[Place] = []
        unread, at = [], 0
        for match in _LIST.finditer(inside):
            found = _corners(match.group(1))
            place = _place(found, frame) if len(found) in (1, 2, 4) else None
            is_separator = _SEPARATORS.fullmatch(inside, at, match.start()) is not None
            if place is not None and (is_closed or (is_separator and len(found) == 2)):
                places.append(place)
            elif not is_closed:
                break  # what is odd, or a point, and all behind it, waits for the end
            if not is_separator:
                unread.append(inside[at : match.start()])
            if place is None:
                unread.append(match.group())
            at = match.end()
        if not is_closed:
            return places, inside[at:]
        unread += [] if _SEPARATORS.fullmatch(inside, at) else [inside[at:]]
        return places, "".join(unread) if unread else None

    return read


def _join_parts(inside: str, kind: Kind, frame: AnyFrame) -> Place | None:
    """Corners as lists of two: "[[1, 2], [3, 4]]" is one box, four of them a quadrilateral."""
    parts = [match.group(1) for match in _LIST.finditer(inside)]
    points = [corner for part in parts for corner in _corners(part)]
    single = all(len(_corners(part)) == 1 for part in parts)
    counts = {"box": (2,), "quad": (2, 4), "point": ()}[kind]
    if not single or len(parts) not in counts:
        return None
    return _place(points, frame) if _SEPARATORS.fullmatch(_LIST.sub("", inside)) else None


def _place(points: Sequence[Corner], frame: AnyFrame) -> Place | None:
    """One corner is a point, two make a box, four a quadrilateral."""
    frame = meant_frame([value for corner in points for value in corner], frame)
    if len(points) == 1:
        return FramedPoint(*points[0], frame)
    box = around(points, frame)
    return (box, tuple(points) if len(points) == 4 else None) if sensible(box) else None


def around(points: Sequence[Corner], frame: AnyFrame) -> FramedBox:
    """Two corners as they were written; of more corners the rectangle around them."""
    if len(points) == 2:
        (xa, ya), (xb, yb) = points
        return FramedBox(xa, ya, xb, yb, frame)
    across, down = [x for x, _ in points], [y for _, y in points]
    return FramedBox(min(across), min(down), max(across), max(down), frame)


def _corners(inside: str) -> list[Corner]:
    """Read "(1,2),(3,4)" and its looser forms; empty when it is not a row of points."""
    if not _COORDINATES.fullmatch(inside) and not _NUMBER_TOKENS.fullmatch(inside):
        return []
    points: list[Corner] = []
    for group in re.split(r"[()]+", inside.translate(_ASCII_PUNCTUATION)):
        numbers = re.split(r"[,\s]+", group.strip(" ,\t\r\n")) if group.strip(" ,\t\r\n") else []
        if len(numbers) % 2 or not all(NUMBER.fullmatch(number) for number in numbers):
            return []
        values = [float(number) for number in numbers]
        points += zip(values[::2], values[1::2], strict=True)
    return points
