import numpy as np
import PIL.Image
import pytest
import torch

from builders import an_image
from segue.errors import InputError
from segue.models.qwen_vl.pictures import PictureProcessor, digest, to_pil


def test_pixels_equal_the_original(set_a) -> None:
    with np.load(set_a.folder / "visual.npz") as golden:
        expected = torch.from_numpy(golden["pixel_values"])
    paths = [set_a.folder / "images" / name for name in ("scene.png", "tall.png")]
    assert torch.equal(set_a.processor.image_processor(paths), expected)


def test_every_kind_of_picture_gives_the_same_pixels(tmp_path) -> None:
    image = an_image()
    pil = PIL.Image.fromarray(image.array)
    pil.save(tmp_path / "a.png")
    kinds = [image, pil, image.array, tmp_path / "a.png", str(tmp_path / "a.png")]
    pixels = PictureProcessor(28)(kinds)
    assert pixels.shape == (5, 3, 28, 28)
    assert pixels.dtype == torch.float32
    assert all(torch.equal(pixels[0], other) for other in pixels)
    assert torch.equal(PictureProcessor(28)(image), pixels[:1])
    assert PictureProcessor(28)([]).shape == (0, 3, 28, 28)


def test_transparency_is_dropped() -> None:
    rgba = PIL.Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert to_pil(rgba).getpixel((0, 0)) == (10, 20, 30)


def test_equal_pixels_have_equal_digests() -> None:
    one, other = an_image(seed=1), an_image(seed=2)
    assert digest(one) == digest(an_image(seed=1, name="elsewhere.png"))
    assert digest(one) != digest(other)
    assert digest(one.array) == digest(PIL.Image.fromarray(one.array))


@pytest.mark.parametrize(
    "odd", [np.zeros((4, 4)), np.zeros((4, 4, 3)), "no/such/file.png", __file__], ids=str
)
def test_what_is_no_picture_is_refused(odd) -> None:
    with pytest.raises(InputError):
        PictureProcessor(28)([odd])
