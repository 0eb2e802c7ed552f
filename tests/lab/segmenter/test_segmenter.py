"""The segmenter's network, losses, recipe and evaluation, in miniature."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import SamModel, SamProcessor

from lab.scenes.sprites import shipped_bank
from lab.segmenter.data import MaskedScene
from lab.segmenter.evaluate import (
    SegmentationCase,
    box_methods,
    ellipse_mask,
    evaluate_segmenter,
    grabcut_mask,
    mask_iou,
    masks_for_boxes,
    masks_for_points,
    measure,
    photo_cases,
    plain_segmenter,
)
from lab.segmenter.losses import mask_losses, thresholded_iou
from lab.segmenter.network import (
    Prompts,
    SegmenterSize,
    new_segmenter,
    run_segmenter,
)
from lab.segmenter.recipe import SegmenterRecipe
from lab.segmenter.train import (
    SegmenterTraining,
    drawn_or_cluttered,
    train_segmenter,
)
from lab.training.schedules import Budget
from segue.errors import InputError
from segue.runtime.device import pick
from segue.segment.sam import Sam
from segue.segment.sam_network import SamOptions
from segue.values.box import Box

TINY = SegmenterSize(
    image=64, patch=8, width=48, layers=2, heads=2, window=4, global_layers=(1,),
    decoder=32, decoder_heads=2, decoder_mlp=48,
)  # fmt: skip
RECIPE = SegmenterRecipe(
    size=TINY, batch=4, pool=24, fresh=0.3, warm_up=5, bfloat16=False,
    balanced_until=1.0, focal_from=2.0,
)  # fmt: skip

pytestmark = pytest.mark.xdist_group("segmenter")
"""One worker has them all, so that the miniature is trained once."""


def squares(rng):
    """Bright squares on dark ground: enough for a network of this size to learn something in
    seconds."""
    picture = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    side = int(rng.integers(14, 30))
    x, y = rng.integers(0, 64 - side, 2)
    mask[y : y + side, x : x + side] = 255
    picture[mask > 0] = rng.integers(150, 256, 3)
    return MaskedScene(picture, (mask,))


def training(folder, steps):
    return SegmenterTraining(folder, Budget(1, steps), RECIPE, squares, None)


def test_every_mask_token_equals_what_the_library_returns():
    model = new_segmenter(TINY, seed=3).eval()
    pixels, boxes = (
        torch.randn(2, 3, 64, 64),
        torch.tensor([[[4.0, 5, 40, 50]], [[10, 10, 30, 60]]]),
    )
    with torch.no_grad():
        output = run_segmenter(model, pixels, Prompts(boxes, None, None))
        single = model(pixel_values=pixels, input_boxes=boxes, multimask_output=False)
        several = model(pixel_values=pixels, input_boxes=boxes, multimask_output=True)
    assert torch.allclose(output.logits[:, :, :1], single.pred_masks, atol=1e-4)
    assert torch.allclose(output.logits[:, :, 1:], several.pred_masks, atol=1e-4)
    assert torch.allclose(output.quality[:, :, 1:], several.iou_scores, atol=1e-4)


def test_boxes_and_points_share_one_pass():
    model = new_segmenter(TINY, seed=3).eval()
    pixels, boxes = torch.randn(1, 3, 64, 64), torch.tensor([[[4.0, 5, 40, 50]]])
    points, labels = torch.rand(1, 2, 3, 2) * 60, torch.tensor([[[1, 0, 1], [1, 1, 0]]])
    with torch.no_grad():
        together = run_segmenter(model, pixels, Prompts(boxes, points, labels)).logits
        clicks = model(
            pixel_values=pixels, input_points=points, input_labels=labels, multimask_output=False
        ).pred_masks
    assert together.shape == (1, 3, 4, 32, 32)
    assert torch.allclose(together[:, 1:, :1], clicks, atol=1e-4)


def test_the_seed_decides_the_initial_weights():
    first_state, second_state = (
        new_segmenter(TINY, 1).state_dict(),
        new_segmenter(TINY, 1).state_dict(),
    )
    assert all(torch.equal(first_state[k], second_state[k]) for k in first_state)
    other_state = new_segmenter(TINY, 2).state_dict()
    assert not torch.equal(
        first_state["vision_encoder.layers.0.attn.qkv.weight"],
        other_state["vision_encoder.layers.0.attn.qkv.weight"],
    )


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_the_right_mask_costs_least(balance):
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 3:7] = 1
    right = (target * 2 - 1)[:, :, None] * 8
    nothing, everything = torch.full_like(right, -8), torch.full_like(right, 8)
    losses = mask_losses(torch.cat([right, nothing, everything], 2), target, balance)[0, 0]
    assert losses[0] < 0.05
    assert losses[1] > 0.5
    assert losses[2] > 0.3
    assert thresholded_iou(right, target).item() == 1


def test_balanced_loss_pulls_a_small_object_out_of_the_background():
    target = torch.zeros(1, 1, 16, 16)
    target[..., :2, :2] = 1
    logits = torch.zeros(1, 1, 1, 16, 16, requires_grad=True)
    mask_losses(logits, target, 1.0).sum().backward()
    gradient = logits.grad[0, 0, 0]
    assert gradient[:2, :2].sum().abs() > 0.2
    assert gradient[8, 8] > 0


def test_a_short_training_learns(tmp_path):
    recipe = replace(RECIPE, peak_rate=1e-2, warm_up=2, pool=4, fresh=0.0)
    run = SegmenterTraining(tmp_path, Budget(1, 20), recipe, squares, None)
    losses = [run.one_step() for _ in range(20)]
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])


def test_a_resumed_run_resumes_exactly(tmp_path):
    uninterrupted = training(tmp_path / "whole", 4)
    for _ in range(4):
        uninterrupted.one_step()
    first = training(tmp_path / "parts", 4)
    for _ in range(2):
        first.one_step()
    first.save()
    second = training(tmp_path / "parts", 4)
    assert second.resume()
    for _ in range(2):
        second.one_step()
    uninterrupted_state, resumed_state = uninterrupted.model.state_dict(), second.model.state_dict()
    assert all(
        torch.equal(uninterrupted_state[name], resumed_state[name]) for name in uninterrupted_state
    )
    assert all(
        torch.equal(uninterrupted.average.state[n], second.average.state[n])
        for n in uninterrupted_state
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmenter")
    return train_segmenter(
        folder, steps=4, recipe=RECIPE, bank=shipped_bank(), check=lambda _: {"n": 1}
    )


def test_the_recipe_leaves_an_ordinary_folder(weights):
    model = SamModel.from_pretrained(weights)
    assert model.dtype == torch.float16
    processor = SamProcessor.from_pretrained(weights)
    picture = np.zeros((30, 60, 3), np.uint8)
    inputs = processor(picture, input_boxes=[[[10, 5, 40, 20]]], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 64, 64)
    assert json.loads((weights / "segue.json").read_text()) == {"clip_to_box": True, "zoom": 1.3}
    options = SamOptions.read(weights)
    assert (options.zoom, options.clip_to_box) == (1.3, True)


def test_the_log_tells_the_recipe_and_the_check(weights):
    lines = [json.loads(line) for line in (weights.parent / "log.jsonl").read_text().splitlines()]
    assert lines[0]["event"] == "started"
    assert lines[0]["recipe"]["batch"] == 4
    assert lines[-1]["check"] == {"n": 1}


def test_training_scenes_never_show_the_held_out_style():
    bank = shipped_bank()
    draw = drawn_or_cluttered(bank)
    scene = draw(np.random.default_rng(0))
    assert scene.picture.dtype == np.uint8
    assert all(m.dtype == np.uint8 for m in scene.masks)


@pytest.fixture(scope="module")
def segmenter():
    options = SamOptions(zoom=1.5, clip_to_box=True)
    return Sam(new_segmenter(TINY), options, pick("cpu"), "tiny")


def test_masks_have_the_pictures_size_and_stay_in_their_box(segmenter):
    picture = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    boxes = [Box(10, 5, 40, 30), Box(60, 20, 90, 50)]
    for mask, box in zip(masks_for_boxes(segmenter, picture, boxes), boxes, strict=True):
        assert mask.shape == (50, 90)
        assert mask.dtype == bool
        outside = mask.copy()
        outside[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = False
        assert not outside.any()
    masks = masks_for_points(segmenter, picture, [(20.0, 20.0), (60.0, 30.0)])
    assert [mask.shape for mask in masks] == [(50, 90), (50, 90)]


def test_the_plain_segmenter_neither_refines_nor_clips(segmenter):
    plain_network = plain_segmenter(segmenter)
    assert (plain_network.options.zoom, plain_network.options.clip_to_box) == (0, False)
    assert (segmenter.options.zoom, segmenter.options.clip_to_box) == (1.5, True)


def test_baselines_are_what_they_say():
    box = Box(10, 10, 50, 30)
    ellipse = ellipse_mask((60, 60), box)
    assert abs(ellipse.sum() - np.pi * 20 * 10) < 12
    picture = np.full((60, 60, 3), 30, np.uint8)
    picture[ellipse] = (250, 240, 60)
    assert mask_iou(grabcut_mask(picture, box), ellipse) > 0.9


def test_every_method_is_measured_on_every_object(segmenter):
    mask = ellipse_mask((60, 60), Box(10, 10, 50, 30))
    case = SegmentationCase(np.zeros((60, 60, 3), np.uint8), (mask, ~mask))
    figures = measure([case], box_methods(segmenter, False))
    assert set(figures) == {"box", "box, plain", "ellipse"}
    assert 0.4 < figures["ellipse"] <= 1


def test_evaluation_gives_a_row_for_each_kind_of_picture(weights):
    table = evaluate_segmenter(weights, scenes=2, bank=shipped_bank(), grabcut=False)
    assert set(table) == {"scenes"}
    assert {"box", "box, plain", "ellipse", "point", "objects"} <= set(table["scenes"])


def test_photographs_need_their_index(tmp_path):
    with pytest.raises(InputError, match="photos.json"):
        photo_cases(tmp_path)
