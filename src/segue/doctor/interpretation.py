"""Which dialect and coordinate frame explain replies to questions with known answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.dialects import DIALECTS, BoxMention, Dialect, PointMention, Remark, drop_retracted
from segue.doctor.drawings import Drawing, DrawnShape
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

MIN_MEAN_IOU = 0.5
"""From this mean IoU on an interpretation is accepted."""
FIT_MARGIN = 0.1
"""By how much a fitted frame must beat one that dialects state."""
_COMMON_FRAMES: tuple[Frame | SeenPixels, ...] = (
    GRID_1000,
    FRACTIONS,
    Frame(100, 100),
    SEEN_PIXELS,
)

Mark = FramedBox | FramedPoint


@dataclass(frozen=True, slots=True)
class GroundingProbe:
    """A question about one shape, and the reply."""

    drawing: Drawing
    shape: DrawnShape
    sent_size: Size
    """The size at which the picture was sent."""
    reply: str


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A dialect and frame in which the replies are read."""

    dialect: str
    frame: AnyFrame | None
    """None: fitted to the truth, one per picture, since pictures are resized on the way."""
    is_dialect_frame: bool
    """Whether the frame is the one that the dialect states."""
    is_usual_form: bool
    """Whether the replies have the usual form of the dialect's family."""
    score: float
    """Mean IoU with the truth, in [0, 1]; a point counts 1 on its shape, else 0."""
    fitted_sizes: tuple[Size, ...] = ()
    """The fitted frames, one per drawing."""
    boxes: tuple[Box | None, ...] = ()
    """The predicted boxes, one per probe."""

    @property
    def is_accepted(self) -> bool:
        """Whether the boxes are where the shapes are."""
        return self.score >= MIN_MEAN_IOU


def best_interpretation(
    probes: Sequence[GroundingProbe], preferred_dialect: str
) -> Interpretation | None:
    """Return the best interpretation; None when no dialect finds a box or point in any reply.

    Args:
        probes: replies with their truth.
        preferred_dialect: the dialect that counts when several are equally good.
    """
    dialects = sorted(
        (name for name in DIALECTS if name != "auto"), key=lambda name: name != preferred_dialect
    )
    candidates: list[Interpretation] = []
    fitted_candidates: list[Interpretation] = []
    for dialect in dialects:
        readings = [_read_marks(dialect, probe.reply) for probe in probes]
        marks = [reply_marks for reply_marks, _ in readings]
        is_usual_form = all(is_usual for _, is_usual in readings)
        if not any(marks):
            continue
        dialect_frame = next(reply_marks[0].frame for reply_marks in marks if reply_marks)
        frames: list[AnyFrame] = [frame for frame in _COMMON_FRAMES if frame != dialect_frame]
        if not isinstance(dialect_frame, EitherFrame):
            frames.insert(0, dialect_frame)
        candidates += [
            _interpret(dialect, frame, probes, marks, dialect_frame, is_usual_form)
            for frame in frames
        ]
        if (fitted := _fit_frames(dialect, probes, marks)) is not None:
            fitted_candidates.append(fitted)
    if not candidates:
        return None
    best = max(
        candidates,
        key=lambda candidate: (
            round(candidate.score, 2),
            candidate.is_dialect_frame,
            candidate.is_usual_form,
        ),
    )
    best_fitted = max(
        fitted_candidates, key=lambda candidate: round(candidate.score, 2), default=None
    )
    if (
        best_fitted is not None
        and best_fitted.is_accepted
        and best_fitted.score > best.score + FIT_MARGIN
    ):
        return best_fitted
    return best


def _read_marks(dialect: str, reply: str) -> tuple[list[Mark], bool]:
    """Return the boxes and points of a reply, and whether it has the usual form of the family."""
    reader: Dialect = DIALECTS.load(dialect)
    marks: list[Mark] = []
    is_usual_form = True
    for event in drop_retracted(reader.read([reply], grounded=True)):
        if isinstance(event, BoxMention):
            marks.append(event.box)
        elif isinstance(event, PointMention):
            marks.append(event.point)
        elif isinstance(event, Remark):
            is_usual_form = False
    return marks, is_usual_form


