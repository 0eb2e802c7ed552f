"""Scenes as arrays."""

import numpy as np

from lab.chat.data import (
    CELLS,
    PATCHES,
    draw_arrays,
    grid_box,
    mirror,
    owners,
    read_shard,
    write_shard,
)
from lab.scenes.scene import SceneRecipe
from lab.scenes.sprites import shipped_bank


def test_the_owner_of_a_cell_is_the_object_with_most_of_it() -> None:
    labels = np.full((192, 192), -1, np.int8)
    labels[:24, :20] = 0
    labels[:24, 20:24] = 1
    labels[24:26, :24] = 1  # a sliver: too little to own the cell
    owned = owners(labels, CELLS)
    assert owned[0] == 0
    assert set(owned[1:]) == {-1}


def test_boxes_on_the_grid_stay_below_1000() -> None:
    assert grid_box((0, 96, 192, 192), 192, 192) == [0, 500, 999, 999]


def test_a_shard_comes_back_as_it_was_and_a_mirror_twice_is_none(tmp_path) -> None:
    arrays = draw_arrays(4, 3, shipped_bank(), SceneRecipe())
    write_shard(tmp_path / "000", arrays)
    read_arrays = read_shard(tmp_path / "000")
    assert np.array_equal(read_arrays.images, arrays.images)
    mirrored_twice = mirror(mirror(arrays))
    assert np.array_equal(mirrored_twice.images, arrays.images)
    assert np.array_equal(mirrored_twice.cells, arrays.cells)
    assert np.abs(mirrored_twice.objects - arrays.objects).max() <= 1


def test_owners_lie_inside_their_boxes() -> None:
    arrays = draw_arrays(10, 5, shipped_bank(), SceneRecipe())
    for row in range(len(arrays)):
        for place in np.flatnonzero(arrays.patches[row] >= 0):
            box = arrays.objects[row, arrays.patches[row, place], 1:]
            y, x = divmod(int(place), PATCHES)
            assert box[0] - 85 < 1000 * x / PATCHES < box[2] + 1
            assert box[1] - 85 < 1000 * y / PATCHES < box[3] + 1
