"""Places inside a tag: pairs of corners, or lists of four numbers.

A `ReadPlaces` gets what stands inside a tag, and whether the tag is closed. It returns the places
that are complete, and the text that is left: None when nothing of interest is.

What is tolerated: spaces, floats, signs, full-width marks, corners in any order, square brackets or
none, numbers off the grid (whoever knows the picture clips them), several places inside one tag.
"""

import re
from collections.abc import Callable, Sequence

from segue.box import GRID_1000, AnyFrame, Frame, FramedBox, Size

Corner = tuple[float, float]
Place = tuple[FramedBox, tuple[Corner, ...] | None]
"""A box, with its four corners when it was given as a quadrilateral."""
ReadPlaces = Callable[[str, bool], tuple[list[Place], str | None]]

NUMBER = re.compile(r"[-+]?[0-9]{1,6}(?:\.[0-9]{1,20})?", re.ASCII)
_COORDINATES = re.compile(r"[\s\d()\[\].,;+\-（）［］，．；、－＋]*")
_PLAIN = str.maketrans("（）［］[]，；、;．－＋", "()()(),,,,.-+")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_LEFT = re.compile(r"[\s,，\[\]]*")
_UNIT = Size(1000, 1000)


def sensible(box: FramedBox) -> bool:
    """It covers an area of the picture, as far as can be told without knowing the picture.

    >>> sensible(FramedBox(10, 10, 10, 90)), sensible(FramedBox(900, 900, 2000, 2000))
    (False, True)
    """
    if isinstance(box.frame, Frame):
        return not box.to_box(_UNIT).is_empty
    right, bottom = max(box.xa, box.xb), max(box.ya, box.yb)
    return box.xa != box.xb and box.ya != box.yb and right > 0 and bottom > 0


def corners(each: int, frame: AnyFrame = GRID_1000) -> ReadPlaces:
    """Read "(1,2),(3,4)" and looser forms, once the tag is closed.

    Args:
        each: corners of a place: 2 make a box, 4 a quadrilateral.
        frame: that the numbers are in.
    """

    def read(inside: str, closed: bool) -> tuple[list[Place], str | None]:
        if not closed:
            return [], inside
        found = _corners(inside)
        if not found or len(found) % each:
            return [], inside
        places: list[Place] = []
        for at in range(0, len(found), each):
            group = tuple(found[at : at + each])
            box = around(group, frame)
            if not sensible(box):
                return [], inside
            places.append((box, group if each == 4 else None))
        return places, None

    return read


def lists(frame: Frame = GRID_1000) -> ReadPlaces:
    """Read "[[1, 2, 3, 4], [5, 6, 7, 8]]", each list as soon as it closes; else as `corners`."""
    pairs = corners(2, frame)

    def read(inside: str, closed: bool) -> tuple[list[Place], str | None]:
        if "[" not in inside:
            return pairs(inside, closed)
        places: list[Place] = []
        odd, at = [], 0
        for match in _LIST.finditer(inside):
            found = _corners(match.group(1))
            box = around(found, frame) if len(found) == 2 else None
            plain = _LEFT.fullmatch(inside, at, match.start()) is not None
            if box is not None and sensible(box) and (closed or plain):
                places.append((box, None))
            elif not closed:
                break  # what is odd, and all behind it, waits for the end
            if not plain:
                odd.append(inside[at : match.start()])
            if box is None or not sensible(box):
                odd.append(match.group())
            at = match.end()
        if not closed:
            return places, inside[at:]
        odd += [] if _LEFT.fullmatch(inside, at) else [inside[at:]]
        return places, "".join(odd) if odd else None

    return read


def around(found: Sequence[Corner], frame: AnyFrame) -> FramedBox:
    """Two corners as they were written; of more corners the rectangle around them."""
    if len(found) == 2:
        (xa, ya), (xb, yb) = found
        return FramedBox(xa, ya, xb, yb, frame)
    across, down = [x for x, _ in found], [y for _, y in found]
    return FramedBox(min(across), min(down), max(across), max(down), frame)


def _corners(inside: str) -> list[Corner]:
    """Read "(1,2),(3,4)" and its looser forms; empty when it is not a row of points."""
    if not _COORDINATES.fullmatch(inside):
        return []
    found: list[Corner] = []
    for group in re.split(r"[()]+", inside.translate(_PLAIN)):
        numbers = re.split(r"[,\s]+", group.strip(" ,\t\r\n")) if group.strip(" ,\t\r\n") else []
        if len(numbers) % 2 or not all(NUMBER.fullmatch(number) for number in numbers):
            return []
        values = [float(number) for number in numbers]
        found += zip(values[::2], values[1::2], strict=True)
    return found
