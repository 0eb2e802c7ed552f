"""The settings of a Qwen-VL network, read from the `config.json` published with its weights.

Every key keeps its published name, so an original configuration loads as it is. Keys that the
original does not have are optional and default to its behaviour; they exist so that a much
smaller network of the same architecture can be described.

Source: Bai et al. 2023, Qwen-VL, arXiv:2308.12966; the configuration of Qwen-VL-Chat.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from segue.errors import InputError


@dataclass(frozen=True, kw_only=True)
class VisualConfig:
    """The visual tower: a ViT and the cross attention that resamples its patches."""

    image_size: int = 448
    """Side of the square picture that the tower takes, in pixels."""
    patch_size: int = 14
    """Side of a patch, in pixels; must divide `image_size`."""
    width: int = 1664
    """Channels of the ViT."""
    layers: int = 48
    """Blocks of the ViT."""
    heads: int = 16
    """Attention heads of the ViT; must divide `width`."""
    mlp_ratio: float = 4.9231
    """The MLP is `int(width * mlp_ratio)` wide."""
    output_dim: int = 4096
    """Channels of a feature; the hidden size of the language model."""
    image_start_id: int = 151857
    """Id of `<img>`; `</img>` and `<imgpad>` are the next two."""
    n_queries: int = 256
    """Features (and slots in the text) per picture; a square number."""
    positional_grid: int = 16
    """Side of the ViT's stored position table, in patches."""
    resampler_heads: int = 0
    """Heads of the resampler; 0 stands for the original rule, `output_dim // 128`."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be built.

        Raises:
            InputError: a size does not divide another, or `n_queries` is not a square.
        """
        if self.resampler_heads == 0:
            object.__setattr__(self, "resampler_heads", self.output_dim // 128)
        divisions = (
            ("image_size", self.image_size, "patch_size", self.patch_size),
            ("width", self.width, "heads", self.heads),
            ("output_dim", self.output_dim, "resampler_heads", self.resampler_heads),
            ("output_dim", self.output_dim, "4", 4),
        )
        for name, size, part, divisor in divisions:
            if divisor < 1 or size % divisor:
                raise InputError(
                    f"visual.{name} must be a multiple of {part}, got {size} and {divisor}. "
                    "Correct config.json."
                )
        if math.isqrt(self.n_queries) ** 2 != self.n_queries:
            raise InputError(
                f"visual.n_queries must be a square number, got {self.n_queries}. "
                "Correct config.json."
            )

    @property
    def grid(self) -> int:
        """Patches along one side of a picture."""
        return self.image_size // self.patch_size

    @property
    def query_grid(self) -> int:
        """Queries along one side of a picture."""
        return math.isqrt(self.n_queries)

    @classmethod
    def read(cls, values: dict[str, Any]) -> "VisualConfig":
        """Read the `visual` entry of `config.json`; keys that are not known are ignored."""
        field_names = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in field_names})


@strict
class QwenVLConfig(PreTrainedConfig):
    """The whole network; the defaults are those of Qwen-VL-Chat."""

    model_type = "qwen"
    keys_to_ignore_at_inference = ["past_key_values"]  # noqa: RUF012 (Trainer adds a list)

    vocab_size: int = 151936
    """Rows of the embedding; a few more than the tokenizer has entries."""
    hidden_size: int = 4096
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    kv_channels: int = 128
    """Channels of one attention head."""
    intermediate_size: int = 22016
    """Twice the width of the gated MLP, as in the original."""
    seq_length: int = 2048
    """Trained length: beyond it dynamic NTK and log-n scaling begin (never in training mode)."""
    max_position_embeddings: int = 8192
    rotary_emb_base: float | int = 10000
    rotary_pct: float | int = 1.0
    layer_norm_epsilon: float = 1e-6
    initializer_range: float = 0.02
    use_dynamic_ntk: bool = True
    use_logn_attn: bool = True
    no_bias: bool = True
    use_cache: bool = True
    tie_word_embeddings: bool = False
    visual: dict[str, Any] | None = None
    """The visual tower; read it through `visual_config`."""

    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Check what the network relies on.

        Raises:
            InputError: the sizes contradict each other or ask for a variant that is not built.
        """
        super().__post_init__(**kwargs)
        self.visual = dict(self.visual or {})
        if self.num_attention_heads * self.kv_channels != self.hidden_size:
            raise InputError(
                "num_attention_heads * kv_channels must equal hidden_size, got "
                f"{self.num_attention_heads} * {self.kv_channels} and {self.hidden_size}. "
                "Correct config.json."
            )
        output_dim = self.visual_config.output_dim
        if output_dim != self.hidden_size:
            raise InputError(
                f"visual.output_dim must equal hidden_size, got {output_dim} and "
                f"{self.hidden_size}. Correct config.json."
            )
        if self.rotary_pct != 1.0 or not self.no_bias or self.intermediate_size % 2:
            raise InputError(
                "This Qwen-VL needs rotary_pct 1.0, no_bias true and an even intermediate_size, "
                f"got {self.rotary_pct}, {self.no_bias} and {self.intermediate_size}. "
                "Use a checkpoint of the Qwen-VL family of 2023."
            )

    @property
    def visual_config(self) -> VisualConfig:
        """The `visual` entry as checked values."""
        return VisualConfig.read(self.visual or {})
