"""Drawn clips: one seed, one clip; everything is there at first, and one thing is covered."""

import numpy as np
import pytest

from lab.scenes.clips import HEIGHT, WIDTH, draw_clip
from lab.scenes.sprites import shipped_bank


@pytest.fixture(scope="module")
def bank():
    return shipped_bank()


def test_the_same_seed_draws_the_same_clip(bank):
    one, other = (draw_clip(np.random.default_rng(5), bank, 3) for _ in range(2))
    assert one.names == other.names
    for (pixels, labels), (same_pixels, same_labels) in zip(one.frames(), other.frames()):
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        assert np.array_equal(pixels, same_pixels)
        assert np.array_equal(labels, same_labels)


@pytest.mark.parametrize("seed", range(3))
def test_three_things_are_seen_at_first_and_one_passes_behind_another(bank, seed):
    clip = draw_clip(np.random.default_rng([2027, seed]), bank, 20)
    areas = np.array([[(labels == n).sum() for n in range(3)] for _, labels in clip.frames()])
    assert (areas[0] > 200).all()
    assert len(set(clip.names)) == 3
    assert areas[:, 1].min() < 0.6 * areas[0, 1]
    assert areas[:, 2].min() > 0.5 * areas[0, 2]