def _interpret(
    dialect: str,
    frame: AnyFrame,
    probes: Sequence[GroundingProbe],
    marks: Sequence[list[Mark]],
    dialect_frame: AnyFrame,
    is_usual_form: bool,
) -> Interpretation:
    matches = [
        _best_match(probe, reply_marks, frame)
        for probe, reply_marks in zip(probes, marks, strict=True)
    ]
    score = sum(iou for iou, _ in matches) / len(matches)
    boxes = tuple(box for _, box in matches)
    return Interpretation(dialect, frame, frame == dialect_frame, is_usual_form, score, boxes=boxes)


def _best_match(
    probe: GroundingProbe, marks: Sequence[Mark], frame: AnyFrame
) -> tuple[float, Box | None]:
    """Return the IoU and the box of the mark that matches the shape best."""
    size, best_box, best_iou = probe.drawing.image.size, None, 0.0
    for mark in marks:
        if isinstance(mark, FramedPoint):
            x, y = FramedPoint(mark.x, mark.y, frame).to_point(size, probe.sent_size)
            box = Box(x, y, x + 1, y + 1)
            iou = float(box.iou(probe.shape.box) > 0)
        else:
            framed_box = FramedBox(mark.xa, mark.ya, mark.xb, mark.yb, frame)
            box = framed_box.to_box(size, probe.sent_size)
            iou = box.iou(probe.shape.box)
        if best_box is None or iou > best_iou:
            best_box, best_iou = box, iou
    return best_iou, best_box


def _fit_frames(
    dialect: str, probes: Sequence[GroundingProbe], marks: Sequence[list[Mark]]
) -> Interpretation | None:
    """Fit a frame to the first boxes of each drawing, by least squares."""
    frames: dict[str, Frame] = {}
    for drawing in {probe.drawing.name: probe.drawing for probe in probes}.values():
        pairs = [
            (reply_marks[0], probe.shape.box)
            for probe, reply_marks in zip(probes, marks, strict=True)
            if probe.drawing is drawing and reply_marks and isinstance(reply_marks[0], FramedBox)
        ]
        frame = _fit_frame(drawing.image.size, pairs)
        if frame is None:
            return None
        frames[drawing.name] = frame
    matches = [
        _best_match(probe, reply_marks[:1], frames[probe.drawing.name])
        for probe, reply_marks in zip(probes, marks, strict=True)
    ]
    score = sum(iou for iou, _ in matches) / len(matches)
    sizes = tuple(Size(round(frame.height), round(frame.width)) for frame in frames.values())
    boxes = tuple(box for _, box in matches)
    return Interpretation(dialect, None, False, True, score, sizes, boxes)


def _fit_frame(size: Size, pairs: Sequence[tuple[Mark, Box]]) -> Frame | None:
    """Return the frame in which the coordinates of the reply are closest to the true corners."""
    if len(pairs) < 2:  # a single box can be scaled onto anything
        return None
    product_x = product_y = 0.0
    truth_x = truth_y = 0.0
    for mark, box in pairs:
        assert isinstance(mark, FramedBox)
        reply_box = Box.spanning(mark.xa, mark.ya, mark.xb, mark.yb)
        product_x += reply_box.x0 * box.x0 + reply_box.x1 * box.x1
        product_y += reply_box.y0 * box.y0 + reply_box.y1 * box.y1
        truth_x += box.x0**2 + box.x1**2
        truth_y += box.y0**2 + box.y1**2
    width, height = size.width * product_x / truth_x, size.height * product_y / truth_y
    return Frame(width, height) if width >= 2 and height >= 2 else None
