"""How SAM 3 sees a picture: with the numbers of its processor."""

import json

import numpy as np
import PIL.Image
import pytest
import torch
from torch.nn import functional as F

from segue.errors import ModelError
from segue.models.sam3 import Sam3Pixels
from segue.values.image import Image


def a_picture(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def prepared_by_transformers(image, settings):
    """`Sam3ImageProcessor` with torchvision's resizing spelled out, for that is not installed here.

    torchvision resizes whole numbers on a processor with `interpolate`, antialiased; then
    transformers folds dividing by 255 and normalising into one.
    """
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()[None]
    size = (settings["size"]["height"], settings["size"]["width"])
    if tuple(image.size) != size:
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(settings[name]) * 255 for name in ("image_mean", "image_std"))
    return (pixels.float() - mean[:, None, None]) / std[:, None, None]


@pytest.mark.parametrize("size", [(48, 64), (1, 300), (300, 1), (5, 7), (56, 56)], ids=str)
def test_pixels_are_those_of_the_processor(size, tmp_path):
    settings = {
        "size": {"height": 56, "width": 56},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.5, 0.6, 0.7],
    }
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    pixels, image = Sam3Pixels.read(tmp_path, 56), a_picture(*size)
    squares = torch.from_numpy(pixels.resized(image))[None]
    assert torch.equal(pixels.normalized(squares), prepared_by_transformers(image, settings))


def test_the_processor_itself_agrees_where_torchvision_is():
    pytest.importorskip("torchvision")
    from transformers.models.sam3.image_processing_sam3 import Sam3ImageProcessor

    image, pixels = a_picture(300, 200), Sam3Pixels(side=1008)
    theirs = Sam3ImageProcessor()(image.to_pil(), return_tensors="pt").pixel_values
    ours = pixels.normalized(torch.from_numpy(pixels.resized(image))[None])
    assert torch.equal(ours, theirs)


def test_the_square_looks_as_pillow_makes_it():
    square = Sam3Pixels(side=56).resized(a_picture(300, 200))
    pillow = PIL.Image.fromarray(np.asarray(a_picture(300, 200))).resize(
        (56, 56), PIL.Image.Resampling.BILINEAR
    )
    assert np.abs(square.astype(int) - np.asarray(pillow).astype(int)).max() <= 2


def test_without_settings_the_published_ones_count(tmp_path):
    assert Sam3Pixels.read(tmp_path, [1008, 1008]) == Sam3Pixels(
        side=1008, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
    )


def test_a_processor_of_another_size_is_refused(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 64, "width": 64}}')
    with pytest.raises(ModelError, match="network takes 56 and the processor makes .*'height': 64"):
        Sam3Pixels.read(tmp_path, 56)
    with pytest.raises(ModelError, match="must see a square"):
        Sam3Pixels.read(tmp_path / "nowhere", [56, 64])
