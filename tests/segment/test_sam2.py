"""Segment Anything 2 beyond the contract."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from segue.errors import ModelError
from segue.segment import sam2
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_sam2


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    return sam2.load(tiny_sam2(tmp_path_factory.mktemp("sam2")), device="cpu")


def a_picture(height=30, width=90):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def test_the_picture_is_stretched_to_the_square(segmenter):
    pixels, inner = segmenter.pixels(a_picture())
    assert inner == Size(64, 64)
    assert pixels.shape == (1, 3, 64, 64)


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


def test_a_view_holds_three_maps(segmenter):
    view = segmenter.look(a_picture())
    assert len(view.maps) == 3
    assert view.size_bytes == sum(one.numel() * 4 for one in view.maps)


def test_half_precision_keeps_the_maps_in_float32(tmp_path):
    segmenter = sam2.load(tiny_sam2(tmp_path), device="cpu", dtype="bfloat16")
    assert {one.dtype for one in segmenter.look(a_picture()).maps} == {torch.float32}


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(
        ModelError, match="type 'sam2' or 'sam2_video', but its config.json says 'sam'"
    ):
        sam2.load(tmp_path)
