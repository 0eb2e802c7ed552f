"""Training worlds: half of the scenes as ever, half of other worlds."""

import numpy as np

from lab.scenes import backgrounds
from lab.scenes.scene import SceneRecipe, World, render
from lab.scenes.sprites import shipped_bank
from lab.scenes.worlds import random_recipe

BANK = shipped_bank()


def recipes(count: int = 400) -> list[SceneRecipe]:
    rng = np.random.default_rng(0)
    return [random_recipe(rng, SceneRecipe(96, 96)) for _ in range(count)]


def test_the_same_generator_state_chooses_the_same_recipe() -> None:
    assert recipes(20) == recipes(20)


def test_half_of_the_recipes_are_those_of_ever() -> None:
    plain = sum(recipe == SceneRecipe(96, 96) for recipe in recipes())
    assert 160 < plain < 240


def test_the_other_half_has_large_tiny_and_crowded_scenes_and_every_change() -> None:
    chosen = recipes()
    assert any(r.counts == (1.0,) and r.largest == (0.95,) for r in chosen)
    assert any(r.smallest == 0.07 for r in chosen)
    assert any(r.overlap == 0.5 for r in chosen)
    assert {r.world.finish for r in chosen} > {(), ("jpeg",), ("rescaled",)}
    assert any(r.world.look for r in chosen)
    assert any(r.world.scenery for r in chosen)
    assert any(r.world.in_front for r in chosen)


def test_scenes_of_other_worlds_tell_the_truth() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        scene = render(rng, BANK, random_recipe(rng, SceneRecipe(96, 120)))
        assert scene.image.shape == (96, 120, 3)
        assert 1 <= len(scene.objects) <= 5
        assert scene.background in backgrounds.NAMES
        for item, mask in zip(scene.objects, scene.masks, strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert item.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_one_large_thing_can_fill_the_picture() -> None:
    recipe = SceneRecipe(96, 96, counts=(1.0,), smallest=0.9, largest=(0.95,), any_angle=0)
    recipe_of_one_colour = SceneRecipe(**{**vars(recipe), "world": World("plain")})
    for seed in range(5):
        scene = render(np.random.default_rng(seed), BANK, recipe_of_one_colour)
        x0, y0, x1, y1 = scene.objects[0].box
        assert max(x1 - x0, y1 - y0) > 0.7 * 96
