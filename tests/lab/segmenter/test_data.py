"""Views, prompts and batches of the segmenter's training."""

import numpy as np
import torch
from transformers import SamImageProcessor

from lab.segmenter.data import (
    MaskedScene,
    PromptPlan,
    ScenePool,
    coverage,
    crop_view,
    fitted,
    inner_point,
    make_batch,
    outer_point,
    random_view,
    tight_box,
    window_around,
)
from lab.segmenter.network import normalised_pixels
from lab.segmenter.recipe import SegmenterRecipe


def scene_with_a_square(side=100, at=(20, 30), length=25):
    picture = np.full((side, side, 3), 200, np.uint8)
    mask = np.zeros((side, side), np.uint8)
    x, y = at
    mask[y : y + length, x : x + length] = 255
    picture[mask > 0] = (255, 0, 0)
    return MaskedScene(picture, (mask,))


def test_tight_box_is_half_open():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    assert tight_box(mask) == (3, 2, 9, 5)
    assert tight_box(np.zeros((3, 3), bool)) is None


def test_the_window_is_centred_and_stays_in_the_picture():
    assert window_around((40, 40, 60, 50), 200, 200, 2.0) == (30, 25, 70, 65)
    assert window_around((0, 0, 20, 10), 200, 200, 2.0) == (0, 0, 30, 25)


def test_pixels_equal_those_of_the_shipped_processor():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (50, 80, 3), dtype=np.uint8)
    processor = SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    expected = processor(picture, return_tensors="np")["pixel_values"][0]
    view = crop_view(MaskedScene(picture, ()), (0, 0, 80, 50), 64)
    assert view.picture.shape == (40, 64, 3)
    square = np.zeros((1, 64, 64, 3), np.uint8)
    square[0, :40] = view.picture
    pixels = normalised_pixels(torch.from_numpy(square), torch.tensor([[40, 64]]))
    assert np.abs(pixels[0].numpy() - expected).max() < 0.03


def test_sizes_are_rounded_as_the_processor_rounds_them():
    assert fitted(481, 321, 256) == (256, 171)
    assert fitted(100, 100, 256) == (256, 256)


def test_views_keep_mask_and_picture_together():
    scene = scene_with_a_square()
    for seed in range(20):
        view = random_view(np.random.default_rng(seed), scene, 64)
        for mask in view.masks:
            inside = view.picture[mask > 250].astype(int)
            outside = view.picture[mask == 0].astype(int)
            assert inside.shape[0] > 0
            assert np.ptp(inside, 0).max() <= 8  # one colour inside, whatever the light
            assert not len(outside) or np.abs(inside[0] - outside[0]).max() > 20


def test_coverage_averages_over_areas_and_pads_with_nothing():
    mask = np.zeros((8, 16), np.uint8)
    mask[:, :6] = 255
    small = coverage(mask, 16, 4)
    assert small.shape == (4, 4)
    assert np.allclose(small[0] / 255, [1, 0.5, 0, 0], atol=0.01)
    assert np.allclose(small[2:], 0)


def test_points_lie_where_they_should():
    mask = np.zeros((40, 40), bool)
    mask[10:31, 10:31] = True
    assert inner_point(None, mask) == (20.5, 20.5)
    rng = np.random.default_rng(1)
    for _ in range(30):
        x, y = inner_point(rng, mask)
        assert mask[int(y), int(x)]
        beside = outer_point(rng, mask)
        assert beside is not None
        assert not mask[int(beside[1]), int(beside[0])]
    assert outer_point(rng, np.ones((6, 6), bool)) is None


def test_a_batch_asks_every_prompt_of_the_plan():
    view = crop_view(scene_with_a_square(), (0, 0, 100, 100), 64)
    batch = make_batch(np.random.default_rng(0), [view, view], PromptPlan(2, 3, 4), 64, 16)
    assert batch.images.shape == (2, 64, 64, 3)
    assert batch.sizes.tolist() == [[64, 64], [64, 64]]
    assert batch.boxes.shape == (2, 2, 4)
    assert batch.points.shape == (2, 3, 4, 2)
    assert batch.targets.shape == (2, 5, 16, 16)
    assert (batch.labels[:, :, 0] == 1).all()
    assert set(np.unique(batch.labels)) <= {0, 1}


def test_the_pool_is_the_same_after_drawing_it_again():
    def draw(rng):
        mask = np.zeros((64, 64), np.uint8)
        x, y = rng.integers(0, 40, 2)
        mask[y : y + 20, x : x + 20] = 255
        return MaskedScene(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), (mask,))

    recipe = SegmenterRecipe(batch=4, seed=3, pool=10, fresh=0.5)
    pool, second_pool = ScenePool(draw, recipe), ScenePool(draw, recipe)
    for step in range(12):
        pool.batch(step)
    second_pool.load_state_dict(pool.state_dict())
    first, second = pool.batch(12), second_pool.batch(12)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
