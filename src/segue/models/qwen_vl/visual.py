"""Qwen-VL's eye: a ViT whose patches are resampled to a fixed number of features.

It knows nothing about text, files or pixels in [0, 255]: pictures arrive resized and normalised
(see `processor.py`). Module names are those of the published weights.

Source: Bai et al. 2023, Qwen-VL, arXiv:2308.12966, section 2; the shape of the published weights.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from segue.errors import InputError
from segue.models.qwen_vl.configuration import VisualConfig

LAYER_NORM_EPS = 1e-6


def attend(query: Tensor, key: Tensor, value: Tensor, implementation: str) -> Tensor:
    """Attend without a mask; all are (N, heads, length, head_dim), and so is the result.

    Args:
        implementation: `"eager"` writes the product out; any other name fuses it.
    """
    if implementation != "eager":
        return F.scaled_dot_product_attention(query, key, value)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.softmax(-1) @ value


def resize_table(table: Tensor, grid: int) -> Tensor:
    """Resample a (side * side, C) position table to (grid * grid, C), bicubic, in float32.

    A table that already has the size is returned as it is.
    """
    side = math.isqrt(table.shape[0])
    if side == grid:
        return table
    image = table.float().view(1, side, side, -1).permute(0, 3, 1, 2)
    image = F.interpolate(image, size=(grid, grid), mode="bicubic", align_corners=False)
    return image.permute(0, 2, 3, 1).reshape(grid * grid, -1).to(table.dtype)


def sine_cosine_table(width: int, positions: Tensor) -> Tensor:
    """Return the 2-D sine and cosine code of a square grid, as float32.

    The first half of the channels tells the column, the second half the row; each half holds
    all its sines, then all its cosines, of frequencies 10000 ** (-k / (width / 4)).

    Args:
        width: channels; a multiple of 4.
        positions: (side,) coordinate of each column, and of each row.

    Returns:
        (side * side, width), row-major.
    """
    quarter = width // 4
    rates = 10000 ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = positions.double()[:, None] * rates  # (side, width / 4)
    code = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, width / 2)
    side = len(positions)
    columns = code[None].expand(side, -1, -1)
    rows = code[:, None].expand(-1, side, -1)
    return torch.cat([columns, rows], dim=2).reshape(side * side, width).float()


class VisualAttention(nn.Module):
    """Self attention over patches; queries, keys and values are interleaved head by head."""

    def __init__(self, config: VisualConfig, implementation: str) -> None:
        super().__init__()
        self.heads = config.heads
        self.implementation = implementation
        self.in_proj = nn.Linear(config.width, 3 * config.width)
        self.out_proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to the same shape."""
        n, patches, width = x.shape
        packed = self.in_proj(x).view(n, patches, self.heads, 3, width // self.heads)
        query, key, value = packed.permute(3, 0, 2, 1, 4).unbind(0)
        mixed = attend(query, key, value, self.implementation)
        return self.out_proj(mixed.transpose(1, 2).reshape(n, patches, width))


class VisualMLP(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, config: VisualConfig) -> None:
        super().__init__()
        hidden = int(config.width * config.mlp_ratio)
        self.c_fc = nn.Linear(config.width, hidden)
        self.c_proj = nn.Linear(hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to the same shape."""
        return self.c_proj(F.gelu(self.c_fc(x)))


class VisualBlock(GradientCheckpointingLayer):
    """One pre-norm block of the ViT."""

    def __init__(self, config: VisualConfig, implementation: str) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.ln_2 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.attn = VisualAttention(config, implementation)
        self.mlp = VisualMLP(config)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to the same shape."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class VisualBlocks(nn.Module):
    """The stack of blocks."""

    def __init__(self, config: VisualConfig, implementation: str) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            VisualBlock(config, implementation) for _ in range(config.layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to the same shape."""
        for block in self.resblocks:
            x = block(x)
        return x


class CrossAttention(nn.Module):
    """Multi-head attention of queries over patches, weights stored as blocks [Q | K | V]."""

    def __init__(self, config: VisualConfig, implementation: str) -> None:
        super().__init__()
        dim = config.output_dim
        self.heads = config.resampler_heads
        self.implementation = implementation
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        self.reset()

    def reset(self) -> None:
        """Draw the packed projection anew."""
        nn.init.trunc_normal_(self.in_proj_weight, std=0.02)
        nn.init.zeros_(self.in_proj_bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend with (queries, D) over keys and values (N, patches, D), to (N, queries, D)."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        n = key.shape[0]
        # The queries are the same for every picture: project them once.
        projected = F.linear(query, weights[0], biases[0])[None].expand(n, -1, -1)
        mixed = attend(
            self._split(projected),
            self._split(F.linear(key, weights[1], biases[1])),
            self._split(F.linear(value, weights[2], biases[2])),
            # A single layer: outside training, prefer the rounding of the published numbers.
            self.implementation if self.training else "eager",
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Resampler(nn.Module):
    """One cross attention from learned queries to the patches of a picture.

    Positions are added to queries and keys, never to values. `pos_embed` is stored and starts
    out frozen, as in the original; the keys read it resized to the grid of patches.
    """

    def __init__(self, config: VisualConfig, implementation: str) -> None:
        super().__init__()
        dim = config.output_dim
        table = sine_cosine_table(dim, torch.arange(config.query_grid))
        self.pos_embed = nn.Parameter(table, requires_grad=False)
        self.query = nn.Parameter(torch.empty(config.n_queries, dim))
        nn.init.trunc_normal_(self.query, std=0.02)
        if config.width == dim:
            self.kv_proj: nn.Module = nn.Identity()
        else:
            self.kv_proj = nn.Linear(config.width, dim, bias=False)
        self.attn = CrossAttention(config, implementation)
        self.ln_q = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.ln_kv = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, g * g, width) to (N, queries, D)."""
        value = self.ln_kv(self.kv_proj(patches))
        positions = resize_table(self.pos_embed, math.isqrt(patches.shape[1]))
        query = self.ln_q(self.query) + self.pos_embed
        return self.attn(query, value + positions, value)


class VisualTower(nn.Module):
    """ViT, resampler and final projection."""

    def __init__(self, config: VisualConfig, implementation: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        width, dim = config.width, config.output_dim
        self.conv1 = nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=False)
        table = torch.randn(config.positional_grid**2, width) * width**-0.5
        self.positional_embedding = nn.Parameter(table)
        self.ln_pre = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.transformer = VisualBlocks(config, implementation)
        self.attn_pool = Resampler(config, implementation)
        self.ln_post = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.proj = nn.Parameter(torch.randn(dim, dim) * dim**-0.5)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Turn pictures into features.

        Args:
            pixel_values: (N, 3, S, S), RGB, normalised; S a multiple of the patch size.

        Returns:
            (N, queries, output_dim), in the dtype of the weights (or of autocast).

        Raises:
            InputError: the shape is another one.
        """
        return self.pool(self.encode_patches(pixel_values))

    def encode_patches(self, pixel_values: Tensor) -> Tensor:
        """Run the ViT alone: (N, 3, S, S) to (N, g * g, width), patches row-major."""
        patch = self.config.patch_size
        if pixel_values.ndim != 4 or pixel_values.shape[1] != 3:
            raise InputError(
                f"pixel_values must be (N, 3, S, S), got {tuple(pixel_values.shape)}. "
                "Make them with processor.image_processor(images)."
            )
        height, width = pixel_values.shape[2:]
        if height != width or height % patch:
            raise InputError(
                f"pixel_values must be square with a side that is a multiple of {patch}, got "
                f"{height} x {width}. Make them with processor.image_processor(images)."
            )
        grid = height // patch
        x = self._embed(pixel_values.to(self.conv1.weight.dtype), grid)
        x = self.ln_pre(x + resize_table(self.positional_embedding, grid))
        return self.transformer(x)

    def _embed(self, pixels: Tensor, grid: int) -> Tensor:
        """Project each patch: (N, 3, S, S) to (N, g * g, width)."""
        if not self.training:  # the same rounding as the published implementation
            return self.conv1(pixels).flatten(2).transpose(1, 2)
        # A convolution whose stride is its size is a matrix product over unfolded patches; its
        # gradient is several times faster on a CPU.
        patch = self.config.patch_size
        unfolded = pixels.unflatten(3, (grid, patch)).unflatten(2, (grid, patch))
        unfolded = unfolded.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(unfolded, self.conv1.weight.flatten(1))

    def pool(self, patches: Tensor) -> Tensor:
        """Resample patches (N, g * g, width) to features (N, queries, output_dim)."""
        return self.ln_post(self.attn_pool(patches)) @ self.proj

    def reset(self) -> None:
        """Initialise for training from scratch: small normal weights, damped residual ends."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        ends = (".attn.out_proj.weight", ".mlp.c_proj.weight")
        with torch.no_grad():
            for name, weight in self.transformer.named_parameters():
                if name.endswith(ends):
                    weight.mul_((2 * self.config.layers) ** -0.5)
        self.attn_pool.attn.reset()
