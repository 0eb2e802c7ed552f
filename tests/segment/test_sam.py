"""Segment Anything beyond the contract: options, memory, clicks, precision."""

import numpy as np
import pytest
import torch

from segue.errors import InputError, ModelError
from segue.segment import sam, sam_view
from segue.values.box import Box
from segue.values.image import Image
from tiny_models import tiny_sam


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_sam(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def segmenter(folder):
    return sam.load(folder, device="cpu", name="tiny")


def a_picture(height=48, width=64, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def test_it_is_named_as_it_was_asked_for(folder, segmenter):
    assert segmenter.name == "tiny"
    assert sam.load(folder, device="cpu").name == str(folder)


def test_a_view_says_what_it_holds(segmenter):
    view = segmenter.look(a_picture())
    assert view.size_bytes == view.maps[0].numel() * 4 == 32 * 8 * 8 * 4


def test_different_pictures_and_prompts_give_different_masks(segmenter):
    boxes = [Box(2, 3, 30, 40), Box(20, 10, 60, 44)]
    one, other = segmenter.look(a_picture()), segmenter.look(a_picture(seed=1))
    assert not np.array_equal(one.mask(boxes)[0].logits, other.mask(boxes)[0].logits)
    assert not np.array_equal(one.mask(boxes)[0].logits, one.mask(boxes)[1].logits)


def test_clicks_of_several_kinds_share_a_call(segmenter):
    view = segmenter.look(a_picture())
    groups = [[(10, 10)], [(40, 20), (5, 5)], [(60, 40)]]
    labels = [[1], [1, 0], [1]]
    together = view.mask(points=groups, labels=labels)
    for mask, points, marks in zip(together, groups, labels):
        (alone,) = view.mask(points=points, labels=marks)
        assert np.abs(mask.logits - alone.logits).max() < 1e-4
        assert mask.score == pytest.approx(alone.score, abs=1e-5)


def test_labels_boxes_and_an_earlier_mask_change_the_answer(segmenter):
    view = segmenter.look(a_picture())
    two = [(10, 10), (40, 30)]
    (on,) = view.mask(points=two)
    (partly,) = view.mask(points=two, labels=[1, 0])
    (boxed,) = view.mask(boxes=[Box(4, 4, 50, 40)], points=two)
    (refined,) = view.mask(points=two, prior=on.logits)
    answers = [on.logits, partly.logits, boxed.logits, refined.logits]
    for i, one in enumerate(answers):
        assert all(np.abs(one - other).max() > 1e-3 for other in answers[:i])


def test_an_earlier_mask_of_another_size_is_refused(segmenter):
    with pytest.raises(InputError, match=r"shape \(32, 32\)"):
        segmenter.look(a_picture()).mask(points=[(1, 1)], prior=np.zeros((8, 8)))


def test_masks_can_be_cut_to_their_boxes(tmp_path):
    segmenter = sam.load(tiny_sam(tmp_path, clip_to_box=True), device="cpu")
    box = Box(10.5, 5, 30, 20)
    (mask,) = segmenter.look(a_picture()).mask(boxes=[box])
    inside = np.zeros((48, 64), bool)
    inside[5:20, 10:30] = True
    assert mask.area > 0
    assert not (mask.array & ~inside).any()


def test_a_small_memory_budget_gives_the_same_masks(segmenter, monkeypatch):
    view = segmenter.look(a_picture())
    boxes = [Box(x, 2, x + 12, 30) for x in range(0, 50, 7)]
    roomy = view.mask(boxes)
    monkeypatch.setattr(sam_view, "memory_budget", lambda device: 1)
    for one, other in zip(roomy, view.mask(boxes)):
        assert np.abs(one.logits - other.logits).max() < 1e-4


def test_only_the_encoder_runs_in_half_precision(folder):
    segmenter = sam.load(folder, device="cpu", dtype="bfloat16")
    whole = sam.load(folder, device="cpu", dtype="float32")
    assert {weight.dtype for weight in segmenter.model.parameters()} == {torch.float32}
    view, exact = segmenter.look(a_picture()), whole.look(a_picture())
    assert view.maps[0].dtype == torch.float32
    difference = (view.maps[0] - exact.maps[0]).norm() / exact.maps[0].norm()
    assert 1e-5 < difference < 0.05
    same_maps = whole.model.mask_decoder.state_dict()
    assert all(
        torch.equal(value, same_maps[name])
        for name, value in segmenter.model.mask_decoder.state_dict().items()
    )
    assert view.mask([Box(2, 3, 30, 40)])[0].logits.dtype == np.float32


def test_numbers_that_are_not_finite_are_reported(folder):
    segmenter = sam.load(folder, device="cpu")
    with torch.no_grad():
        segmenter.model.vision_encoder.pos_embed.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"not finite.*float32"):
        segmenter.look(a_picture())


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="type 'sam', but its config.json says 'bert'"):
        sam.load(tmp_path)
