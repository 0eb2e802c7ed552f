"""Textured shapes: reproducible, within range, and masks that say what is seen."""

import numpy as np

from lab.scenes.shapes import cluttered_scene, drop_shapes, leaves, silhouette, texture


def test_the_same_seed_draws_the_same_scene():
    first_scene, masks = cluttered_scene(np.random.default_rng(5), 96)
    two, second_scene = cluttered_scene(np.random.default_rng(5), 96)
    assert (first_scene == two).all()
    assert len(masks) == len(second_scene)
    assert all((a == b).all() for a, b in zip(masks, second_scene, strict=True))


def test_pictures_and_coverages_stay_in_range():
    for seed in range(4):
        picture, masks = cluttered_scene(np.random.default_rng(seed), 96)
        assert picture.shape == (96, 96, 3)
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert picture.max() <= 255
        assert all(m.shape == (96, 96) and m.min() >= 0 and m.max() <= 1 for m in masks)


def test_visible_coverages_never_add_up_to_more_than_the_picture():
    for seed in range(6):
        _, masks = cluttered_scene(np.random.default_rng(seed), 96)
        assert sum(masks).max() <= 1 + 1e-4


def test_a_later_shape_hides_what_lies_beneath():
    everything = np.ones((80, 80), np.float32)
    masks = [everything]
    drop_shapes(np.random.default_rng(1), np.zeros((80, 80, 3), np.float32), masks, 1)
    assert len(masks) == 2
    assert np.allclose(masks[0], 1 - masks[1])


def test_silhouettes_touch_the_borders_of_their_picture():
    rng = np.random.default_rng(3)
    for _ in range(12):
        ink = np.asarray(silhouette(rng, 40))
        assert 4 <= max(ink.shape) <= 60
        assert ink.max() > 100
        assert ink[:3].any()
        assert ink[-3:].any()
        assert ink[:, :3].any()
        assert ink[:, -3:].any()


def test_outlines_of_drawings_are_used_as_silhouettes():
    bar = np.zeros((40, 8), np.uint8)
    bar[:] = 255
    shapes = [silhouette(np.random.default_rng(s), 40, (bar,)) for s in range(30)]
    assert any(min(s.size) < 16 and max(s.size) > 30 for s in shapes)


def test_textures_may_be_written_to_and_have_three_channels():
    for seed in range(8):
        fill = texture(np.random.default_rng(seed), 32)
        assert fill.shape == (32, 32, 3)
        fill[0] = 0  # parts are painted into it


def test_leaves_are_not_one_colour():
    assert leaves(np.random.default_rng(2), 96).std() > 5
