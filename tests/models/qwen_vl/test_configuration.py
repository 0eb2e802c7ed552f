import json

import pytest

from segue.errors import InputError
from segue.models.qwen_vl import QwenVLConfig, VisualConfig
from tiny_qwen_vl import a_config


def test_the_published_configuration_is_the_default(shared) -> None:
    path = shared / "golden" / "qwen_vl" / "qwen-vl-chat.config.json"
    published = QwenVLConfig.from_dict(json.loads(path.read_text()))
    assert published.visual_config == VisualConfig()
    default = QwenVLConfig()
    for key in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size",
                "seq_length", "kv_channels", "use_logn_attn", "tie_word_embeddings"):  # fmt: skip
        assert getattr(published, key) == getattr(default, key)


def test_optional_visual_settings_keep_the_original_behaviour() -> None:
    config = VisualConfig.read({"output_dim": 256, "unknown": 1})
    assert (config.resampler_heads, config.n_queries, config.positional_grid) == (2, 256, 16)


def test_a_configuration_survives_json(tmp_path) -> None:
    config = a_config(tie_word_embeddings=True)
    config.save_pretrained(tmp_path)
    again = QwenVLConfig.from_pretrained(tmp_path)
    assert again.visual_config == config.visual_config
    assert again.tie_word_embeddings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kv_channels": 7}, "kv_channels"),
        ({"hidden_size": 64, "num_attention_heads": 4}, "output_dim"),
        ({"no_bias": False}, "no_bias"),
        ({"visual": a_config().visual | {"image_size": 29}}, "image_size"),
        ({"visual": a_config().visual | {"n_queries": 15}}, "square"),
        ({"visual": a_config().visual | {"heads": 5}}, "heads"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(changes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        a_config(**changes)
