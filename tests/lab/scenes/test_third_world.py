"""The third held-out world: its truth is true, and nothing of it is in the worlds of training."""

import ast
from pathlib import Path

import numpy as np
import pytest

from lab.scenes import backgrounds, unseen_backgrounds
from lab.scenes.scene import SceneRecipe
from lab.scenes.scenery import SCENERY
from lab.scenes.sprites import shipped_bank
from lab.scenes.third_world import in_ink, render_third_world
from lab.scenes.unseen_backgrounds import UNSEEN, paint_unseen

BANK = shipped_bank()


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second = (render_third_world(np.random.default_rng(3), BANK) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert first.objects == second.objects


def test_boxes_are_the_tight_boxes_of_the_masks() -> None:
    rng, counts = np.random.default_rng(1), set()
    for _ in range(40):
        scene = render_third_world(rng, BANK, SceneRecipe(100, 120))
        assert scene.image.shape == (100, 120, 3)
        assert scene.background in backgrounds.NAMES
        counts.add(len(scene.objects))
        for item, mask in zip(scene.objects, scene.masks, strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert item.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert counts == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("name", UNSEEN)
def test_every_background_can_be_painted_at_any_size_under_a_known_name(name: str) -> None:
    paint, background = UNSEEN[name]
    for size in ((60, 90), (96, 64), (100, 100)):
        picture = paint(np.random.default_rng(2), *size)
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.uint8
        assert background in backgrounds.NAMES


def test_backgrounds_share_no_code_with_those_of_training() -> None:
    tree = ast.parse(Path(unseen_backgrounds.__file__).read_text("utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {module for module in modules if module and module.startswith("lab")}
    assert not set(UNSEEN) & set(SCENERY)


def test_backgrounds_differ_from_seed_to_seed() -> None:
    names = {paint_unseen(np.random.default_rng(seed), 40, 40)[1] for seed in range(40)}
    assert len(names) >= 5


def test_an_ink_line_belongs_to_the_drawing() -> None:
    patch = np.zeros((60, 60, 4), np.float32)
    patch[15:45, 15:45] = (200, 100, 50, 255)
    drawn = in_ink(np.random.default_rng(0), (25, 45, 100), patch)
    covered = drawn[..., 3] > 128
    assert covered.sum() > 900
    assert not covered[:8].any()
    assert (drawn[..., :3] <= drawn[..., 3:] + 0.01).all()
