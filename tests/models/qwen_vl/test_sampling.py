import pytest
import torch

from segue.errors import InputError
from segue.message import Sampling
from segue.models.qwen_vl.sampling import Choice, Picker

PUBLISHED = {"do_sample": True, "top_p": 0.3, "top_k": 0, "max_new_tokens": 512}


def test_published_settings_are_the_default() -> None:
    choice = Choice.of(Sampling(), PUBLISHED)
    assert (choice.temperature, choice.top_p, choice.max_new_tokens) == (1.0, 0.3, 512)
    assert Choice.of(Sampling(seed=1), {}).temperature == 0
    assert Choice.of(Sampling(temperature=0), PUBLISHED).temperature == 0
    assert Choice.of(Sampling(top_p=0.9), {}).temperature == 1.0


@pytest.mark.parametrize(
    "odd", [{"max_new_tokens": 0}, {"temperature": -1}, {"top_p": 0}, {"top_p": 1.5}]
)
def test_values_out_of_range_are_refused(odd) -> None:
    with pytest.raises(InputError, match=next(iter(odd))):
        Choice.of(Sampling(**odd), PUBLISHED)


def picked(logits: torch.Tensor, n: int = 200, **settings) -> set[int]:
    picker = Picker(Choice(seed=0, **settings))
    return {picker.pick(logits) for _ in range(n)}


def test_greedy_picks_the_likeliest() -> None:
    assert picked(torch.tensor([0.0, 3.0, 1.0]), temperature=0) == {1}


@pytest.mark.parametrize("size", [8, 1000])
def test_top_p_keeps_the_fewest_tokens_that_reach_it(size: int) -> None:
    logits = torch.full((size,), -30.0)
    logits[[2, 5, 7]] = torch.tensor([0.5, 0.3, 0.2]).log()
    assert picked(logits, top_p=0.3) == {2}
    assert picked(logits, top_p=0.6) == {2, 5}
    assert picked(logits, top_p=0.99) == {2, 5, 7}
    assert picked(logits, top_k=2) == {2, 5}
    assert picked(logits) == {2, 5, 7}


def test_a_flat_distribution_is_sampled_whole() -> None:
    assert len(picked(torch.zeros(600), n=3000, top_p=0.9)) > 400


def test_the_same_seed_picks_the_same() -> None:
    logits = torch.randn(50)
    one, other = (Picker(Choice(seed=5)) for _ in range(2))
    assert [one.pick(logits) for _ in range(9)] == [other.pick(logits) for _ in range(9)]
