"""EdgeTAM beyond the contract."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from segue.assistant.loading import load_stage
from segue.errors import ModelError
from segue.segment import edgetam
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_edgetam


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_edgetam(tmp_path_factory.mktemp("edgetam"))


@pytest.fixture(scope="module")
def segmenter(folder):
    return load_stage("segment", folder, device="cpu")


def a_picture(height=30, width=90):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def copied(folder, target):
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_the_picture_is_stretched_and_normalised_as_the_processor_says(segmenter):
    image = a_picture()
    pixels, inner = segmenter.pixels(image)
    raw = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()[None]
    square = F.interpolate(raw, (64, 64), mode="bilinear", antialias=True).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (square - mean[:, None, None]) / std[:, None, None]
    assert inner == Size(64, 64)
    step = 1 / 255 / 0.224  # Pillow and PyTorch round differently, by one of 255 at most
    assert (pixels - expected).abs().max() < 1.01 * step


def test_masks_equal_those_of_the_bare_network(segmenter):
    image, box = a_picture(), Box(9, 6, 60, 24)
    pixels, _ = segmenter.pixels(image)
    stretched = torch.tensor([[[9 * 64 / 90, 6 * 64 / 30, 60 * 64 / 90, 24 * 64 / 30]]])
    with torch.inference_mode():
        out = segmenter.model(pixel_values=pixels, input_boxes=stretched, multimask_output=False)
    low = out.pred_masks[0, 0]
    expected = F.interpolate(low[None], (30, 90), mode="bilinear")[0, 0] > 0
    (mask,) = segmenter.look(image).mask(boxes=[box])
    assert np.abs(mask.logits - low[0].numpy()).max() < 1e-4
    assert (mask.array != expected.numpy()).mean() < 0.001


def test_pictures_and_boxes_make_a_difference(segmenter):
    boxes = [Box(9, 6, 60, 24), Box(40, 2, 85, 20)]
    one, other = segmenter.look(a_picture()), segmenter.look(a_picture(60, 61))
    first, second = one.mask(boxes)
    assert np.abs(first.logits - second.logits).max() > 1e-3
    assert np.abs(first.logits - other.mask(boxes[:1])[0].logits).max() > 1e-3


def test_a_folder_of_the_video_model_is_read_for_pictures(folder, segmenter, tmp_path):
    settings = json.loads((copied(folder, tmp_path) / "config.json").read_text("utf-8"))
    settings["model_type"] = "edgetam_video"
    for part in ("prompt_encoder", "mask_decoder"):
        settings[f"{part}_config"]["model_type"] = f"edgetam_video_{part}"
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors") | {"memory_encoder.w": torch.zeros(2)}
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    video, box = load_stage("segment", tmp_path, device="cpu"), Box(9, 6, 60, 24)
    assert video.look(a_picture()).mask([box]) == segmenter.look(a_picture()).mask([box])


@pytest.mark.parametrize("change", ["left out", "reshaped"])
def test_weights_that_do_not_fit_are_refused_by_name(folder, tmp_path, change):
    tensors = load_file(copied(folder, tmp_path) / "model.safetensors")
    name = "vision_encoder.backbone.timm_model.stages_1.blocks.0.se.fc1.weight"
    del tensors[name]
    if change == "reshaped":
        tensors[name] = torch.zeros(3, 16, 1, 1)
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"1 tensor .*\('{name}'"):
        edgetam.load(tmp_path)


def test_another_backbone_of_timm_is_refused(folder, tmp_path):
    settings = json.loads((copied(folder, tmp_path) / "config.json").read_text("utf-8"))
    settings["vision_config"]["backbone_config"]["architecture"] = "resnet50.a1_in1k"
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ModelError, match="must be repvit_m1, got 'resnet50', which only timm has"):
        edgetam.load(tmp_path)


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam2"}')
    with pytest.raises(ModelError, match="'edgetam' or 'edgetam_video', but .* says 'sam2'"):
        edgetam.load(tmp_path)
