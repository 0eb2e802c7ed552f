"""CLIPSeg beyond the contract."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from segue.assistant.loading import load_stage
from segue.detect import Exemplar, clipseg
from segue.errors import InputError, ModelError
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_clipseg

NAMES = ["cat", "hot dog", "cup"]
OPTIONS = clipseg.ClipSegOptions(mask_threshold=0.5, min_area=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clipseg(tmp_path_factory.mktemp("clipseg"))


@pytest.fixture(scope="module")
def detector(folder):
    return load_stage("detect", folder, device="cpu")


def a_picture(height=50, width=90, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def pixels_as_by_transformers(folder, image):
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    settings = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    return ViTImageProcessorPil(**settings)(image.to_pil(), return_tensors="pt")["pixel_values"]


def network(folder):
    from transformers import CLIPSegForImageSegmentation

    return CLIPSegForImageSegmentation.from_pretrained(str(folder)).eval()


def joined(belongs):
    """Regions of eight neighbours, one pixel at a time."""
    left = {tuple(place) for place in np.argwhere(belongs)}
    found = []
    while left:
        region, border = set(), {left.pop()}
        while border:
            region |= border
            near = {(y + v, x + u) for y, x in border for v in (-1, 0, 1) for u in (-1, 0, 1)}
            border = near & left
            left -= border
        found.append(region)
    return found


def test_the_picture_is_prepared_as_by_transformers(folder, detector):
    expected = pixels_as_by_transformers(folder, a_picture())[0].numpy()
    assert np.abs(detector.resizing.pixels(a_picture()) - expected).max() < 1e-5


def test_heat_maps_equal_those_of_transformers(folder, detector):
    from transformers import AutoTokenizer

    pixels = pixels_as_by_transformers(folder, a_picture())
    words = AutoTokenizer.from_pretrained(str(folder))(NAMES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        out = network(folder)(pixel_values=pixels.expand(len(NAMES), -1, -1, -1), **words)
    maps = torch.stack(detector.heat_maps(a_picture(), NAMES))
    assert (maps - out.logits.sigmoid()).abs().max() < 1e-5
    assert maps.std() > 0.01


def test_a_box_as_an_example_is_a_picture_as_a_prompt(folder, detector):
    image, shown = a_picture(), Image(a_picture().array[10:40, 20:60])
    with torch.inference_mode():
        out = network(folder)(
            pixel_values=pixels_as_by_transformers(folder, image),
            conditional_pixel_values=pixels_as_by_transformers(folder, shown),
        )
    heat = out.logits[0].sigmoid()
    expected = clipseg.regions(heat, "", image.size, 0.0, detector.options)
    found = detector.find_like(image, [Exemplar(Box(20, 10, 60, 40))], box_threshold=0.0)
    assert [one.box for one in found] == [one.box for one in expected] != []
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-5)


def test_what_resembles_a_negative_example_more_is_left_out(detector):
    image, shown = a_picture(), Exemplar(Box(20, 10, 60, 40))
    same = Exemplar(shown.box, is_positive=False)
    other = Exemplar(Box(0, 0, 30, 30), is_positive=False)
    areas = [
        sum(one.mask.area for one in detector.find_like(image, shapes, box_threshold=0.0))
        for shapes in ([shown], [shown, same], [shown, other])
    ]
    assert areas[0] == areas[1] > areas[2]
    with pytest.raises(InputError, match="a phrase or an example of what is meant"):
        detector.find_like(image, [other])


def test_regions_equal_those_joined_pixel_by_pixel():
    heat = torch.rand(9, 14, generator=torch.Generator().manual_seed(0))
    size = Size(18, 28)
    enlarged = torch.nn.functional.interpolate(heat[None, None], tuple(size), mode="bilinear")[0, 0]
    expected = joined(enlarged.numpy() > 0.5)
    found = clipseg.regions(heat, "cat", size, 0.0, OPTIONS)
    assert len(found) == len(expected) > 2
    for one in found:
        places = {tuple(map(int, place)) for place in np.argwhere(one.mask.array)}
        assert places in expected
        assert one.box == one.mask.box
        assert one.score == pytest.approx(float(enlarged.numpy()[one.mask.array].mean()), abs=1e-6)
        assert one.presence_score == float(heat.max())


def test_specks_and_faint_regions_are_dropped():
    heat = torch.zeros(20, 20)
    heat[2:8, 2:8], heat[12:18, 12:18], heat[2, 15] = 0.9, 0.6, 1.0
    options = clipseg.ClipSegOptions(mask_threshold=0.5, min_area=0.01)
    bright, faint = clipseg.regions(heat, "cat", Size(20, 20), 0.0, options)
    assert (bright.box, faint.box) == (Box(2, 2, 8, 8), Box(12, 12, 18, 18))
    assert (bright.score, faint.score) == (pytest.approx(0.9), pytest.approx(0.6))
    assert clipseg.regions(heat, "cat", Size(20, 20), 0.7, options) == [bright]


def test_a_picture_is_encoded_once_for_all_phrases(detector):
    image = a_picture(seed=7)
    detector.find(image, NAMES)
    encoded = detector.memory_bytes()
    detector.find(image, ["remote"])
    assert detector.memory_bytes() == encoded > 0


def test_many_phrases_are_answered_as_one_by_one(detector):
    names = [f"{a} {b}" for a in "abcdef" for b in "xyz"]
    together = detector.heat_maps(a_picture(), names)
    assert all(
        torch.allclose(heat, detector.heat_maps(a_picture(), [name])[0], atol=1e-5)
        for heat, name in zip(together, names, strict=True)
    )


def test_half_precision_keeps_the_decoder_in_float32(folder, detector):
    half = clipseg.load(folder, device="cpu", dtype="bfloat16")
    (heat,), (exact,) = (which.heat_maps(a_picture(), ["cat"]) for which in (half, detector))
    assert heat.dtype == torch.float32
    assert 0 < (heat - exact).abs().max() < 0.1


@pytest.mark.parametrize("change", ["left out", "reshaped"])
def test_weights_that_do_not_fit_are_refused_by_name(folder, tmp_path, change):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["decoder.film_mul.weight"]
    if change == "reshaped":
        tensors["decoder.film_mul.weight"] = torch.zeros(3, 3)
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensor .*\('decoder.film_mul.weight'"):
        clipseg.load(tmp_path)


@pytest.mark.parametrize(
    ("size", "side"), [(48, 48), ({"height": 64, "width": 64}, 64), (None, 352)], ids=str
)
def test_the_square_is_the_one_that_the_processor_states(tmp_path, size, side):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    assert clipseg._resizing(tmp_path, 16).fixed == Size(side, side)


@pytest.mark.parametrize("size", [50, {"height": 64, "width": 48}, {"shortest_edge": 64}], ids=str)
def test_what_is_no_square_of_whole_patches_is_refused(tmp_path, size):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    with pytest.raises(ModelError, match="a square whose side is a multiple of 16 pixels"):
        clipseg._resizing(tmp_path, 16)


def test_settings_beside_the_weights_are_read(tmp_path):
    (tmp_path / "segue.json").write_text('{"mask_threshold": 0.2, "template": "a photo of a {}"}')
    options = clipseg.ClipSegOptions.read(tmp_path)
    assert (options.mask_threshold, options.template) == (0.2, "a photo of a {}")
    (tmp_path / "segue.json").write_text('{"min_area": 7}')
    with pytest.raises(InputError, match=r"min_area must be in \[0, 1\], got 7"):
        clipseg.ClipSegOptions.read(tmp_path)


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ModelError, match="type 'clipseg', but its config.json says 'clip'"):
        clipseg.load(tmp_path)
