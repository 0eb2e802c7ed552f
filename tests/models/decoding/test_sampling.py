"""Every allowed temperature and top_p picks a token."""

import sys

import pytest
import torch

from segue.models.decoding.sampling import COLDEST, SamplingSettings, TokenSampler

SMALLEST = [5e-324, sys.float_info.min, 1e-300, 1e-45, 1e-38, 1e-30, 1e-10]
LOGITS = torch.tensor([1.0, 5.0, 4.999, -3.0, 0.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("temperature", [*SMALLEST, COLDEST / 2, 0.0])
def test_the_coldest_temperatures_take_the_likeliest_token(temperature, dtype):
    sampler = TokenSampler(SamplingSettings(temperature=temperature, seed=1))
    assert {sampler.sample(LOGITS.to(dtype)) for _ in range(5)} == {1}


@pytest.mark.parametrize("vocabulary", [5, 1000])
@pytest.mark.parametrize("top_p", SMALLEST)
def test_the_smallest_top_p_takes_the_likeliest_token(top_p, vocabulary):
    logits = torch.full((vocabulary,), -2.0)
    logits[:5] = LOGITS
    sampler = TokenSampler(SamplingSettings(top_p=top_p, temperature=2.0, seed=1))
    assert {sampler.sample(logits) for _ in range(5)} == {1}


@pytest.mark.parametrize("temperature", [COLDEST, 1e-3, 1.0, 2.0, 100.0])
@pytest.mark.parametrize("top_p", [1e-300, 0.5, 1.0])
def test_every_mixture_picks_some_token(temperature, top_p):
    sampler = TokenSampler(SamplingSettings(temperature=temperature, top_p=top_p, seed=1))
    huge = torch.tensor([3e4, -3e4, 0.0, 1e4])
    assert {sampler.sample(huge) for _ in range(5)} == {0} or temperature == 100.0


def test_warm_temperatures_still_differ():
    sampler = TokenSampler(SamplingSettings(temperature=2.0, seed=1))
    assert len({sampler.sample(LOGITS) for _ in range(50)}) > 2
