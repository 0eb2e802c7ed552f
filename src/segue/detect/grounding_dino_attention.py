"""Grounding DINO's two kinds of attention, computed with less work; the numbers stay the same.

Deformable attention (Zhu et al. 2020, arXiv:2010.04159, section 4.1) is a weighted sum of a few
rows of a table, which PyTorch has as one fused operation, `embedding_bag`. Sampling each level with
`grid_sample`, as the published code does, copies every value four times on the way.

The fusion of picture and words (Liu et al. 2023, arXiv:2303.05499, section 3.1) projects all of
some 20,000 image tokens three times to 1,024 channels, to compare them with a handful of words. By
the associative law, the projections can be applied to the words instead: (x Wq) kT = x (Wq kT).

The feed-forward layers take the image tokens in portions, whose 2,048 hidden channels stay in the
processor's cache.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TOKENS_AT_ONCE = 1024
"""What is computed for them stays in the processor's cache."""


def use_lean_attention(model: Any, device: torch.device) -> None:
    """Put the attention of this module into a Grounding DINO of transformers, in place.

    Args:
        model: a `GroundingDinoForObjectDetection` or `MMGroundingDinoForObjectDetection`.
        device: where it runs; on an accelerator `grid_sample` is fast, and stays.
    """
    for layer in model.model.encoder.layers:
        deformable = layer.deformable_layer
        layer.fusion_layer.attn = LeanFusion(layer.fusion_layer.attn)
        deformable.fc2 = PortionedFeedForward(
            deformable.fc1, deformable.activation_fn, deformable.fc2
        )
        deformable.fc1 = deformable.activation_fn = nn.Identity()
        if device.type == "cpu":
            deformable.self_attn.attn = RowSampling()
    if device.type == "cpu":
        for layer in model.model.decoder.layers:
            layer.encoder_attn.attn = RowSampling()


def use_half_precision(model: Any, dtype: torch.dtype) -> None:
    """Let the parts of a Grounding DINO compute in `dtype` that bear it, in place.

    These are the backbone, and in the encoder the feed-forward layers and what is done to each
    value before and after sampling: nine tenths of the work. Where to sample, scores and boxes stay
    in float32, and so do all weights.

    Args:
        model: a model of transformers that `use_lean_attention` was called with.
        dtype: torch.bfloat16 or torch.float16.
    """
    backbone = model.model.backbone.conv_encoder
    backbone.model = InHalfPrecision(backbone.model, dtype)
    for layer in model.model.encoder.layers:
        deformable = layer.deformable_layer
        deformable.fc2 = InHalfPrecision(deformable.fc2, dtype)
        attention = deformable.self_attn
        attention.value_proj = InHalfPrecision(attention.value_proj, dtype)
        attention.output_proj = InHalfPrecision(attention.output_proj, dtype)


class InHalfPrecision(nn.Module):
    """A part of a network under autocast; its results are float32 again."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module, dtype

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Call the module."""
        device = next(self.module.parameters()).device.type
        with torch.autocast(device, self.dtype):
            output = self.module(*inputs, **options)
        if isinstance(output, Tensor):
            return output.float()
        output.feature_maps = tuple(level.float() for level in output.feature_maps)
        return output


class RowSampling(nn.Module):
    """The core of deformable attention: bilinear samples of the levels, weighted and added."""

    def forward(
        self,
        value: Tensor,
        value_spatial_shapes: Tensor | None,
        value_spatial_shapes_list: list[tuple[int, int]],
        level_start_index: Tensor | None,
        sampling_locations: Tensor,
        attention_weights: Tensor,
        im2col_step: int = 0,
    ) -> Tensor:
        """Sample; the arguments are those of the module that this one replaces.

        Args:
            value: (B, S, H, D), the tokens of all levels, one level after the other.
            value_spatial_shapes: not used.
            value_spatial_shapes_list: height and width of each of the L levels.
            level_start_index: not used.
            sampling_locations: (B, Q, H, L, P, 2), x and y as shares of the picture.
            attention_weights: (B, Q, H, L, P).
            im2col_step: not used.

        Returns:
            (B, Q, H * D), in the number format of `value`.
        """
        batch, tokens, heads, channels = value.shape
        queries = sampling_locations.shape[1]
        table = value.float().reshape(batch * tokens * heads, channels)
        levels = _Levels(value_spatial_shapes_list, heads)
        output = torch.empty(batch, queries, heads * channels, device=value.device)
        for row in range(batch):
            for start in range(0, queries, TOKENS_AT_ONCE):
                part = slice(start, start + TOKENS_AT_ONCE)
                indices, weights = levels.corners(
                    sampling_locations[row, part].float(), attention_weights[row, part].float()
                )
                sums = F.embedding_bag(
                    indices.flatten(2).flatten(0, 1) + row * tokens * heads,
                    table,
                    per_sample_weights=weights.flatten(2).flatten(0, 1),
                    mode="sum",
                )
                output[row, part] = sums.view(-1, heads * channels)
        return output.to(value.dtype)


