"""A second look through a window around each object."""

import numpy as np
import pytest
import torch

from segue.errors import ModelError
from segue.runtime.weights import locate
from segue.segment import sam
from segue.segment.crop_refinement import CropRefinedView, resample_logits, window_around
from segue.segment.prompts import SegmentPrompt
from segue.segment.sam_view import NEVER, SamView, encode_views
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask
from tiny_models import tiny_sam


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    return sam.load(tiny_sam(tmp_path_factory.mktemp("sam"), zoom=1.5), device="cpu")


@pytest.fixture(scope="module")
def on_board():
    try:
        return sam.load(locate("embedded/segmenter"), device="cpu")
    except ModelError:
        pytest.skip("no weights on board")


def two_shapes():
    rows, columns = np.mgrid[:200, :300]
    array = np.full((200, 300, 3), (90, 140, 200), np.uint8)
    array[(rows - 90) ** 2 + (columns - 120) ** 2 < 40**2] = (210, 60, 40)
    array[(rows > 120) & (columns > 220)] = (60, 160, 60)
    return array


def a_picture(height=90, width=140):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


BOX = Box(30, 20, 70, 50)
WINDOW = (20, 5, 80, 65)


def test_the_window_is_a_square_around_the_box_cut_at_the_border():
    size = Size(90, 140)
    assert window_around(SegmentPrompt(BOX), size, 1.5) == WINDOW
    assert window_around(SegmentPrompt(Box(0, 0, 2, 2)), size, 2) == (0, 0, 9, 9)
    assert window_around(SegmentPrompt(BOX, ((100, 30),), (0,)), size, 1.5) == (20, 5, 100, 65)


def test_a_box_is_answered_through_its_window(segmenter):
    image, (x0, y0, x1, y1) = a_picture(), WINDOW
    view = segmenter.look(image)
    assert isinstance(view, CropRefinedView)
    (mask,) = view.mask([BOX])
    piece = Image(image.array[y0:y1, x0:x1].copy())
    (seen,) = encode_views(segmenter, [piece])
    (inside,) = seen.mask([Box(10, 15, 50, 45)])
    assert np.array_equal(mask.array[y0:y1, x0:x1], inside.array)
    assert mask.area == inside.area > 0
    assert mask.score == pytest.approx(inside.score)


def test_it_counts_its_pixels_too(segmenter):
    view = segmenter.look(a_picture())
    assert view.size_bytes == view.maps[0].nbytes + 90 * 140 * 3


def test_each_reading_of_a_click_is_looked_at_again_and_the_best_of_these_looks_is_the_answer(
    on_board,
):
    view, changed = on_board.look(Image(two_shapes())), 0
    for click in [(120, 90), (100, 70), (260, 170), (290, 130), (50, 30), (270, 60)]:
        readings, estimates = view.decode(
            [SegmentPrompt(None, (click,), (1,))], None, multimask=True
        )
        again = [view.mask([Mask(array).box])[0].score for array in view.arrays(readings[0])]
        (mask,) = view.mask(points=[click])
        assert mask.score == pytest.approx(max(again), abs=1e-5)
        best = [score > max(again) - 1e-5 for score in again]
        kept = [np.array_equal(mask.logits, reading) for reading in readings[0]]
        assert any(kept[row] for row in range(3) if best[row])  # ready for clicks on the whole
        changed += not best[int(estimates[0].argmax())]
    assert changed


def test_clicks_of_which_one_excludes_are_answered_once(segmenter):
    view = segmenter.look(a_picture())
    once = SamView(segmenter, view.maps, view.size, view.inner)
    asked = {"points": [(60, 40), (10, 10)], "labels": [1, 0]}
    assert np.array_equal(view.mask(**asked)[0].array, once.mask(**asked)[0].array)
    several = {"points": [(60, 40), (80, 50)]}
    (through,) = view.mask([once.mask(**several)[0].box])
    assert np.array_equal(view.mask(**several)[0].array, through.array)


def test_objects_asked_for_together_get_the_answers_they_get_alone(segmenter):
    view = segmenter.look(a_picture())
    clicks = [[(60, 40)], [(20, 70), (30, 70)], [(110, 30)]]
    together = view.mask(points=clicks)
    for mask, points in zip(together, clicks):
        (alone,) = view.mask(points=points)
        assert np.array_equal(mask.array, alone.array)


def test_logits_survive_the_way_to_the_window_and_back(segmenter):
    image, (x0, y0, x1, y1) = a_picture(), WINDOW
    whole = segmenter.look(image)
    (seen,) = encode_views(segmenter, [Image(image.array[y0:y1, x0:x1].copy())])
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    blob = 8 - ((rows - 15) ** 2 + (columns - 15) ** 2)[None] / 8
    there = resample_logits(blob, seen, (x0, y0), whole, (0, 0))
    assert there[0, -1, -1] == NEVER
    masks = [np.zeros(image.size, bool), whole.arrays(there)[0]]
    masks[0][y0:y1, x0:x1] = seen.arrays(blob)[0]
    assert (masks[0] & masks[1]).sum() > 0.9 * (masks[0] | masks[1]).sum()
    back = resample_logits(there, whole, (0, 0), seen, (x0, y0))
    assert (back[0, 8:24, 8:24] - blob[0, 8:24, 8:24]).abs().max() < 2
