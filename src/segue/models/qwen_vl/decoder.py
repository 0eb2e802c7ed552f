"""The parts of Qwen-VL's language model: norm, rotary angles, attention, gated MLP, block.

Module names are those of the published weights, so adapters written for them fit.

Source: Bai et al. 2023, Qwen, arXiv:2309.16609 (dynamic NTK, log-n); Su et al. 2021, RoFormer,
arXiv:2104.09864; the shape of the published weights.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from segue.models.qwen_vl.configuration import QwenVLConfig


def ntk_alpha(length: int, trained_length: int) -> float:
    """How far to stretch the rotary base for a prompt of `length` positions.

    1 up to the trained length, then 3, 7, 15, ... each time the length doubles.

    Example:
        >>> [ntk_alpha(length, 2048) for length in (1, 2048, 2049, 4096, 4097)]
        [1.0, 1.0, 3.0, 3.0, 7.0]
    """
    doublings = math.ceil(math.log2(max(length, 1) / trained_length) + 1)
    return max(2.0**doublings - 1.0, 1.0)


@lru_cache(maxsize=64)
def _rates(dim: int, base: float, alpha: float, device: torch.device) -> Tensor:
    """Radians per position of each pair of channels: (dim / 2,) float32."""
    stretched = base * alpha ** (dim / (dim - 2))
    with torch.inference_mode(False):  # an inference tensor could not be trained with later
        steps = torch.arange(0, dim, 2, dtype=torch.float32, device=device)
        return stretched ** (-steps / dim)


class Angles:
    """What attention needs to know about positions: rotation, and log-n scaling if any."""

    def __init__(
        self, config: QwenVLConfig, positions: Tensor, alpha: float, *, log_n: bool
    ) -> None:
        """Prepare one forward pass.

        Args:
            config: sizes and the rotary base.
            positions: (B or 1, T) int64, from 0.
            alpha: stretch of the rotary base, see `ntk_alpha`.
            log_n: scale the queries that lie beyond the trained length.
        """
        rates = _rates(config.kv_channels, config.rotary_emb_base, alpha, positions.device)
        angles = positions[:, None, :, None].float() * rates
        angles = torch.cat([angles, angles], dim=-1)  # (B or 1, 1, T, head_dim)
        self.cos, self.sin = angles.cos(), angles.sin()
        self.log_n: Tensor | None = None
        if log_n:
            scale = (positions + 1).float().log() / math.log(config.seq_length)
            self.log_n = scale.clamp(min=1.0)[:, None, :, None]

    def rotate(self, x: Tensor) -> Tensor:
        """Turn (..., B, heads, T, head_dim) by positions, in float32, back in its own dtype."""
        half = x.shape[-1] // 2
        wide = x.float()
        rotated = torch.cat([-wide[..., half:], wide[..., :half]], dim=-1)
        return (wide * self.cos + rotated * self.sin).to(x.dtype)


class RMSNorm(nn.Module):
    """Root mean square norm: statistics in float32, the weight applied in the input's dtype."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same shape and dtype."""
        if x.dtype == torch.float32 and self.weight.dtype == torch.float32:
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return wide.to(x.dtype) * self.weight


class Attention(nn.Module):
    """Causal self attention; one linear layer makes the blocks [q | k | v]."""

    def __init__(self, config: QwenVLConfig, layer_index: int) -> None:
        super().__init__()
        self.config = config
        self.layer_index = layer_index
        self.c_attn = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.c_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(
        self, x: Tensor, angles: Angles, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        """(B, T, width) to the same shape.

        Args:
            mask: broadcastable to (B, heads, T, held + T), bool (True attends) or additive;
                None is plain causal, which a single query or an empty cache allows.
            cache: where keys and values are kept; None keeps none.
        """
        batch, length, width = x.shape
        packed = self.c_attn(x).view(batch, length, 3, -1, self.config.kv_channels)
        packed = packed.permute(2, 0, 3, 1, 4)  # (3, B, heads, T, head_dim)
        query, key = angles.rotate(packed[:2]).unbind(0)
        value = packed[2]
        if angles.log_n is not None:
            query = query * angles.log_n.to(query.dtype)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_index)
        mixed = self._attend(query, key, value, mask)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        length = query.shape[2]
        if self.config._attn_implementation != "eager":
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=mask is None and length > 1
            )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if mask is None and length > 1:
            mask = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        elif mask is not None:
            scores = scores + mask
        return scores.softmax(-1) @ value


class GatedMLP(nn.Module):
    """`c_proj(w1(x) * silu(w2(x)))`: the activated gate is `w2`."""

    def __init__(self, config: QwenVLConfig) -> None:
        super().__init__()
        hidden = config.intermediate_size // 2
        self.w1 = nn.Linear(config.hidden_size, hidden, bias=False)
        self.w2 = nn.Linear(config.hidden_size, hidden, bias=False)
        self.c_proj = nn.Linear(hidden, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        return self.c_proj(self.w1(x) * F.silu(self.w2(x)))


class DecoderBlock(GradientCheckpointingLayer):
    """One pre-norm block."""

    def __init__(self, config: QwenVLConfig, layer_index: int) -> None:
        super().__init__()
        self.ln_1 = RMSNorm(config.hidden_size, config.layer_norm_epsilon)
        self.attn = Attention(config, layer_index)
        self.ln_2 = RMSNorm(config.hidden_size, config.layer_norm_epsilon)
        self.mlp = GatedMLP(config)

    def forward(
        self,
        x: Tensor,
        angles: Angles,
        mask: Tensor | None,
        past_key_values: Cache | None = None,
    ) -> Tensor:
        """(B, T, width) to the same shape; the arguments are those of `Attention`."""
        x = x + self.attn(self.ln_1(x), angles, mask, past_key_values)
        return x + self.mlp(self.ln_2(x))
