"""Preprocessing of pictures for detectors."""

import json
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers.image_transforms import get_size_with_aspect_ratio

from segue.detect.resizing import DetectorResizing
from segue.errors import ModelError
from segue.values.box import Size
from segue.values.image import Image


def test_sizes_are_those_of_transformers():
    rule, choose = DetectorResizing(), random.Random(0)
    for _ in range(2000):
        size = Size(choose.randint(50, 4000), choose.randint(50, 4000))
        assert rule.size_for(size) == get_size_with_aspect_ratio(size, 800, 1333), size
    assert rule.size_for(Size(800, 1000)) == (800, 1000)


@pytest.mark.parametrize("size", [Size(1, 3000), Size(3000, 1), Size(1, 1)])
def test_no_picture_vanishes(size):
    height, width = DetectorResizing().size_for(size)
    assert 1 <= height <= 1333
    assert 1 <= width <= 1333


@pytest.mark.parametrize("size", [Size(200, 66), Size(97, 400)], ids=["tall", "wide"])
def test_pixels_are_rounded_as_by_pytorch(size):
    """Whose passes, over widths first, are those of torchvision and of the official processors."""
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    rule = DetectorResizing(fixed=Size(64, 80), mean=(0, 0, 0), std=(1, 1, 1))
    official = F.interpolate(
        torch.from_numpy(noise).permute(2, 0, 1)[None], (64, 80), mode="bilinear", antialias=True
    )
    levels = np.abs(rule.pixels(Image.open(noise)) * 255 - official[0].numpy())
    assert levels.max() == pytest.approx(1, abs=1e-3) or levels.max() < 1e-3
    assert levels.mean() < 0.01


def test_settings_lie_beside_the_weights(tmp_path):
    assert DetectorResizing.read(tmp_path) == DetectorResizing()
    stated = {"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "size": {"height": 8, "width": 9}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    rule = DetectorResizing.read(tmp_path)
    assert rule.fixed == Size(8, 9)
    assert rule.size_for(Size(100, 300)) == (8, 9)
    pixels = rule.pixels(Image.open(np.full((20, 30, 3), 255, np.uint8)))
    assert pixels.shape == (3, 8, 9)
    assert pixels.dtype == np.float32
    assert (pixels == 1).all()
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"max_height": 3}}')
    with pytest.raises(ModelError, match="must have height and width"):
        DetectorResizing.read(tmp_path)
