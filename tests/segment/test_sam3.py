"""The tracker of SAM 3 as a segmenter beyond the contract."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from segue.errors import ModelError
from segue.segment import sam3
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_sam3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="module")
def segmenter(folder):
    return sam3.load(folder, device="cpu")


def a_picture(height=30, width=90):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def test_the_picture_is_stretched_and_normalised_as_the_processor_says(segmenter):
    image = a_picture()
    pixels, inner = segmenter.pixels(image)
    raw = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()[None]
    square = F.interpolate(raw, (56, 56), mode="bilinear", antialias=True).float()
    assert inner == Size(56, 56)
    assert torch.allclose(pixels, (square / 255 - 0.5) / 0.5, atol=1e-6)


def test_masks_equal_those_of_the_bare_network(segmenter):
    image, box = a_picture(), Box(9, 6, 60, 24)
    pixels, _ = segmenter.pixels(image)
    stretched = torch.tensor([[[9 * 56 / 90, 6 * 56 / 30, 60 * 56 / 90, 24 * 56 / 30]]])
    with torch.inference_mode():
        out = segmenter.model(pixel_values=pixels, input_boxes=stretched, multimask_output=False)
    low = out.pred_masks[0, 0]
    expected = F.interpolate(low[None], (30, 90), mode="bilinear")[0, 0] > 0
    (mask,) = segmenter.look(image).mask(boxes=[box])
    assert np.abs(mask.logits - low[0].numpy()).max() < 1e-4
    assert (mask.array != expected.numpy()).mean() < 0.001


def test_a_click_gets_the_best_of_three_masks(segmenter):
    image = a_picture()
    pixels, _ = segmenter.pixels(image)
    clicked = torch.tensor([[[[45 * 56 / 90, 15 * 56 / 30]]]])
    with torch.inference_mode():
        out = segmenter.model(pixel_values=pixels, input_points=clicked, multimask_output=True)
    (mask,) = segmenter.look(image).mask(points=[(45, 15)])
    best = out.pred_masks[0, 0, out.iou_scores[0, 0].argmax()]
    assert np.abs(mask.logits - best.numpy()).max() < 1e-4


def test_a_folder_of_the_tracker_alone_is_read(segmenter, tmp_path):
    segmenter.model.save_pretrained(str(tmp_path))
    alone, box = sam3.load(tmp_path, device="cpu"), Box(9, 6, 60, 24)
    assert alone.look(a_picture()).mask([box]) == segmenter.look(a_picture()).mask([box])


def test_weights_that_leave_a_gap_are_refused_by_name(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["tracker_model.mask_decoder.conv_s0.bias"]
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"\('mask_decoder.conv_s0.bias'"):
        sam3.load(tmp_path)


def test_a_folder_of_the_detector_alone_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam3"}')
    with pytest.raises(ModelError, match="'sam3_tracker' or 'sam3_video', but .* says 'sam3'"):
        sam3.load(tmp_path)
