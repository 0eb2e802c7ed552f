import numpy as np
import pytest
import torch

from segue.errors import InputError
from segue.models.qwen_vl import VisualConfig
from segue.models.qwen_vl.visual import VisualTower, resize_table, sine_cosine_table
from tiny_qwen_vl import a_config, some_pixels


def test_features_equal_the_original(set_a) -> None:
    with np.load(set_a.folder / "visual.npz") as golden:
        pixels, expected = golden["pixel_values"], golden["features"]
        every_eighth = golden["features_all_sub"]
    with torch.inference_mode():
        features = set_a.model.get_image_features(torch.from_numpy(pixels))
        paths = [set_a.folder / path for path in set_a.meta["visual_paths"]]
        of_all = set_a.model.get_image_features(set_a.processor.image_processor(paths))
    assert np.abs(features.numpy() - expected).max() < 5e-6
    assert np.abs(of_all[:, ::8].numpy() - every_eighth).max() < 5e-6


def test_features_equal_the_original_without_interpolation(set_c) -> None:
    paths = [set_c.folder / "images" / name for name in ("scene.png", "图片 é.png")]
    with torch.inference_mode():
        features = set_c.model.get_image_features(set_c.processor.image_processor(paths))
    assert (features - set_c.numbers["features"]).abs().max() < 5e-6


def test_position_codes_equal_those_stored_by_the_original(set_a) -> None:
    stored = set_a.model.transformer.visual.attn_pool.pos_embed
    made = sine_cosine_table(stored.shape[1], torch.arange(16))
    assert (made - stored).abs().max() < 1e-6


def test_training_and_evaluation_give_the_same_features() -> None:
    torch.manual_seed(0)
    tower = VisualTower(a_config().visual_config)
    pixels = some_pixels(2)
    assert torch.allclose(tower.train()(pixels), tower.eval()(pixels), atol=1e-5)


def test_eager_and_fused_attention_agree() -> None:
    torch.manual_seed(0)
    config = a_config().visual_config
    fused, eager = VisualTower(config).train(), VisualTower(config, "eager").train()
    eager.load_state_dict(fused.state_dict())
    assert torch.allclose(fused(some_pixels()), eager(some_pixels()), atol=1e-5)


def test_a_table_of_the_right_size_is_not_touched() -> None:
    table = torch.randn(9, 4)
    assert resize_table(table, 3) is table
    assert resize_table(table, 5).shape == (25, 4)


def test_gradients_reach_every_weight_but_the_frozen_positions() -> None:
    tower = VisualTower(a_config().visual_config)
    tower.reset()
    with torch.autocast("cpu", torch.bfloat16):
        tower(some_pixels()).float().square().mean().backward()
    without = [name for name, weight in tower.named_parameters() if weight.grad is None]
    assert without == ["attn_pool.pos_embed"]


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 4, 28, 28), (1, 3, 28, 35), (1, 3, 30, 30)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    tower = VisualTower(a_config().visual_config)
    with pytest.raises(InputError, match="image_processor"):
        tower(torch.zeros(shape))


def test_kv_projection_is_left_out_where_the_widths_are_equal() -> None:
    config = VisualConfig(
        image_size=28, patch_size=14, width=128, layers=1, heads=2, mlp_ratio=1, output_dim=128
    )
    assert not any("kv_proj" in name for name in VisualTower(config).state_dict())
