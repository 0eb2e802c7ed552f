"""Looks: a drawing in another hand stays a drawing of its thing, where it was."""

import numpy as np
import pytest

from lab.scenes.looks import LOOKS, MARGIN, Look, random_look
from lab.scenes.restyle import Patch


def disc() -> Patch:
    y, x = np.mgrid[0:64, 0:64] - 31.5
    patch = np.zeros((64, 64, 4), np.float32)
    patch[np.hypot(x, y) < 20] = (200, 100, 50, 255)
    patch[28:36, 28:36, :3] = 20
    return patch


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_keeps_colours_within_their_alpha_and_the_drawing_in_its_margin(name: str) -> None:
    patch = disc()
    for seed in range(6):
        drawn = Look((name,)).draw(np.random.default_rng(seed), patch)
        assert drawn.dtype == np.float32
        assert drawn.shape == patch.shape
        assert drawn.min() >= 0
        assert drawn.max() <= 255
        assert (drawn[..., :3] <= drawn[..., 3:] + 0.01).all()
        y, x = np.nonzero(drawn[..., 3] > 128)
        assert np.hypot(y - 31.5, x - 31.5).max() < 20 + MARGIN
        assert len(y) > 0.9 * (patch[..., 3] > 128).sum()


def test_a_line_around_a_drawing_belongs_to_it() -> None:
    patch = disc()
    drawn = Look(("outer line",)).draw(np.random.default_rng(1), patch)
    assert (drawn[..., 3] > 128).sum() > (patch[..., 3] > 128).sum() + 60


def test_drawings_of_one_hand_look_alike_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    for seed, alike in ((5, True), (None, False)):
        look = Look(("gradient",), seed)
        assert np.array_equal(look.draw(rng, disc()), look.draw(rng, disc())) is alike


def test_a_shadow_falls_beside_the_drawing() -> None:
    alpha = disc()[..., 3]
    light = Look((), 3, shadow=0.5).light_beside(np.random.default_rng(0), alpha)
    assert light is not None
    assert 0.49 < light.min() < 0.6
    assert light[alpha == 0].min() < 1
    assert Look(()).light_beside(np.random.default_rng(0), alpha) is None


def test_every_look_is_chosen_sooner_or_later() -> None:
    rng = np.random.default_rng(0)
    chosen = {name for _ in range(300) for name in random_look(rng).names}
    assert chosen == set(LOOKS)
