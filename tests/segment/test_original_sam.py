"""The published `.pth` format: names, sizes, and every number of the original program."""

import json

import numpy as np
import pytest
import torch

from segue.errors import ModelError
from segue.runtime.weights import read_tensors
from segue.segment import sam
from segue.segment.original_sam import config_of, is_original_sam, rename_tensors
from segue.segment.prompts import SegmentPrompt
from segue.values.box import Box, Size
from segue.values.image import Image

TOLERANCE = 5e-5


@pytest.fixture(scope="module")
def golden(shared):
    folder = shared / "golden" / "sam_A"
    stored = np.load(folder / "golden.npz")
    cases = json.loads((folder / "config.json").read_text())["cases"]
    segmenter = sam.load(folder / "weights.pth", device="cpu", dtype="float32")
    image = Image.open(folder / "photo.png")
    return segmenter, segmenter.look(image), stored, cases, image


def test_preprocessing_and_embedding_equal_the_original(golden):
    segmenter, view, stored, _, image = golden
    pixels, inner = segmenter.pixels(image)
    assert inner == Size(*stored["input_size"])
    sampled = pixels[0].numpy()[tuple(stored["preproc_idx_chw"])]
    assert np.abs(sampled - stored["preproc_val"]).max() < 1e-6
    assert np.abs(view.maps[0].numpy() - stored["image_embedding"]).max() < TOLERANCE


@pytest.mark.parametrize(
    "case",
    ["box0", "box1", "box0_single", "point", "points3", "points_box", "box0_refined"],
)
def test_logits_and_iou_equal_the_original(golden, case):
    _, view, stored, cases, _ = golden
    told = cases[case]
    box = Box(*map(float, stored["boxes_xyxy"][told["box"]])) if "box" in told else None
    rows = told.get("points", [])
    points = tuple(tuple(map(float, stored["points_xy"][row])) for row in rows)
    labels = tuple(int(stored["point_labels"][row]) for row in rows)
    prior = None
    if "mask_input" in told:
        prior = stored["box0/low_res_logits"][stored["box0/iou"].argmax()]
    with torch.inference_mode():
        logits, iou = view.decode(
            [SegmentPrompt(box, points, labels)], prior, multimask=told["multimask"]
        )
    assert np.abs(logits[0].numpy() - stored[f"{case}/low_res_logits"]).max() < TOLERANCE
    assert np.abs(iou[0].numpy() - stored[f"{case}/iou"]).max() < TOLERANCE


def test_all_boxes_in_one_call_give_the_pixels_of_the_original(golden):
    _, view, stored, _, _ = golden
    masks = view.mask(boxes=[Box(*map(float, box)) for box in stored["boxes_xyxy"]])
    packed = stored["boxes_batched/masks_packed"][:, 0]
    expected = np.unpackbits(packed, axis=-1)[..., : view.size.width].astype(bool)
    assert [int((m.array != e).sum()) for m, e in zip(masks, expected)] == [0, 0, 0, 0]
    scores = [mask.score for mask in masks]
    assert np.allclose(scores, stored["boxes_batched/iou"][:, 0], atol=TOLERANCE)


def test_a_single_click_takes_the_best_of_three(golden):
    _, view, stored, _, _ = golden
    x, y = map(float, stored["points_xy"][0])
    (mask,) = view.mask(points=[(x, y)])
    best = stored["point/iou"].argmax()
    assert mask.score == pytest.approx(stored["point/iou"][best], abs=TOLERANCE)
    assert np.abs(mask.logits - stored["point/low_res_logits"][best]).max() < TOLERANCE


@pytest.mark.parametrize(
    ("size", "width", "layers", "heads", "everywhere"),
    [
        ("b", 768, 12, 12, [2, 5, 8, 11]),
        ("l", 1024, 24, 16, [5, 11, 17, 23]),
        ("h", 1280, 32, 16, [7, 15, 23, 31]),
    ],
)
def test_the_published_sizes_follow_from_the_shapes(size, width, layers, heads, everywhere):
    config = config_of(_published(width, layers, heads, everywhere))
    vision = config.vision_config
    assert (vision.hidden_size, vision.num_hidden_layers) == (width, layers)
    assert (vision.num_attention_heads, vision.window_size) == (heads, 14)
    assert list(vision.global_attn_indexes) == everywhere
    assert (vision.image_size, vision.patch_size, vision.mlp_dim) == (1024, 16, 4 * width)
    decoder = config.mask_decoder_config
    assert (decoder.hidden_size, decoder.mlp_dim, decoder.iou_head_depth) == (256, 2048, 3)
    assert decoder.layer_norm_eps == 1e-5


def _published(width, layers, heads, everywhere):
    """The shapes of a published file that a configuration needs, without numbers."""

    def empty(*shape):
        return torch.empty(shape, device="meta")

    shapes = {
        "image_encoder.pos_embed": empty(1, 64, 64, width),
        "image_encoder.patch_embed.proj.weight": empty(width, 3, 16, 16),
        "image_encoder.blocks.0.mlp.lin1.weight": empty(4 * width, width),
        "mask_decoder.iou_token.weight": empty(1, 256),
        "mask_decoder.mask_tokens.weight": empty(4, 256),
        "mask_decoder.transformer.layers.0.mlp.lin1.weight": empty(2048, 256),
        "mask_decoder.transformer.layers.1.mlp.lin1.weight": empty(2048, 256),
        "mask_decoder.transformer.final_attn_token_to_image.q_proj.weight": empty(128, 256),
        "prompt_encoder.mask_downscaling.3.weight": empty(16, 4, 2, 2),
    }
    for i in range(layers):
        rows = 127 if i in everywhere else 27
        shapes[f"image_encoder.blocks.{i}.attn.rel_pos_h"] = empty(rows, width // heads)
    for i in range(3):
        shapes[f"mask_decoder.iou_prediction_head.layers.{i}.weight"] = empty(256, 256)
    for i in range(4):
        shapes[f"prompt_encoder.point_embeddings.{i}.weight"] = empty(1, 256)
    return shapes


def test_constants_that_some_files_carry_are_dropped(shared):
    tensors = read_tensors(shared / "golden" / "sam_A" / "weights.pth")
    assert is_original_sam(tensors)
    more = tensors | {"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}
    assert set(rename_tensors(more)) == set(rename_tensors(tensors))


def test_a_variant_with_more_tensors_is_refused(shared, tmp_path):
    tensors = read_tensors(shared / "golden" / "sam_A" / "weights.pth")
    torch.save(tensors | {"mask_decoder.hf_token.weight": torch.ones(1, 64)}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="1 tensor without a place.*hf_token.*variant"):
        sam.load(tmp_path / "x.pth")


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"some.weight": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="original Segment Anything.*'some.weight'"):
        sam.load(tmp_path / "x.pth")
    with pytest.raises(ModelError, match="must have the tensor 'image_encoder.pos_embed'"):
        config_of({"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": torch.ones(1)})
