"""The worlds to measure in: held-out scenes, held-out drawings, and a world held out as a whole."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lab.scenes.art import best_bank, third_world_bank
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import HELD_OUT_STYLE, THIRD_WORLD_STYLE, SpriteBank
from lab.scenes.third_world import render_third_world

Draw = Callable[[np.random.Generator, SpriteBank, SceneRecipe], Scene]
"""Draws one scene, as `scene.render` does."""


class HeldOutWorld(NamedTuple):
    """Drawings, and how scenes are made of them."""

    bank: SpriteBank
    draw: Draw = render


def held_out_worlds(bank: SpriteBank | None = None) -> dict[str, HeldOutWorld]:
    """Return the worlds whose drawings are there, by the name of their row in evaluations.

    Args:
        bank: the drawings; None: all that have been fetched.

    Returns:
        "scenes": new scenes of the trained styles; "style": of the held-out style; "third world".
    """
    third = third_world_bank() if bank is None else bank.only(THIRD_WORLD_STYLE)
    bank = bank or best_bank()
    worlds = {
        "scenes": HeldOutWorld(bank.trainable()),
        "style": HeldOutWorld(bank.only(HELD_OUT_STYLE)),
        "third world": HeldOutWorld(third, render_third_world),
    }
    return {name: world for name, world in worlds.items() if world.bank.sprites}