class _Levels:
    """Where the rows of each level lie in the table of all values."""

    def __init__(self, shapes: list[tuple[int, int]], heads: int) -> None:
        self.sizes = torch.tensor([[w, h] for h, w in shapes], dtype=torch.float32)[:, None]
        sizes = torch.tensor(shapes, dtype=torch.int32)
        self.heights, self.widths = sizes[:, :1], sizes[:, 1:]
        counts = self.heights * self.widths
        self.starts = (counts.cumsum(0) - counts).to(torch.int32)
        self.heads = heads
        self.head_numbers = torch.arange(heads, dtype=torch.int32)[:, None, None]

    def corners(self, locations: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Return row and weight of the four tokens around each sample.

        Args:
            locations: (q, H, L, P, 2), shares of the picture.
            attention: (q, H, L, P).

        Returns:
            Both (q, H, 4, L, P), the rows int32. Tokens outside a level weigh nothing.
        """
        places = locations * self.sizes - 0.5
        low = places.floor()
        share = places - low
        low = low.clamp(-2, 1 << 24).to(torch.int32)
        x0, y0 = low.unbind(-1)
        x1, y1 = x0 + 1, y0 + 1
        shape = (*attention.shape[:2], 4, *attention.shape[2:])
        rows, weights = attention.new_empty(shape, dtype=torch.int32), attention.new_empty(shape)
        left_weight = (1 - share[..., 0]) * _is_inside(x0, self.widths)
        right = share[..., 0] * _is_inside(x1, self.widths)
        upper = (1 - share[..., 1]) * _is_inside(y0, self.heights) * attention
        lower = share[..., 1] * _is_inside(y1, self.heights) * attention
        columns = [_clamped(x, self.widths) * self.heads + self.head_numbers for x in (x0, x1)]
        lines = [
            (_clamped(y, self.heights) * self.widths + self.starts) * self.heads for y in (y0, y1)
        ]
        for number, (line, column) in enumerate((n, m) for n in (0, 1) for m in (0, 1)):
            torch.add(lines[line], columns[column], out=rows[:, :, number])
            torch.mul((upper, lower)[line], (left_weight, right)[column], out=weights[:, :, number])
        return rows, weights


def _is_inside(places: Tensor, length: Tensor) -> Tensor:
    return (places >= 0) & (places < length)


def _clamped(places: Tensor, length: Tensor) -> Tensor:
    return torch.minimum(places.clamp(min=0), length - 1)


class PortionedFeedForward(nn.Module):
    """A feed-forward layer that takes the tokens in portions."""

    def __init__(self, first: nn.Module, activation: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(first, activation, second)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, C) to (B, N, C)."""
        if tokens.device.type != "cpu":
            return cast(Tensor, self.layers(tokens))
        return torch.cat([self.layers(part) for part in tokens.split(TOKENS_AT_ONCE, 1)], 1)


class LeanFusion(nn.Module):
    """The attention of picture and words to one another, without projecting every image token."""

    def __init__(self, original: Any) -> None:
        """Take the projections of the library's module.

        Args:
            original: a `GroundingDinoBiMultiHeadAttention`.
        """
        super().__init__()
        self.num_heads, self.head_dim = original.num_heads, original.head_dim
        self.scale = original.scale
        for name in (
            *("vision_proj", "text_proj", "values_vision_proj", "values_text_proj"),
            *("out_vision_proj", "out_text_proj"),
        ):
            setattr(self, name, getattr(original, name))

    def forward(
        self,
        vision_features: Tensor,
        text_features: Tensor,
        vision_attention_mask: Tensor | None = None,
        text_attention_mask: Tensor | None = None,
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Attend from the picture to the words, and from the words to the picture.

        Args:
            vision_features: (B, N, C).
            text_features: (B, T, C).
            vision_attention_mask: (B, N) bool, true on padding.
            text_attention_mask: (B, T) bool, true on padding.

        Returns:
            For the picture, then for the words: the output, of the shape of the features, and the
            attention, (B, heads, N, T) and (B, heads, T, N).
        """
        batch, tokens, _ = vision_features.shape
        words, heads = text_features.shape[1], self.num_heads
        keys = self._by_head(self._linear("text_proj")(text_features))  # (B, H, T, d)
        query = self._linear("vision_proj")
        queried = keys @ self._weight_by_head(query) * self.scale  # (B, H, T, C)
        offset = (keys * query.bias.view(heads, 1, self.head_dim)).sum(-1) * self.scale
        scores = torch.baddbmm(
            offset.reshape(batch, 1, heads * words),
            vision_features,
            queried.reshape(batch, heads * words, -1).transpose(1, 2),
        ).view(batch, tokens, heads, words)
        scores = scores.float()
        # As the library has it: differences beyond these bounds do not count.
        scores = (scores - scores.max()).clamp(min=-50000, max=50000)
        to_picture = scores.permute(0, 2, 3, 1)  # (B, H, T, N)
        to_picture = (to_picture - to_picture.amax(-1, keepdim=True)).clamp(min=-50000)
        if vision_attention_mask is not None:
            to_picture = to_picture.masked_fill(vision_attention_mask[:, None, None], -torch.inf)
        if text_attention_mask is not None:
            scores = scores.masked_fill(text_attention_mask[:, None, None], -torch.inf)
        to_picture, to_words = to_picture.softmax(-1), scores.softmax(-1)
        return (
            (self._read_words(to_words, text_features), to_words.transpose(1, 2)),
            (self._read_picture(to_picture, vision_features), to_picture),
        )

    def _read_words(self, attention: Tensor, text_features: Tensor) -> Tensor:
        """Return what each image token reads from the words: (B, N, C)."""
        batch, tokens = attention.shape[:2]
        values = self._by_head(self._linear("values_text_proj")(text_features))  # (B, H, T, d)
        last = self._linear("out_vision_proj")
        by_head = last.weight.view(-1, self.num_heads, self.head_dim).permute(1, 2, 0)  # (H, d, C)
        projected = (values @ by_head).flatten(1, 2)  # (B, H * T, C)
        flat = attention.reshape(batch, tokens, -1).to(projected.dtype)
        return torch.baddbmm(last.bias.to(projected.dtype), flat, projected)

    def _read_picture(self, attention: Tensor, vision_features: Tensor) -> Tensor:
        """Return what each word reads from the picture: (B, T, C)."""
        batch, heads, words, _ = attention.shape
        value = self._linear("values_vision_proj")
        context = attention.flatten(1, 2).to(vision_features.dtype) @ vision_features
        context = context.view(batch, heads, words, -1)
        values = context @ self._weight_by_head(value).transpose(1, 2)
        values = values + value.bias.view(heads, 1, self.head_dim)  # the attention adds up to 1
        return cast(Tensor, self._linear("out_text_proj")(values.transpose(1, 2).flatten(2)))

    def _linear(self, name: str) -> nn.Linear:
        return cast(nn.Linear, getattr(self, name))

    def _by_head(self, projected: Tensor) -> Tensor:
        """Turn (B, T, H * d) into (B, H, T, d)."""
        return projected.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _weight_by_head(self, linear: nn.Linear) -> Tensor:
        """Return the weights of a projection to all heads as (H, d, C)."""
        return linear.weight.view(self.num_heads, self.head_dim, -1)
