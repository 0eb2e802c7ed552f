"""The embedded segmenter: an ordinary `SamModel` in miniature.

Its forward pass returns every mask token.

This file knows the sizes and the initialisation. It knows nothing about scenes, losses or files.

The library's initial values are meant to be overwritten by finished weights and train badly: a
vision encoder of zeros (`initializer_range` 1e-10), Fourier frequencies so high that positions
are noise, and prompt and mask tokens so small that a mask, a product of three small things, learns
nothing for hundreds of steps. Here every layer starts as PyTorch starts it, as in the original SAM,
with frequencies of standard deviation 1, and two things are laid out so that they need not be
found: absolute positions start as sines and cosines, and in attention between prompts and picture
queries and keys start alike, so that a place looks first at the prompt that is near it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import SamConfig, SamModel
from transformers.models.sam.configuration_sam import (
    SamMaskDecoderConfig,
    SamPromptEncoderConfig,
    SamVisionConfig,
)
from transformers.models.sam.modeling_sam import SamAttention

from segue.errors import InputError

PIXEL_MEAN = (0.485, 0.456, 0.406)  # of pixels in [0, 1]; the values SAM's own processor uses
PIXEL_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SegmenterSize:
    """Sizes of the network.

    `image` must be a multiple of `patch`, `decoder` of 8 and of twice `decoder_heads`.
    """

    image: int = 256
    patch: int = 8
    width: int = 128
    layers: int = 5
    heads: int = 4
    mlp_ratio: float = 3.0
    window: int = 8
    global_layers: tuple[int, ...] = (1, 3)
    decoder: int = 64
    decoder_heads: int = 4
    decoder_mlp: int = 192

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image // self.patch

    @property
    def mask(self) -> int:
        """Side of the low-resolution masks in their own pixels: four per patch."""
        return 4 * self.grid


class SegmenterOutput(NamedTuple):
    """What the network returns, in float32.

    `logits` are (B, P, 4, M, M) and the predicted IoU, `quality`, (B, P, 4); index 0 is the single
    mask.
    """

    logits: Tensor
    quality: Tensor


def segmenter_config(size: SegmenterSize) -> SamConfig:
    """Return the transformers configuration of this size, with eager attention.

    Eager, and set before construction, because the fused attention's backward pass is slow on
    processors and
    `set_attn_implementation` does not reach the vision layers afterwards.
    """
    vision = SamVisionConfig(
        hidden_size=size.width,
        output_channels=size.decoder,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        image_size=size.image,
        patch_size=size.patch,
        mlp_ratio=size.mlp_ratio,
        window_size=size.window,
        global_attn_indexes=list(size.global_layers),
        use_rel_pos=False,
        use_abs_pos=True,
        num_pos_feats=size.decoder // 2,
        initializer_range=0.02,
    )
    prompts = SamPromptEncoderConfig(
        hidden_size=size.decoder, image_size=size.image, patch_size=size.patch
    )
    decoder = SamMaskDecoderConfig(
        hidden_size=size.decoder,
        mlp_dim=size.decoder_mlp,
        num_attention_heads=size.decoder_heads,
        iou_head_hidden_dim=size.decoder,
        layer_norm_eps=1e-6,
    )
    # some library versions look for these on the sub-configuration itself
    decoder.initializer_range = 0.02
    prompts.initializer_range = 0.02
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    for part in (config, vision, prompts, decoder):
        part._attn_implementation = "eager"
    return config


def new_segmenter(size: SegmenterSize, seed: int = 0) -> SamModel:
    """Make a freshly initialised network; the same seed gives the same weights.

    The position frequencies are frozen.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SamModel(segmenter_config(size))
        for part in model.modules():
            if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
                part.reset_parameters()
    frequencies = torch.randn(2, size.decoder // 2, generator=generator)
    with torch.no_grad():
        for holder in (model.shared_image_embedding, model.prompt_encoder.shared_embedding):
            holder.positional_embedding.copy_(frequencies)
            holder.positional_embedding.requires_grad_(False)
        model.vision_encoder.pos_embed.copy_(_sines(size.grid, size.width))
        for layer in model.mask_decoder.transformer.layers:
            _look_nearby(layer.cross_attn_token_to_image, generator)
            _look_nearby(layer.cross_attn_image_to_token, generator)
        _look_nearby(model.mask_decoder.transformer.final_attn_token_to_image, generator)
    return model


def _sines(grid: int, width: int) -> Tensor:
    """Return sines and cosines of row and column, (1, grid, grid, width), amplitude one half."""
    at = (torch.arange(grid) + 0.5) / grid * torch.pi
    angles = at[:, None] * 2.0 ** torch.linspace(0, 4, width // 4)
    line = torch.cat([angles.sin(), angles.cos()], 1) / 2
    half = line.shape[1]
    table = torch.zeros(grid, grid, width)
    table[..., :half] = line[:, None]
    table[..., half : 2 * half] = line[None]
    return table[None]


def _look_nearby(attention: SamAttention, generator: torch.Generator) -> None:
    """Give queries and keys one projection.

    It is scaled so that equal positions score about 4 and distant ones 0.
    """
    inner, outer = attention.q_proj.weight.shape
    per_head = inner // attention.num_attention_heads
    spread = (4.0 * per_head**0.5 / (per_head * outer / 2)) ** 0.5  # |position|^2 is outer / 2
    shared = torch.randn(inner, outer, generator=generator) * spread
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight.copy_(shared)
        projection.bias.zero_()


def normalised_pixels(images: Tensor, sizes: Tensor) -> Tensor:
    """Normalise as SAM's processor does.

    Args:
        images: (B, S, S, 3) uint8.
        sizes: (B, 2) int64, height and width of what each image shows.

    Returns:
        (B, 3, S, S) float32, zeros to the right and below.
    """
    mean, std = (torch.tensor(values, device=images.device) for values in (PIXEL_MEAN, PIXEL_STD))
    pixels = (images.float() / 255 - mean) / std
    places = torch.arange(images.shape[1], device=images.device)
    inside = places[None, None] < sizes[:, :, None]
    return (pixels * (inside[:, 0, :, None] & inside[:, 1, None])[..., None]).permute(0, 3, 1, 2)


class Prompts(NamedTuple):
    """What is asked about each picture, in pixels of the padded square picture.

    `boxes` (B, P1, 4) float32 x0 y0 x1 y1, half-open; `points` (B, P2, K, 2) float32 x y;
    `labels` (B, P2, K) int64, 1 on the object, 0 beside it, -10 no point. `masks` is None or
    (B, 1, M, M) logits of an earlier answer, shared by every prompt of the picture as in SAM
    itself.
    """

    boxes: Tensor | None
    points: Tensor | None
    labels: Tensor | None
    masks: Tensor | None = None


def run_segmenter(
    model: SamModel,
    pixels: Tensor,
    prompts: Prompts,
    *,
    bfloat16: bool = False,
    embedded: bool = False,
) -> SegmenterOutput:
    """Return all four masks of every prompt, boxes first, then points.

    `pixels` (B, 3, S, S) float32 are normalised.

    With `embedded`, `pixels` is the vision encoder's output (B, D, g, g) instead.
    `SamModel.forward` can return either the single mask or the other three and takes boxes and
    points only in equal number, so training drives the parts itself. The prompt encoder stays in
    float32: its sines need the precision.
    """
    device = pixels.device.type
    embedding = pixels
    if not embedded:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
            embedding = model.vision_encoder(pixels).last_hidden_state
    sparse, dense = encode_prompts(model, prompts)
    positions = model.get_image_wide_positional_embeddings().repeat(len(pixels), 1, 1, 1)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
        return decode_all(model, embedding, positions, sparse, dense)


def encode_prompts(model: SamModel, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Return embeddings of prompts.

    Returns:
        The sparse ones (B, P, T, D) of boxes then points, padded to one length, and the dense
        one (B, D, g, g).
    """
    encoder = model.prompt_encoder
    parts = []
    dense: Tensor | None = None
    if prompts.boxes is not None:
        sparse, dense = encoder(None, None, prompts.boxes, prompts.masks)
        parts.append(sparse)
    if prompts.points is not None:
        sparse, dense = encoder(prompts.points, prompts.labels, None, prompts.masks)
        parts.append(sparse)
    if dense is None:
        raise InputError("A segmenter needs at least one prompt, got neither boxes nor points.")
    longest = max(part.shape[2] for part in parts)
    blank = encoder.not_a_point_embed.weight
    parts = [
        torch.cat([p, blank.expand(p.shape[0], p.shape[1], longest - p.shape[2], -1)], dim=2)
        for p in parts
    ]
    return torch.cat(parts, dim=1), dense


def decode_all(
    model: SamModel, embedding: Tensor, positions: Tensor, sparse: Tensor, dense: Tensor
) -> SegmenterOutput:
    """Run SAM's mask decoder, returning all mask tokens instead of a slice of them."""
    decoder = model.mask_decoder
    batch, channels, height, width = embedding.shape
    inputs = sparse.shape[1]
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.repeat(batch, inputs, 1, 1), sparse], dim=2)
    queries, keys = decoder.transformer(
        point_embeddings=tokens,
        image_embeddings=(embedding + dense).repeat_interleave(inputs, 0),
        image_positional_embeddings=positions.repeat_interleave(inputs, 0),
        attention_similarity=None,
    )
    keys = keys.transpose(2, 3).reshape(batch * inputs, channels, height, width)
    up = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(keys)))
    up = decoder.activation(decoder.upscale_conv2(up))
    weights = torch.stack(
        [mlp(queries[:, :, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], 2
    )
    side_y, side_x = up.shape[-2:]
    logits = weights @ up.reshape(batch, inputs, up.shape[1], side_y * side_x)
    quality = decoder.iou_prediction_head(queries[:, :, 0])
    return SegmenterOutput(
        logits.reshape(batch, inputs, -1, side_y, side_x).float(), quality.float()
    )
