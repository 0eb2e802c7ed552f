"""The embedded detector: an ordinary `GroundingDinoForObjectDetection` in miniature.

This file knows the sizes, the initialisation and a forward pass that keeps the gradient of the
proposals, which the library's own training loss cuts. It knows nothing about scenes, phrases or
files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    SwinConfig,
)

PIXEL_MEAN = (
    0.485,
    0.456,
    0.406,
)  # of pixels in [0, 1]; the values Grounding DINO's processor uses
PIXEL_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class DetectorSize:
    """Sizes of the network.

    `image` is the longest side of an image; `width` a multiple of 32.
    """

    image: int = 192
    patch: int = 8
    embed: int = 64
    depths: tuple[int, ...] = (2, 4, 2)
    heads: tuple[int, ...] = (2, 4, 8)
    stages: tuple[int, ...] = (2, 3)
    window: int = 6
    width: int = 128
    feed_forward: int = 256
    encoder_layers: int = 2
    decoder_layers: int = 2
    queries: int = 30
    text_width: int = 96
    text_layers: int = 2
    text_length: int = 96
    vocabulary: int = 1100


def new_namer(size: DetectorSize, classes: int, seed: int = 0) -> nn.Linear:
    """Make a plain classifier of image tokens, which helps in training and is not shipped."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(size.width, classes)


class DetectorOutput(NamedTuple):
    """What the network returns, in float32.

    All boxes are centre x, centre y, width, height as shares of the image.

    `proposal_logits` (B, N, T) and `proposal_boxes` (B, N, 4) for each of the N picture tokens
    against the T text tokens; `logits` and `boxes`: for each decoder layer (B, Q, T) and (B, Q,
    4), the last layer being the answer.
    `places` (B, N, D) are the picture tokens after the encoder.
    Positions of padding in the text are -inf in the logits.
    """

    proposal_logits: Tensor
    proposal_boxes: Tensor
    logits: list[Tensor]
    boxes: list[Tensor]
    places: Tensor


def detector_config(size: DetectorSize) -> GroundingDinoConfig:
    """Return the transformers configuration, with eager attention and without dropout."""
    backbone = SwinConfig(
        image_size=size.image, patch_size=size.patch, embed_dim=size.embed,
        depths=list(size.depths), num_heads=list(size.heads), window_size=size.window,
        drop_path_rate=0.0, hidden_dropout_prob=0.0, out_indices=list(size.stages),
    )  # fmt: skip
    text = BertConfig(
        vocab_size=size.vocabulary, hidden_size=size.text_width, num_hidden_layers=size.text_layers,
        num_attention_heads=3, intermediate_size=2 * size.text_width,
        max_position_embeddings=size.text_length, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=backbone, text_config=text, num_queries=size.queries, d_model=size.width,
        encoder_layers=size.encoder_layers, encoder_ffn_dim=size.feed_forward,
        encoder_attention_heads=4, decoder_layers=size.decoder_layers,
        decoder_ffn_dim=size.feed_forward, decoder_attention_heads=4, dropout=0.0,
        fusion_droppath=0.0, num_feature_levels=len(size.stages), max_text_len=size.text_length,
        two_stage=True, auxiliary_loss=True, disable_custom_kernels=True,
    )  # fmt: skip
    for part in (config, backbone, text):
        part._attn_implementation = "eager"
    return config


def new_detector(
    size: DetectorSize, seed: int = 0, nouns_of_tokens: Mapping[int, int] | None = None
) -> GroundingDinoForObjectDetection:
    """Make a freshly initialised network; the same seed gives the same weights.

    Two edits to the library's initial values: picture and text exchange information from the start
    (the gates of the fusion layers begin at 0.2 instead of 1e-4), and a class logit, a bare product
    of two vectors without a bias, begins at about -4, because nearly every pair of a place and a
    word is a mismatch. Where `nouns_of_tokens` says which noun a token belongs to, all tokens of
    a noun begin as one vector, so that its names need not be learnt one by one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GroundingDinoForObjectDetection(detector_config(size))
        direction = torch.randn(size.width)
    direction = direction / direction.norm()
    scale = size.width**-0.25
    encoder = model.model.encoder
    text_end = encoder.layers[-1].text_enhancer_layer.layer_norm_after
    with torch.no_grad():
        for layer in encoder.layers:
            layer.fusion_layer.vision_param.fill_(0.2)
            layer.fusion_layer.text_param.fill_(0.2)
        for norm, sign in (
            (text_end, 2.0),
            (model.model.decoder.layer_norm, -2.0),
            (model.model.enc_output_norm, -2.0),
        ):
            norm.weight.fill_(scale)
            norm.bias.copy_(sign * direction)
        table = model.model.text_backbone.embeddings.word_embeddings.weight
        first: dict[int, int] = {}
        for token, noun in (nouns_of_tokens or {}).items():
            table[token] = table[first.setdefault(noun, token)]
    return model


def run_detector(
    model: GroundingDinoForObjectDetection,
    pixels: Tensor,
    ids: Tensor,
    attention: Tensor,
    *,
    bfloat16: bool = False,
) -> DetectorOutput:
    """Run the network, keeping the gradient of the proposals.

    Args:
        model: the network.
        pixels: (B, 3, H, W), normalised.
        ids: (B, T) int64.
        attention: (B, T) int64, 1 on text and 0 on padding.
        bfloat16: whether to use autocast.
    """
    length = ids.shape[1]
    with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        output = model.model(pixel_values=pixels, input_ids=ids, attention_mask=attention)
        text = output.encoder_last_hidden_state_text
        logits, moves = [], []
        for layer in range(model.config.decoder_layers):
            hidden = output.intermediate_hidden_states[:, layer]
            logits.append((hidden @ text.transpose(1, 2)).float())
            moves.append(model.bbox_embed[layer](hidden).float())
    hide = attention[:, None] == 0
    starts = [output.init_reference_points, *output.intermediate_reference_points.unbind(1)]
    boxes = [
        (move + torch.special.logit(start.float(), eps=1e-5)).sigmoid()
        for move, start in zip(moves, starts, strict=False)
    ]
    return DetectorOutput(
        output.enc_outputs_class[..., :length].float(),
        output.enc_outputs_coord_logits.float().sigmoid(),
        [scores.masked_fill(hide, float("-inf")) for scores in logits],
        boxes,
        output.encoder_last_hidden_state_vision.float(),
    )


def normalised_pixels(images: Tensor) -> Tensor:
    """Normalise as Grounding DINO's processor does: (B, H, W, 3) uint8 to (B, 3, H, W) float32."""
    mean, std = (torch.tensor(values, device=images.device) for values in (PIXEL_MEAN, PIXEL_STD))
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def token_centres(size: DetectorSize, height: int, width: int) -> Tensor:
    """Return the centres (N, 2) of the image tokens, x and y as shares of the image."""
    levels = []
    for stage in size.stages:
        stride = size.patch * 2 ** (stage - 1)
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = torch.meshgrid(
            (torch.arange(rows) + 0.5) / rows,
            (torch.arange(columns) + 0.5) / columns,
            indexing="ij",
        )
        levels.append(torch.stack([x, y], -1).reshape(-1, 2))
    return torch.cat(levels)
