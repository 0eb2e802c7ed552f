"""Everything: what stays of the masks of a grid of clicks."""

import numpy as np
import pytest
import torch

import segue
from segue.embedded.samples import sample
from segue.errors import InputError
from segue.segment import everything, sam
from segue.segment.box_fill import BoxFill
from segue.segment.everything import EverythingOptions, segment_everything
from segue.segment.sam_view import SamView
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_sam

ALL = {"pred_iou_threshold": 0.0, "stability_score_threshold": 0.0}


@pytest.fixture(scope="module")
def picture():
    pixels = np.random.default_rng(3).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return Image.open(pixels)


@pytest.fixture(scope="module")
def view(tmp_path_factory, picture):
    return sam.load(tiny_sam(tmp_path_factory.mktemp("sam")), device="cpu").look(picture)


def masks_of(view, picture, **options):
    return segment_everything(view, picture.size, EverythingOptions(points_per_side=9, **options))


class HalvesView(SamView):
    """A view whose clicks mean their half of the picture (0.9), all of it (0.8), or, not stable,
    a spot (0.95)."""

    def decode(self, prompts, prior, *, multimask):
        assert multimask
        side = self.network.logits_side
        logits = torch.full((len(prompts), 3, side, side), -9.0)
        for row, prompt in enumerate(prompts):
            middle = side * prompt.points[0][0] / self.size.width
            half = slice(0, side // 2) if middle < side / 2 else slice(side // 2, side)
            logits[row, 0, :, half] = 9.0
            logits[row, 1] = 9.0
            logits[row, 2, 4:6, int(middle) : int(middle) + 2] = 0.5
        return logits, torch.tensor([[0.9, 0.8, 0.95]] * len(prompts))


@pytest.fixture(scope="module")
def halves(view):
    return HalvesView(view.network, view.maps, view.size, view.inner)


def boxes_of(masks):
    return [mask.box.corners for mask in masks]


LEFT, RIGHT, WHOLE = (0, 0, 32, 48), (32, 0, 64, 48), (0, 0, 64, 48)


def test_sure_and_stable_masks_stay_once_each_best_first(halves, picture):
    options = {"pred_iou_threshold": 0.7}
    masks = masks_of(halves, picture, **options)
    assert boxes_of(masks) == [LEFT, RIGHT, WHOLE]
    assert [mask.score for mask in masks] == pytest.approx([0.9, 0.9, 0.8])
    assert boxes_of(masks_of(halves, picture)) == [LEFT, RIGHT]
    assert boxes_of(masks_of(halves, picture, **options, box_nms_threshold=0.4)) == [LEFT, RIGHT]
    assert masks_of(halves, picture, pred_iou_threshold=0.96) == []
    unstable = masks_of(halves, picture, stability_score_threshold=0.0)
    assert len(unstable) == 2 + 9
    assert [mask.score for mask in unstable[:9]] == pytest.approx([0.95] * 9)


def test_how_many_clicks_go_together_changes_nothing(view, picture, monkeypatch):
    together = masks_of(view, picture, **ALL)
    monkeypatch.setattr(everything, "POINTS_AT_ONCE", 7)
    apart = masks_of(view, picture, **ALL)
    assert together == apart
    assert [m.score for m in together] == pytest.approx([m.score for m in apart], abs=1e-6)


def test_a_stable_mask_is_one_whose_border_is_steep():
    steep = torch.full((8, 8), -9.0)
    steep[2:6, 2:6] = 9.0
    flat = steep / 20
    stability = everything._stability(torch.stack([steep, flat]))
    assert stability.tolist() == [1.0, 0.0]
    assert everything._boxes(steep[None] > 0).tolist() == [[2, 2, 6, 6]]


def test_a_segmenter_without_candidates_is_asked_click_by_click(picture):
    masks = segment_everything(
        BoxFill().look(picture), picture.size, EverythingOptions(points_per_side=3)
    )
    assert len(masks) == 9
    assert masks[0].box == Box(6, 3, 15, 12)


def test_the_bundled_segmenter_finds_the_objects_of_a_scene():
    scene = sample("meadow")
    assistant = segue.load("embedded", chat=None, detect=None)
    image = Image.open(scene.image)
    options = EverythingOptions(points_per_side=12)
    masks = segment_everything(assistant.grounder.view(image), image.size, options)
    for thing in scene.objects:
        assert max(mask.box.iou(Box(*thing.box)) for mask in masks) > 0.7


@pytest.mark.parametrize(
    "options",
    [{"points_per_side": 0}, {"pred_iou_threshold": 2}, {"stability_score_threshold": -1}],
)
def test_numbers_that_make_no_sense_are_refused(options):
    with pytest.raises(InputError):
        EverythingOptions(**options)


def test_the_grid_lies_inside_the_picture():
    points = EverythingOptions(points_per_side=4).points(Size(10, 20))
    assert len(points) == 16
    assert all(0 < x < 20 and 0 < y < 10 for x, y in points)


@pytest.mark.parametrize("segmenter", ["sam", "box fill"])
def test_clicks_are_counted_while_they_are_done(view, picture, segmenter):
    told = []
    asked = view if segmenter == "sam" else BoxFill().look(picture)
    options = EverythingOptions(points_per_side=12)
    segment_everything(asked, picture.size, options, lambda *counts: told.append(counts))
    assert told == [(64, 144), (128, 144), (144, 144)]
