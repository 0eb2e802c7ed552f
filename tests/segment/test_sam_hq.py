"""SAM-HQ beyond the contract."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from segue.assistant.loading import load_stage
from segue.errors import InputError, ModelError
from segue.segment import sam_hq
from segue.values.box import Box
from segue.values.image import Image
from tiny_models import tiny_sam_hq


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_sam_hq(tmp_path_factory.mktemp("sam_hq"))


@pytest.fixture(scope="module")
def segmenter(folder):
    return load_stage("segment", folder, device="cpu")


@pytest.fixture(scope="module")
def processor():
    """transformers' own preparation of pictures and of masks, at the size of the tiny network."""
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    return SamImageProcessorPil(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})


def a_picture(height=30, width=90):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


SCALE = torch.tensor([64 / 90, 21 / 30])
"""From the picture to the network's square, across and down: 21 is rounded."""


def run(segmenter, prepared, **prompts):
    with torch.inference_mode():
        return segmenter.model(pixel_values=prepared["pixel_values"], **prompts)


def test_the_picture_is_prepared_as_by_transformers(segmenter, processor):
    image = a_picture()
    pixels, inner = segmenter.pixels(image)
    prepared = processor(image.to_pil(), return_tensors="pt")
    assert inner == tuple(prepared["reshaped_input_sizes"][0].tolist())
    assert torch.allclose(pixels, prepared["pixel_values"], atol=1e-5)


@pytest.mark.parametrize("hq_token_only", [False, True])
def test_masks_equal_those_of_transformers(folder, processor, hq_token_only):
    image = a_picture()
    segmenter = sam_hq.load(folder, device="cpu", hq_token_only=hq_token_only)
    prepared = processor(image.to_pil(), return_tensors="pt")
    boxes = torch.tensor([[[9, 6, 60, 24], [2, 3, 30, 28]]]) * SCALE.repeat(2)
    out = run(
        segmenter, prepared, input_boxes=boxes, multimask_output=False, hq_token_only=hq_token_only
    )
    (theirs,) = processor.post_process_masks(
        out.pred_masks, prepared["original_sizes"], prepared["reshaped_input_sizes"]
    )
    masks = segmenter.look(image).mask(boxes=[Box(9, 6, 60, 24), Box(2, 3, 30, 28)])
    for mask, low, expected, score in zip(masks, out.pred_masks[0], theirs, out.iou_scores[0]):
        assert np.abs(mask.logits - low[0].numpy()).max() < 1e-4
        assert (mask.array != np.asarray(expected[0])).mean() < 0.001
        assert mask.score == pytest.approx(float(score.clamp(0, 1)), abs=1e-5)


@pytest.mark.parametrize("hq_token_only", [False, True])
def test_a_click_gets_the_mask_that_the_network_rates_best(folder, processor, hq_token_only):
    segmenter = sam_hq.load(folder, device="cpu", hq_token_only=hq_token_only)
    out = run(
        segmenter,
        processor(a_picture().to_pil(), return_tensors="pt"),
        input_points=torch.tensor([[[[45.0, 15.0]]]]) * SCALE,
        multimask_output=True,
        hq_token_only=hq_token_only,
    )
    (mask,) = segmenter.look(a_picture()).mask(points=[(45, 15)])
    assert np.abs(mask.logits - out.pred_masks[0, 0, 0].numpy()).max() < 1e-4
    assert mask.score == pytest.approx(float(out.iou_scores.max().clamp(0, 1)), abs=1e-5)


def test_the_token_is_chosen_behind_the_name_and_beside_the_weights(folder, segmenter, tmp_path):
    behind = load_stage("segment", f"sam_hq:{folder}?hq_token_only=true", device="cpu")
    beside = load_stage("segment", tiny_sam_hq(tmp_path, hq_token_only=True), device="cpu")
    (both,), (one,), (other,) = (
        which.look(a_picture()).mask([Box(9, 6, 60, 24)]) for which in (segmenter, behind, beside)
    )
    assert np.array_equal(one.logits, other.logits)
    assert np.abs(one.logits - both.logits).max() > 1e-3
    with pytest.raises(InputError, match="must be true or false, got 'maybe'"):
        load_stage("segment", f"sam_hq:{folder}?hq_token_only=maybe", device="cpu")


def test_several_pictures_are_answered_one_by_one(segmenter):
    images = [a_picture(), a_picture(60, 41)]
    maps = segmenter.encode(images)
    for (together, inner), image in zip(maps, images):
        ((alone, alone_inner),) = segmenter.encode([image])
        assert inner == alone_inner
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(together, alone))


@pytest.mark.parametrize("change", ["left out", "reshaped"])
def test_weights_that_do_not_fit_are_refused_by_name(folder, tmp_path, change):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["mask_decoder.hq_token.weight"]
    if change == "reshaped":
        tensors["mask_decoder.hq_token.weight"] = torch.zeros(1, 5)
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensor .*\('mask_decoder.hq_token.weight'"):
        sam_hq.load(tmp_path)


def test_a_folder_of_segment_anything_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(ModelError, match="type 'sam_hq', but its config.json says 'sam'"):
        sam_hq.load(tmp_path)
