"""Scenes as arrays."""

from functools import partial
from itertools import islice

import numpy as np

from lab.chat.data import (
    CELLS,
    PATCHES,
    SceneStream,
    draw_arrays,
    draw_scenes,
    grid_box,
    mirror,
    owners,
    scene_arrays,
    stack,
)
from lab.scenes.scene import SceneRecipe, render
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


DRAW = partial(render, bank=shipped_bank(), recipe=SceneRecipe())


def test_a_stream_is_the_same_after_drawing_it_again() -> None:
    first, second = (SceneStream(DRAW, batch=3, seed=2, pool=9, fresh=0.5) for _ in range(2))
    for step in range(6):
        first.batch(step)
    second.load_state_dict(first.state_dict())
    assert np.array_equal(first.batch(6).images, second.batch(6).images)


def test_workers_have_scenes_of_their_own() -> None:
    streams = [SceneStream(DRAW, batch=2, seed=2, pool=9, fresh=1.0) for _ in range(3)]
    for number, stream in enumerate(streams):
        stream.branch(number)
    images = [stream.batch(0).images for stream in streams]
    assert not np.array_equal(images[0], images[1])
    assert not np.array_equal(images[1], images[2])


def test_arrays_are_put_together_in_order_and_a_mirror_twice_is_none() -> None:
    arrays = draw_arrays(4, 3, shipped_bank(), SceneRecipe())
    scenes = list(islice(draw_scenes(3, shipped_bank(), SceneRecipe()), 4))
    together = stack([scene_arrays(scenes[:1]), scene_arrays(scenes[1:])])
    assert np.array_equal(together.images, arrays.images)
    assert np.array_equal(together.objects, arrays.objects)
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
