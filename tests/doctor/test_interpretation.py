"""Which dialect and frame explain replies to questions with known answers."""

import json

import pytest

from segue.doctor.drawings import counting_drawing, grounding_drawings, two_pictures
from segue.doctor.interpretation import GroundingProbe, best_interpretation
from segue.values.box import Size
from segue.values.frames import FRACTIONS, GRID_1000, SEEN_PIXELS, Frame, FramedBox


def replies(frame_of, write) -> list[GroundingProbe]:
    """Right answers in a frame, written by `write`; pictures are seen at three quarters."""
    probes = []
    for drawing in grounding_drawings():
        size = drawing.image.size
        seen = Size(size.height * 3 // 4, size.width * 3 // 4)
        for shape in drawing.shapes:
            box = FramedBox.of(shape.box, size, frame_of(size, seen))
            probes.append(GroundingProbe(drawing, shape, seen, write(box)))
    return probes


def as_json(box: FramedBox) -> str:
    return json.dumps([{"bbox_2d": [box.xa, box.ya, box.xb, box.yb], "label": "it"}])


@pytest.mark.parametrize(("frame_of", "frame"), [
    (lambda size, seen: GRID_1000, GRID_1000),
    (lambda size, seen: FRACTIONS, FRACTIONS),
    (lambda size, seen: Frame(100, 100), Frame(100, 100)),
    (lambda size, seen: Frame(seen.width, seen.height), SEEN_PIXELS),
])  # fmt: skip
def test_the_frame_is_the_one_in_which_boxes_are_right(frame_of, frame) -> None:
    interpretation = best_interpretation(replies(frame_of, as_json), "qwen3_vl")
    assert interpretation is not None
    assert interpretation.is_accepted
    assert interpretation.frame == frame


def test_a_frame_of_no_known_kind_means_resized_pictures() -> None:
    interpretation = best_interpretation(
        replies(lambda size, seen: Frame(size.width / 5, size.height / 5), as_json), "qwen2_5_vl"
    )
    assert interpretation is not None
    assert interpretation.fitted_sizes == (Size(112, 179), Size(269, 134))


def test_words_are_no_boxes() -> None:
    assert (
        best_interpretation(replies(lambda *_: GRID_1000, lambda box: "There it is."), "x") is None
    )


def test_boxes_elsewhere_fit_nothing() -> None:
    write = lambda box: '[{"bbox_2d": [900, 900, 960, 950], "label": "it"}]'  # noqa: E731
    interpretation = best_interpretation(replies(lambda *_: GRID_1000, write), "qwen3_vl")
    assert interpretation is not None
    assert not interpretation.is_accepted


def test_the_drawings_are_what_they_say() -> None:
    for drawing in (*grounding_drawings(), *two_pictures(), counting_drawing()):
        ground = drawing.image.array[0, 0]
        inked = (drawing.image.array != ground).any(2)
        for shape in drawing.shapes:
            x0, y0, x1, y1 = (round(value) for value in shape.box.corners)
            inside = inked[y0:y1, x0:x1]
            assert inside.any(0).all()
            assert inside.any(1).all()
            inked[y0:y1, x0:x1] = False
        assert not inked.any()
