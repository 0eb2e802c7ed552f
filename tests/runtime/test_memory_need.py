"""What a network will need, told from its configuration."""

import pytest

from segue.errors import InputError
from segue.runtime.memory_need import (
    CONTEXT_TOKENS,
    MemoryNeed,
    NetworkShape,
    need_of_vision,
    read_context,
    sum_of,
)


def test_layers_with_a_window_keep_no_more_than_it():
    config = {
        "text_config": {
            "num_hidden_layers": 6, "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
            "sliding_window": 100, "num_attention_heads": 8, "num_key_value_heads": 2,
            "head_dim": 16,
        }
    }  # fmt: skip
    shape = NetworkShape.of(config)
    assert shape.cache_values(1000) == 2 * 2 * 16 * (1000 + 5 * 100)


@pytest.mark.parametrize("config", [{}, {"text_config": None}, {"hidden_size": "odd"}, {"x": []}])
def test_a_configuration_that_says_nothing_counts_as_nothing(config):
    shape = NetworkShape.of(config)
    assert (shape.cache_values(9), shape.work_values(9)) == (0, 0)


def test_the_tokens_in_use_are_the_usual_or_those_asked_for():
    shape = NetworkShape(max_context=32_768)
    assert shape.tokens_in_use() == CONTEXT_TOKENS
    assert shape.tokens_in_use(20_000) == 20_000
    assert shape.tokens_in_use(99_999) == 32_768


@pytest.mark.parametrize("value", ["all", "100", "-5", "1e4", ""])
def test_a_context_is_a_number_of_tokens(value):
    with pytest.raises(InputError, match="context must be a number of tokens, at least 512"):
        read_context(value)


def test_networks_work_one_after_another():
    small, large = MemoryNeed(weights=1, cache=2, work=3), need_of_vision(200_000_000)
    both = sum_of([small, large])
    assert (both.weights, both.cache, both.work) == (200_000_001, 2, large.work)
    assert need_of_vision(10).work == 0
