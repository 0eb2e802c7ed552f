"""Which dialect and which frame make sense of replies whose right answers are known."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.dialects import DIALECTS, BoxMention, Dialect, PointMention, Remark, drop_retracted
from segue.doctor.drawings import Drawing, Shape
from segue.values.box import Box, Size
from segue.values.frames import (
    FRACTIONS,
    GRID_1000,
    SEEN_PIXELS,
    AnyFrame,
    EitherFrame,
    Frame,
    FramedBox,
    FramedPoint,
    SeenPixels,
)

FITS = 0.5
"""From this mean IoU on a reading counts as right."""
BETTER = 0.1
"""A frame that was fitted must be so much better than one that was stated."""
_FRAMES: tuple[Frame | SeenPixels, ...] = (GRID_1000, FRACTIONS, Frame(100, 100), SEEN_PIXELS)

Mark = FramedBox | FramedPoint


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about one shape, and the reply."""

    drawing: Drawing
    shape: Shape
    seen: Size
    """The size at which the picture was sent."""
    reply: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand the replies."""

    dialect: str
    frame: AnyFrame | None
    """None: one per picture, fitted to the truth: the picture was resized on the way."""
    own_frame: bool
    """The frame is the one that the dialect states."""
    own_form: bool
    """The replies are written in a form that the family usually writes."""
    score: float
    """Mean IoU with the truth, in [0, 1]; points count 1 on their shape and 0 beside it."""
    resized: tuple[Size, ...] = ()
    """The fitted frames, one for each drawing."""
    boxes: tuple[Box | None, ...] = ()
    """What was read, one for each question."""

    @property
    def fits(self) -> bool:
        return self.score >= FITS


def best_reading(asked: Sequence[Asked], preferred: str) -> Reading | None:
    """The reading that fits best; None when no dialect finds a box or point in any reply.

    Args:
        asked: replies with their truth.
        preferred: the dialect that counts when several fit equally well.
    """
    names = sorted((n for n in DIALECTS if n != "auto"), key=lambda name: name != preferred)
    stated: list[Reading] = []
    fitted: list[Reading] = []
    for name in names:
        marked = [_marks(name, one.reply) for one in asked]
        marks, usual = [found for found, _ in marked], all(own for _, own in marked)
        if not any(marks):
            continue
        own = next(mark[0].frame for mark in marks if mark)
        others = [frame for frame in _FRAMES if frame != own]
        frames = others if isinstance(own, EitherFrame) else [own, *others]
        stated += [_read(name, frame, asked, marks, own, usual) for frame in frames]
        if (free := _fitted(name, asked, marks)) is not None:
            fitted.append(free)
    if not stated:
        return None
    best = max(stated, key=lambda one: (round(one.score, 2), one.own_frame, one.own_form))
    free = max(fitted, key=lambda reading: round(reading.score, 2), default=None)
    if free is not None and free.fits and free.score > best.score + BETTER:
        return free
    return best


def _marks(name: str, reply: str) -> tuple[list[Mark], bool]:
    """The places of a reply, and whether they are written as the dialect's family does."""
    dialect: Dialect = DIALECTS.load(name)
    found: list[Mark] = []
    usual = True
    for event in drop_retracted(dialect.read([reply], grounded=True)):
        if isinstance(event, BoxMention):
            found.append(event.box)
        elif isinstance(event, PointMention):
            found.append(event.point)
        elif isinstance(event, Remark):
            usual = False
    return found, usual


def _read(
    name: str,
    frame: AnyFrame,
    asked: Sequence[Asked],
    marks: Sequence[list[Mark]],
    own: AnyFrame,
    usual: bool,
) -> Reading:
    pairs = [_nearest(one, found, frame) for one, found in zip(asked, marks, strict=True)]
    score = sum(score for score, _ in pairs) / len(pairs)
    boxes = tuple(box for _, box in pairs)
    return Reading(name, frame, frame == own, usual, score, boxes=boxes)


def _nearest(asked: Asked, marks: Sequence[Mark], frame: AnyFrame) -> tuple[float, Box | None]:
    """The mark that fits the shape best, and how well."""
    size, best, score = asked.drawing.image.size, None, 0.0
    for mark in marks:
        if isinstance(mark, FramedPoint):
            x, y = FramedPoint(mark.x, mark.y, frame).to_point(size, asked.seen)
            box = Box(x, y, x + 1, y + 1)
            fit = float(box.iou(asked.shape.box) > 0)
        else:
            box = FramedBox(mark.xa, mark.ya, mark.xb, mark.yb, frame).to_box(size, asked.seen)
            fit = box.iou(asked.shape.box)
        if best is None or fit > score:
            best, score = box, fit
    return score, best


def _fitted(name: str, asked: Sequence[Asked], marks: Sequence[list[Mark]]) -> Reading | None:
    """The frame that each drawing's first boxes would be in, by least squares."""
    frames: dict[str, Frame] = {}
    for drawing in {one.drawing.name: one.drawing for one in asked}.values():
        pairs = [
            (found[0], one.shape.box)
            for one, found in zip(asked, marks, strict=True)
            if one.drawing is drawing and found and isinstance(found[0], FramedBox)
        ]
        frame = _scaled(drawing.image.size, pairs)
        if frame is None:
            return None
        frames[drawing.name] = frame
    scores, boxes = [], []
    for one, found in zip(asked, marks, strict=True):
        score, box = _nearest(one, found[:1], frames[one.drawing.name])
        scores.append(score)
        boxes.append(box)
    sizes = tuple(Size(round(f.height), round(f.width)) for f in frames.values())
    return Reading(name, None, False, True, sum(scores) / len(scores), sizes, tuple(boxes))


def _scaled(size: Size, pairs: Sequence[tuple[Mark, Box]]) -> Frame | None:
    """The frame in which the written numbers are the true corners, as nearly as can be."""
    if len(pairs) < 2:  # a single box can be scaled onto anything
        return None
    across = down = 0.0
    truth_x = truth_y = 0.0
    for mark, box in pairs:
        assert isinstance(mark, FramedBox)
        written = Box.spanning(mark.xa, mark.ya, mark.xb, mark.yb)
        across += written.x0 * box.x0 + written.x1 * box.x1
        down += written.y0 * box.y0 + written.y1 * box.y1
        truth_x += box.x0**2 + box.x1**2
        truth_y += box.y0**2 + box.y1**2
    width, height = size.width * across / truth_x, size.height * down / truth_y
    return Frame(width, height) if width >= 2 and height >= 2 else None
