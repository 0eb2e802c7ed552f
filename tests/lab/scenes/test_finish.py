"""What is done to whole pictures."""

import numpy as np
import pytest

from lab.scenes.finish import FINISHES, finished, put_in_front


@pytest.mark.parametrize("name", FINISHES)
def test_a_finish_keeps_the_size_and_changes_the_picture(name: str) -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (60, 90, 3)).astype(np.float32)
    changed = finished(np.random.default_rng(1), picture, (name,))
    assert changed.shape == picture.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert np.abs(changed - picture).mean() > 1


def test_no_finish_leaves_the_picture_alone() -> None:
    picture = np.full((20, 20, 3), 300, np.float32)
    assert finished(np.random.default_rng(0), picture, ()) is picture


def test_what_lies_in_front_is_background() -> None:
    picture, labels = np.zeros((80, 80, 3), np.float32), np.zeros((80, 80), np.int8)
    put_in_front(np.random.default_rng(3), picture, labels, 5)
    assert (labels == -1).any()
    assert (picture[labels == 0].max(-1) < 255).all()
    assert picture[labels == -1].max() > 0
