"""The classifier of photographs can be fitted and measured."""

import numpy as np

from lab.photographs import crops_of, draw_scenes, error_rates, fit


def textures(count):
    """Pictures with noise everywhere."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        coarse = rng.integers(60, 200, (12, 12, 3)).repeat(20, 0).repeat(20, 1)
        yield np.clip(coarse + rng.normal(0, 25, coarse.shape), 0, 255).astype(np.uint8)


def test_the_fit_separates_textures_from_scenes():
    constants = fit(list(textures(6)), draw_scenes(8, seed=1))
    assert {name: len(values) for name, values in constants.items()} == {
        "MEANS": 6, "DEVIATIONS": 6, "WEIGHTS": 6, "BIAS": 1
    }  # fmt: skip
    assert constants["WEIGHTS"][0] < 0  # flat areas speak for a scene


def test_mistakes_are_counted_out_of_all():
    rates = error_rates(list(textures(3)), 10)
    assert rates["photographs taken for scenes"] == "0 of 3"
    assert all(rate.endswith(" of 10") for rate in list(rates.values())[1:])


def test_crops_lie_within_the_photograph():
    (photograph,) = textures(1)
    assert all(min(crop.shape[:2]) > 50 for crop in crops_of(photograph, np.random.default_rng(1)))
