"""Run lengths state a size that is compared before anything is allocated."""

import tracemalloc

import numpy as np
import pytest

from segue.errors import InputError
from segue.values.box import Size
from segue.values.mask import Mask, rle


def peak_bytes(work):
    """Bytes that a call had at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("side", [3000, 16_000, 200_000, 10**30])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_false_size_costs_no_memory(side, as_text):
    counts = "0" if as_text else [0, side * side]

    def work():
        with pytest.raises(InputError, match="must be that of its picture"):
            rle.decode({"size": [side, side], "counts": counts}, expected_size=(48, 64))

    assert peak_bytes(work) < 200_000


def test_a_mask_may_not_claim_more_pixels_than_allowed():
    claim = {"size": [2**14, 2**14 + 1], "counts": [0, 2**14 * (2**14 + 1)]}

    def work():
        with pytest.raises(InputError, match="larger than the limit of 268435456"):
            rle.decode(claim)
        with pytest.raises(InputError, match="larger than the limit of 99 "):
            rle.decode({"size": [10, 10], "counts": [100]}, max_pixels=99)

    assert peak_bytes(work) < 200_000
    assert rle.decode({"size": [10, 10], "counts": [100]}, max_pixels=100).shape == (10, 10)


def test_a_true_size_is_decoded_at_two_bytes_a_pixel():
    claim = {"size": [1000, 2000], "counts": [1, 1_999_999]}
    assert rle.decode(claim, expected_size=(1000, 2000)).sum() == 1_999_999
    assert peak_bytes(lambda: rle.decode(claim, expected_size=(1000, 2000))) < 2.1 * 2_000_000


def test_a_mask_can_be_held_to_the_size_of_its_picture():
    mask = Mask(np.eye(4, 6, dtype=bool))
    assert Mask.from_rle(mask.rle, size=Size(4, 6)) == mask
    with pytest.raises(InputError, match=r"got 4 x 6"):
        Mask.from_rle(mask.rle, size=Size(6, 4))
