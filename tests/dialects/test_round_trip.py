"""A known box, written as a family writes it, comes back; cuts keep what is complete."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialect_replies import read
from segue.assistant import Assistant
from segue.chat.resizing import Patches
from segue.chat.scripted import Scripted
from segue.dialects import DIALECTS, BoxMention, MalformedMarkup, PointMention
from segue.values.box import Box, Size
from segue.values.frames import FRACTIONS, GRID_1000, Frame, FramedBox, FramedPoint
from segue.values.image import Image

SEEN = Size(height=504, width=1008)
"""The size at which the chat model saw the picture, for those that speak in its pixels."""


def rounded(box: Box, size: Size, frame: Frame = GRID_1000) -> tuple[int, int, int, int]:
    """A box on a grid of whole numbers, at least one step wide and high."""
    framed = FramedBox.of(box, size, frame)
    x0, y0, x1, y1 = (round(v) for v in (framed.xa, framed.ya, framed.xb, framed.yb))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def items(form: str, frame: Frame = GRID_1000, y_first: bool = False) -> Callable[..., list[str]]:
    """A writer of one piece of markup for each box."""

    def write(boxes: list[Box], size: Size) -> list[str]:
        pieces = []
        for number, box in enumerate(boxes):
            x0, y0, x1, y1 = rounded(box, size, frame)
            a, b, c, d = (y0, x0, y1, x1) if y_first else (x0, y0, x1, y1)
            pieces.append(form.format(a=a, b=b, c=c, d=d, name=f"thing {number}"))
        return pieces

    return write


def florence(boxes: list[Box], size: Size) -> list[str]:
    pieces = []
    for number, box in enumerate(boxes):
        framed = FramedBox.of(box, size)
        steps = (min(999, int(v)) for v in (framed.xa, framed.ya, framed.xb, framed.yb))
        pieces.append(f"thing {number}" + "".join(f"<loc_{step}>" for step in steps))
    return pieces


def kosmos(boxes: list[Box], size: Size) -> list[str]:
    pieces = []
    for number, box in enumerate(boxes):
        framed = FramedBox.of(box, size, Frame(32, 32))
        x0, y0, x1, y1 = (min(31, int(v)) for v in (framed.xa, framed.ya, framed.xb, framed.yb))
        cells = f"<patch_index_{y0 * 32 + x0:04}><patch_index_{y1 * 32 + x1:04}>"
        pieces.append(f"<phrase>thing {number}</phrase><object>{cells}</object>")
    return pieces


def fractions(boxes: list[Box], size: Size) -> list[str]:
    pieces = []
    for box in boxes:
        framed = FramedBox.of(box, size, FRACTIONS)
        sides = {"x_min": framed.xa, "y_min": framed.ya, "x_max": framed.xb, "y_max": framed.yb}
        pieces.append(json.dumps({name: round(side, 6) for name, side in sides.items()}))
    return pieces


def molmo(boxes: list[Box], size: Size) -> list[str]:
    pieces = []
    for number, box in enumerate(boxes):
        point = FramedPoint.of(*box.centre, size, Frame(100, 100))
        name = f"thing {number}"
        pieces.append(f'<point x="{point.x:.1f}" y="{point.y:.1f}" alt="{name}">{name}</point>')
    return pieces


JSON = '{{"bbox_2d": [{a}, {b}, {c}, {d}], "label": "{name}"}}'
WRITERS: dict[str, tuple[Callable[..., list[str]], str, str, str, Frame]] = {
    "qwen_vl": (items("<ref>{name}</ref><box>({a},{b}),({c},{d})</box>"), "", " ", "", GRID_1000),
    "qwen2_vl": (
        items(
            "<|object_ref_start|>{name}<|object_ref_end|>"
            "<|box_start|>({a},{b}),({c},{d})<|box_end|>"
        ),
        *("", " ", "", GRID_1000),
    ),
    "qwen2_vl_stripped": (items("{name}({a},{b}),({c},{d})"), "", ", ", "", GRID_1000),
    "qwen2_5_vl": (
        items(JSON, Frame(SEEN.width, SEEN.height)),
        *("```json\n[", ", ", "]\n```", Frame(SEEN.width, SEEN.height)),
    ),
    "qwen3_vl": (items(JSON), "```json\n[", ",\n", "]\n```", GRID_1000),
    "internvl": (
        items("<ref>{name}</ref><box>[[{a}, {b}, {c}, {d}]]</box>"),
        *("", "\n", "", GRID_1000),
    ),
    "glm_v": (items("[{a},{b},{c},{d}]"), "<|begin_of_box|>[", ",", "]<|end_of_box|>", GRID_1000),
    "deepseek_vl2": (
        items("<|ref|>{name}<|/ref|><|det|>[[{a}, {b}, {c}, {d}]]<|/det|>", Frame(999, 999)),
        *("", "\n", "", Frame(999, 999)),
    ),
    "paligemma": (
        items(
            "<loc{a:04}><loc{b:04}><loc{c:04}><loc{d:04}> {name}", Frame(1024, 1024), y_first=True
        ),
        *("", " ; ", "", Frame(1024, 1024)),
    ),
    "florence2": (florence, "", "", "", GRID_1000),
    "kosmos2": (kosmos, "", " and ", "", Frame(32, 32)),
    "molmo": (molmo, "", " ", "", Frame(1000, 1000)),
    "gemini": (
        items('{{"box_2d": [{a}, {b}, {c}, {d}], "label": "{name}"}}', y_first=True),
        *("[", ", ", "]", GRID_1000),
    ),
    "moondream": (fractions, '{"objects": [', ", ", "]}", Frame(1_000_000, 1_000_000)),
}
"""Family -> writer of the pieces, what stands before, between and behind them, its steps."""


def written(dialect: str, boxes: list[Box], size: Size) -> str:
    write, before, between, behind, _ = WRITERS[dialect]
    return before + between.join(write(boxes, size)) + behind


def places(dialect: str, reply: str) -> list[Any]:
    return [e for e in read(dialect, [reply]) if isinstance(e, BoxMention | PointMention)]


def distance(place: Any, box: Box, size: Size) -> tuple[float, float]:
    """How far, in x and y, a place lies from a box of a picture of `size`."""
    if isinstance(place, PointMention):
        x, y = place.point.to_point(size, SEEN)
        return abs(x - box.centre[0]), abs(y - box.centre[1])
    found = place.box.to_box(size, SEEN)
    x = max(abs(found.x0 - box.x0), abs(found.x1 - box.x1))
    y = max(abs(found.y0 - box.y0), abs(found.y1 - box.y1))
    return x, y


def test_every_dialect_with_places_has_a_writer() -> None:
    assert set(WRITERS) == set(DIALECTS) - {"gsam", "auto"}


def upside_down(size: Size) -> Image:
    """A picture whose file says that it was taken with the camera on its side."""
    stored = PIL.Image.fromarray(np.zeros((size.width, size.height, 3), np.uint8))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    return Image.open(buffer.getvalue())


SIZES = [Size(1, 3000), Size(3000, 1), Size(777, 333), upside_down(Size(333, 777)).size]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dialect", WRITERS)
def test_a_known_box_comes_back_within_one_step_of_the_model(dialect: str, size: Size) -> None:
    box = Box(size.width * 0.21, size.height * 0.13, size.width * 0.77, size.height * 0.93)
    (place,) = places(dialect, written(dialect, [box], size))
    steps = WRITERS[dialect][-1]
    across, down = distance(place, box, size)
    assert across <= size.width / steps.width
    assert down <= size.height / steps.height


def test_a_turned_picture_is_measured_upright() -> None:
    assert upside_down(Size(333, 777)).size == Size(333, 777)


class Seeing(Scripted):
    """A chat model that sees pictures at the size of Qwen2.5-VL and speaks in those pixels."""

    dialect = "qwen2_5_vl"

    def seen_size(self, size: Size) -> Size:
        return Patches().stable_size(size)


@pytest.mark.parametrize("size", SIZES[:3], ids=str)
def test_pixels_of_a_resized_picture_come_back_within_one_model_pixel(size: Size) -> None:
    seen = Patches().stable_size(size)
    box = Box(size.width * 0.21, size.height * 0.13, size.width * 0.77, size.height * 0.93)
    corners = rounded(box, size, Frame(seen.width, seen.height))
    reply = f'[{{"bbox_2d": {list(corners)}, "label": "thing"}}]'
    picture = np.zeros((*size, 3), np.uint8)
    (region,) = Assistant(Seeing([reply])).open(picture).ask("where?").regions
    for found, true, side, steps in zip(
        region.box.corners,
        box.corners,
        (size.width, size.height) * 2,
        (seen.width, seen.height) * 2,
        strict=True,
    ):
        assert abs(found - true) <= side / steps


def test_a_box_on_a_turned_picture_lies_where_it_is_seen_upright() -> None:
    picture = upside_down(Size(333, 777))
    reply = '[{"bbox_2d": [196, 98, 392, 196], "label": "thing"}]'
    (region,) = Assistant(Seeing([reply])).open(picture).ask("where?").regions
    seen = Patches().stable_size(Size(333, 777))
    across, down = 777 / seen.width, 333 / seen.height
    expected = Box(196 * across, 98 * down, 392 * across, 196 * down)
    assert region.box.iou(expected) > 0.9999


@pytest.mark.parametrize("dialect", WRITERS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_boxes_on_random_pictures_come_back(dialect: str, data: st.DataObject) -> None:
    size = Size(data.draw(st.integers(1, 5000)), data.draw(st.integers(1, 5000)))
    sides = st.tuples(st.floats(0, 0.85), st.floats(0.1, 1)).map(
        lambda pair: (pair[0], min(1.0, pair[0] + pair[1]))
    )
    boxes = []
    for _ in range(data.draw(st.integers(1, 5))):
        (x0, x1), (y0, y1) = data.draw(sides), data.draw(sides)
        box = Box(x0 * size.width, y0 * size.height, x1 * size.width, y1 * size.height)
        if all(box.iou(other) < 0.95 for other in boxes):  # equal places count once
            boxes.append(box)
    found = places(dialect, written(dialect, boxes, size))
    assert len(found) == len(boxes)
    steps = WRITERS[dialect][-1]
    for number, (place, box) in enumerate(zip(found, boxes, strict=True)):
        across, down = distance(place, box, size)
        assert across <= 1.001 * size.width / steps.width
        assert down <= 1.001 * size.height / steps.height
        assert place.phrase in (f"thing {number}", "")


@pytest.mark.parametrize("dialect", WRITERS)
def test_a_reply_cut_anywhere_keeps_what_is_complete_and_says_so(dialect: str) -> None:
    size = Size(400, 700)
    boxes = [Box(10 + 90 * n, 40, 80 + 90 * n, 300) for n in range(4)]
    write, before, between, _, _ = WRITERS[dialect]
    pieces = write(boxes, size)
    reply = written(dialect, boxes, size)
    whole = [place_of(event) for event in places(dialect, reply)]
    ends = [len(before + between.join(pieces[: n + 1])) for n in range(len(pieces))]
    for cut in range(len(reply)):
        events = read(dialect, [reply[:cut]])
        kept = [place_of(e) for e in events if isinstance(e, BoxMention | PointMention)]
        complete = sum(end <= cut for end in ends)
        assert kept[:complete] == whole[:complete]
        assert kept == whole[: len(kept)]
        nearly = any(end - 4 <= cut < end for end in ends)
        if nearly and dialect not in NOT_SAID:
            assert any(isinstance(e, MalformedMarkup) and e.cut for e in events), (cut, reply[:cut])


@pytest.mark.parametrize("dialect", WRITERS)
def test_a_place_comes_before_the_next_one_is_written(dialect: str) -> None:
    boxes = [Box(10 + 90 * n, 40, 80 + 90 * n, 300) for n in range(4)]
    write, before, between, _, _ = WRITERS[dialect]
    pieces = write(boxes, Size(400, 700))
    reply = written(dialect, boxes, Size(400, 700))
    read_so_far = 0

    def characters() -> Iterator[str]:
        nonlocal read_so_far
        for character in reply:
            read_so_far += 1
            yield character

    came = [
        read_so_far
        for event in DIALECTS.load(dialect).read(characters())
        if isinstance(event, BoxMention | PointMention)
    ]
    ends = [len(before + between.join(pieces[: n + 1])) for n in range(len(pieces))]
    # A name behind its box, or a row of boxes, is over only when the next thing has begun.
    begun = len(between) + len("<loc0000>")
    assert all(at <= end + begun for at, end in zip(came[:-1], ends[:-1], strict=True))
    assert came == sorted(came)


NOT_SAID = ("qwen2_vl_stripped", "paligemma", "florence2")
"""A name without its box, or a box without its name, is a reply that may well be over."""


def place_of(event: Any) -> Any:
    return event.point if isinstance(event, PointMention) else event.box
