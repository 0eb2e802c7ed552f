import importlib.util

import numpy as np
import PIL.Image
import pytest

from builders import SIZE, a_mask, a_region, an_image
from segue.edit import Edit, apply
from segue.edit.inpaint import INPAINTERS, Inpainter
from segue.edit.inpaint.telea import Telea
from segue.errors import MissingExtra
from segue.values.box import Box, Size

HOLE = a_mask(Box(20, 10, 44, 38)).array
HAVE_DIFFUSERS = importlib.util.find_spec("diffusers") is not None


def test_telea_fills_the_hole_and_nothing_else():
    inpainter = Telea()
    assert isinstance(inpainter, Inpainter)
    array = np.full((*SIZE, 3), 120, np.uint8)
    array[HOLE] = 0
    filled = inpainter.fill(array, HOLE)
    assert np.abs(filled.astype(int) - 120).max() <= 4
    assert (array[HOLE] == 0).all()
    noisy = an_image().array
    assert (inpainter.fill(noisy, HOLE)[~HOLE] == noisy[~HOLE]).all()


def test_a_large_hole_is_filled_at_a_smaller_scale_without_leaking():
    size = Size(500, 600)
    hole = a_mask(Box(100, 60, 500, 440), size).array
    array = np.full((*size, 3), (10, 200, 90), np.uint8)
    array[hole] = (255, 0, 255)
    filled = Telea().fill(array, hole)
    assert np.abs(filled.astype(int) - (10, 200, 90)).max() <= 8


@pytest.mark.parametrize("hole", [np.zeros(SIZE, bool), np.ones(SIZE, bool)])
def test_no_hole_or_nothing_but_hole_changes_nothing(hole):
    array = an_image().array
    assert (Telea().fill(array, hole) == array).all()


def test_an_edit_asks_the_inpainter_it_is_given():
    class Green:
        name = "green"
        asked = None

        def fill(self, array, hole, *, prompt="", seed=None):
            self.asked = (prompt, seed, int(hole.sum()))
            return np.where(hole[:, :, None], np.array([0, 255, 0], np.uint8), array)

    green = Green()
    region = a_region(mask=a_mask(Box(20, 10, 44, 38)))
    edit = Edit("erase", ["r1"], {"prompt": "grass", "seed": 3, "grow": 4})
    after = np.asarray(apply(an_image(), [region], [edit], inpainter=green))
    assert after[24, 32].tolist() == [0, 255, 0]
    assert green.asked[:2] == ("grass", 3)
    assert green.asked[2] > region.mask.area


@pytest.mark.skipif(HAVE_DIFFUSERS, reason="diffusers is installed")
def test_without_the_extra_the_install_command_is_named():
    with pytest.raises(MissingExtra, match=r"segue\[inpaint\]"):
        INPAINTERS.load("diffusion")


@pytest.mark.skipif(not HAVE_DIFFUSERS, reason="needs the inpaint extra")
def test_a_pipeline_sees_the_hole_with_its_surroundings_at_its_own_size():
    from segue.edit.inpaint.diffusion import Diffusion

    calls = []

    def pipeline(**given):
        calls.append(given)
        size_wh = (given["width"], given["height"])
        return type("Output", (), {"images": [PIL.Image.new("RGB", size_wh, (0, 255, 0))]})

    array = an_image(Size(96, 128)).array
    hole = a_mask(Box(40, 30, 60, 50), Size(96, 128)).array
    filled = Diffusion(pipeline, "scripted", side=64, steps=2).fill(array, hole, prompt="a dog")
    assert (filled[hole] == (0, 255, 0)).all()
    assert (filled[~hole] == array[~hole]).all()
    assert calls[0]["prompt"] == "a dog"
    assert calls[0]["image"].size == calls[0]["mask_image"].size == (64, 64)
    assert calls[0]["num_inference_steps"] == 2


@pytest.mark.slow
@pytest.mark.skipif(not HAVE_DIFFUSERS, reason="needs the inpaint extra")
@pytest.mark.filterwarnings("ignore")
def test_a_tiny_stable_diffusion_runs_from_a_folder(tmp_path):
    import json

    import diffusers
    import torch
    import transformers

    torch.manual_seed(0)
    letters = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz"]
    letters += [f"{letter}</w>" for letter in letters[2:]]
    (tmp_path / "vocab.json").write_text(json.dumps({t: n for n, t in enumerate(letters)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(tmp_path / "vocab.json"),
        str(tmp_path / "merges.txt"),
        model_max_length=16,
    )
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=16,
            eos_token_id=1,
            bos_token_id=0,
        )
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=9,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    diffusers.StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(tmp_path / "model")

    folder = str(tmp_path / "model")
    inpainter = INPAINTERS.load("diffusion", folder, device="cpu", steps=2, side=64)
    array = an_image().array
    one, two = (inpainter.fill(array, HOLE, prompt="sky", seed=1) for _ in range(2))
    assert (one == two).all()
    assert (one[~HOLE] == array[~HOLE]).all()
    assert (one[HOLE] != array[HOLE]).any()
