"""The worlds to measure in, by what drawings there are."""

import numpy as np

from lab.scenes.held_out import held_out_worlds
from lab.scenes.scene import SceneRecipe, render
from lab.scenes.sprites import HELD_OUT_STYLES, Sprite, SpriteBank, shipped_bank
from lab.scenes.third_world import render_third_world

PIXELS = shipped_bank().sprites[0].pixels


def test_without_fetched_drawings_there_are_scenes_alone() -> None:
    assert list(held_out_worlds(shipped_bank())) == ["scenes"]


def test_each_world_has_the_drawings_that_belong_there() -> None:
    bank = SpriteBank(
        tuple(Sprite(n, s, PIXELS) for s in ("noto", *HELD_OUT_STYLES) for n in range(3))
    )
    worlds = held_out_worlds(bank)
    assert {name: world.bank.styles for name, world in worlds.items()} == {
        "scenes": ("noto",),
        "style": ("twemoji",),
        "third world": ("openmoji",),
    }
    assert [world.draw for world in worlds.values()] == [render, render, render_third_world]
    for world in worlds.values():
        assert world.draw(np.random.default_rng(0), world.bank, SceneRecipe(64, 64)).objects
