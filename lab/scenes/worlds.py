"""Recipes for training: half of the scenes as ever, half of other worlds.

Other worlds have other backgrounds, one hand's drawings, shapes in front, worn pictures, and other
compositions: one large thing on plain ground, a crowd, a handful of tiny things. What is held out
for measuring (`third_world.py`) shares neither drawings nor backgrounds nor lines with them.
"""

from dataclasses import replace

import numpy as np

from lab.scenes.finish import FINISHES
from lab.scenes.looks import random_look
from lab.scenes.scene import Scene, SceneRecipe, World, render
from lab.scenes.scenery import SCENERY
from lab.scenes.sprites import SpriteBank

NEW_SHARE = 0.5
"""The share of scenes that are of other worlds than `SceneRecipe()` draws."""

PLAIN_SCENERY = ("plain", "plain", "paper", "gradients")


def random_recipe(rng: np.random.Generator, recipe: SceneRecipe) -> SceneRecipe:
    """Choose how the next training scene is drawn; the same `rng` state, the same recipe.

    Args:
        rng: chooses.
        recipe: of half of the scenes; the others have its size.

    Example:
        >>> import numpy as np
        >>> random_recipe(np.random.default_rng(1), SceneRecipe(96, 128)).width
        128
    """
    if rng.random() >= NEW_SHARE:
        return recipe
    kind = rng.random()
    if kind < 0.2:
        return _one_large_thing(rng, recipe)
    if kind < 0.4:
        recipe = replace(recipe, counts=(0, 0.1, 0.25, 0.3, 0.35), overlap=0.5, cut_share=0.25)
    elif kind < 0.55:
        recipe = replace(recipe, smallest=0.07, largest=(0.3, 0.3, 0.28, 0.25, 0.25))
    return replace(recipe, world=random_world(rng), restyle=0.25)


def random_world(rng: np.random.Generator) -> World:
    """Choose a background, a look, shapes in front and a finish, each there or not."""
    return World(
        scenery=str(rng.choice(list(SCENERY))) if rng.random() < 0.7 else None,
        look=random_look(rng) if rng.random() < 0.65 else None,
        in_front=int(rng.integers(1, 4)) if rng.random() < 0.2 else 0,
        finish=_random_finish(rng),
    )


def _one_large_thing(rng: np.random.Generator, recipe: SceneRecipe) -> SceneRecipe:
    """One thing of half to nearly all of the picture's side, mostly on plain ground."""
    is_plain = rng.random() < 0.75
    names = PLAIN_SCENERY if is_plain else tuple(SCENERY)
    look = random_look(rng) if rng.random() < 0.45 else None
    world = World(str(names[int(rng.integers(len(names)))]), look, 0, _random_finish(rng))
    return replace(
        recipe, counts=(1.0,), smallest=0.45, largest=(0.95,), any_angle=0.05, restyle=0.25,
        squeeze=0.2, world=world,
    )  # fmt: skip


def _random_finish(rng: np.random.Generator) -> tuple[str, ...]:
    if rng.random() < 0.55:
        return ()
    weights = np.array([0.4, 0.35, 0.15, 0.1])
    return (str(rng.choice(list(FINISHES), p=weights)),)


def render_some_world(rng: np.random.Generator, bank: SpriteBank, recipe: SceneRecipe) -> Scene:
    """Draw a training scene: of `recipe`, or of another world."""
    return render(rng, bank, random_recipe(rng, recipe))
