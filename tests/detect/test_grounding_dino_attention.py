"""Grounding DINO's attention with less work gives the numbers of the library's."""

import copy

import pytest
import torch
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoBiMultiHeadAttention,
    MultiScaleDeformableAttention,
)

from segue.detect import grounding_dino
from segue.detect.grounding_dino_attention import LeanFusion, PortionedFeedForward, RowSampling
from tiny_models import tiny_grounding_dino

SHAPES = [(9, 12), (5, 6), (3, 3)]


@pytest.mark.parametrize("spread", [0.02, 0.5, 3.0], ids=["near", "across", "outside"])
@pytest.mark.parametrize("batch", [1, 3])
def test_rows_are_sampled_as_grid_sample_does(batch, spread):
    torch.manual_seed(0)
    tokens = sum(h * w for h, w in SHAPES)
    value = torch.randn(batch, tokens, 4, 8)
    locations = 0.5 + spread * torch.randn(batch, 1500, 4, len(SHAPES), 2, 2)
    locations[0, 0] = 0.0  # borders and corners exactly
    locations[0, 1] = 1.0
    weights = torch.randn(batch, 1500, 4, len(SHAPES) * 2).softmax(-1).unflatten(-1, (-1, 2))
    arguments = (value, None, SHAPES, None, locations, weights, 64)
    expected = MultiScaleDeformableAttention()(*arguments)
    assert (RowSampling()(*arguments) - expected).abs().max() < 1e-5


def fusion(**changes) -> GroundingDinoBiMultiHeadAttention:
    model = grounding_dino.read_grounding_dino(changes.pop("folder"))
    original = model.model.encoder.layers[0].fusion_layer
    return original.attn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_grounding_dino(tmp_path_factory.mktemp("dino"))


@pytest.mark.parametrize("masked", [False, True])
def test_fusion_gives_both_outputs_of_the_librarys(folder, masked):
    torch.manual_seed(1)
    original = fusion(folder=folder).eval()
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.normal_(std=0.3)
    lean = LeanFusion(copy.deepcopy(original))
    vision, text = (torch.randn(2, length, original.vision_dim) for length in (37, 6))
    vision_mask = text_mask = None
    if masked:
        vision_mask, text_mask = torch.zeros(2, 37, dtype=bool), torch.zeros(2, 6, dtype=bool)
        vision_mask[0, 30:] = text_mask[1, 4:] = True
    with torch.no_grad():
        expected = original(vision, text, vision_mask, text_mask)
        result = lean(vision, text, vision_mask, text_mask)
    for (output, attention), (wanted, wanted_attention) in zip(result, expected):
        assert (output - wanted).abs().max() < 2e-5 * wanted.abs().max()
        assert (attention.flatten(0, 1) - wanted_attention).abs().max() < 1e-5


def test_portions_are_the_whole():
    torch.manual_seed(2)
    layers = torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8)
    tokens = torch.randn(2, 2500, 8)
    whole = torch.nn.Sequential(*layers)(tokens)
    assert torch.allclose(PortionedFeedForward(*layers)(tokens), whole, atol=1e-6)
