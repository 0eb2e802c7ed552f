"""J and F against what DAVIS says of them."""

import numpy as np
import pytest

from builders import a_mask
from segue.errors import InputError
from segue.evaluate.video_masks import boundary_accuracy, region_similarity, score_track
from segue.values.box import Box

MASK = a_mask(Box(10, 10, 40, 40)).array
NOTHING = np.zeros_like(MASK)


def test_equal_masks_score_one_and_empty_ones_too():
    assert region_similarity(MASK, MASK) == boundary_accuracy(MASK, MASK) == 1
    assert region_similarity(NOTHING, NOTHING) == boundary_accuracy(NOTHING, NOTHING) == 1
    assert region_similarity(MASK, NOTHING) == boundary_accuracy(MASK, NOTHING) == 0


def test_a_boundary_may_lie_off_by_the_tolerance():
    shifted = np.roll(MASK, 1, axis=1)  # 0.008 of the diagonal of 80 pixels is one pixel
    assert boundary_accuracy(MASK, shifted) == 1
    assert boundary_accuracy(MASK, np.roll(MASK, 6, axis=1)) < 0.5
    assert region_similarity(MASK, shifted) < 1


def test_accuracy_does_not_depend_on_which_mask_is_true():
    other = np.roll(MASK, 3, axis=0)
    assert 0 < boundary_accuracy(MASK, other) < 1
    assert boundary_accuracy(MASK, other) == boundary_accuracy(other, MASK)


def test_a_track_is_scored_without_its_first_and_last_frame():
    assert score_track([NOTHING, MASK, NOTHING], [MASK, MASK, MASK]) == (1, 1)
    with pytest.raises(InputError, match="at least 3 frames, got 2"):
        score_track([MASK, MASK], [MASK, MASK])
