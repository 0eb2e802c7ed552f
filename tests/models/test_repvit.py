"""RepViT as timm has it."""

import pytest
import torch

from segue.models.repvit import RepVit, RepVitConfig


def test_the_published_size_has_the_tensors_of_the_published_backbone():
    with torch.device("meta"):
        backbone = RepVit(RepVitConfig())
    shapes = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    assert sum(weight.numel() for weight in backbone.parameters()) == 4_713_712
    assert shapes["timm_model.stem.conv1.c.weight"] == (24, 3, 3, 3)
    assert shapes["timm_model.stages_0.blocks.0.se.fc1.weight"] == (16, 48, 1, 1)
    assert shapes["timm_model.stages_2.blocks.13.token_mixer.conv1.bn.bias"] == (192,)
    assert shapes["timm_model.stages_3.downsample.channel_downsample.c.weight"] == (384, 192, 1, 1)


def test_maps_halve_from_stage_to_stage():
    backbone = RepVit(RepVitConfig(channels=[8, 16, 24], depths=[1, 1, 1])).eval()
    maps = backbone(torch.zeros(2, 3, 32, 64)).last_hidden_state
    assert [tuple(level.shape) for level in maps] == [(2, 8, 8, 16), (2, 16, 4, 8), (2, 24, 2, 4)]


def test_maps_equal_those_of_timm():
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("repvit_m1", pretrained=False, features_only=True, num_classes=0)
    ours = RepVit(RepVitConfig()).eval()
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if tensor.is_floating_point():
                is_spread = name.endswith(("weight", "running_var"))
                tensor.copy_(torch.rand_like(tensor) if is_spread else torch.randn_like(tensor))
            if name.endswith("c.weight"):
                tensor.copy_((tensor - 0.5) / tensor[0].numel() ** 0.5)
    ours.timm_model.load_state_dict(theirs.state_dict())
    pixels = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        for level, expected in zip(
            ours(pixels).last_hidden_state, theirs.eval()(pixels), strict=True
        ):
            assert torch.allclose(level, expected, rtol=1e-4, atol=1e-4 * float(expected.std()))
