"""The published `.pth` format: names, sizes, and every number of the original program."""

import json
import shutil

import numpy as np
import pytest
import torch

from segue.detect import grounding_dino
from segue.detect.original_grounding_dino import (
    config_of,
    is_original_grounding_dino,
    rename_tensors,
)
from segue.errors import ModelError
from segue.runtime.weights import read_tensors
from segue.values.image import Image

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden(shared, tmp_path_factory):
    """The checkpoint with its words and, as it is no published one, the numbers no shape tells."""
    source, folder = shared / "golden" / "gdino_A", tmp_path_factory.mktemp("gdino_A")
    told = json.loads((source / "config.json").read_text())
    for name in ("weights.pth", "vocab.txt"):
        shutil.copy(source / name, folder)
    pixels = told["preprocess"]
    size = {"shortest_edge": pixels["short"], "longest_edge": pixels["max"]}
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    heads = {"text": told["bert"]["num_attention_heads"]}
    (folder / "segue.json").write_text(json.dumps({"heads": heads, "nms_iou": 1.0}))
    detector = grounding_dino.load(folder / "weights.pth", device="cpu")
    photos = [Image.open(source / name) for name in ("photo.png", "photo2.png")]
    return detector, photos, np.load(source / "golden.npz"), told["cases"]


def test_preprocessing_equals_the_original(golden):
    detector, (photo, _), stored, _ = golden
    pixels = detector.resizing.pixels(photo)
    assert pixels.shape[1:] == tuple(stored["resized_hw"])
    assert np.array_equal(pixels[tuple(stored["preproc_idx_chw"])], stored["preproc_val"])


@pytest.mark.parametrize(
    ("case", "phrases"),
    [
        ("c0", ["Cat", "remote control.", "the white pillow"]),
        ("c1", ["Two cats on a couch"]),
        ("c2", ["what is the dog", "a red hat", "chair"]),
    ],
)
def test_captions_are_those_of_the_original(golden, case, phrases):
    detector, _, stored, _ = golden
    (caption,) = detector.captions(phrases)
    expected = [1012 if i == 1029 else int(i) for i in stored[f"{case}/input_ids"]]
    assert list(caption.ids) == expected  # a question mark separates there, a dot does here


@pytest.mark.parametrize("case", ["c0", "c1", "c2"])
def test_logits_and_boxes_equal_the_original(golden, case):
    detector, (photo, _), stored, _ = golden
    ids = torch.tensor(stored[f"{case}/input_ids"])[None]
    pixels, inside = detector._pad([detector.resizing.pixels(photo)])
    logits, boxes = detector.forward(pixels, inside, ids, torch.ones_like(ids))
    raw = logits[0, :, : ids.shape[1]].numpy()
    assert np.abs(raw - stored[f"{case}/logits"]).max() < TOLERANCE
    assert np.abs(boxes[0].numpy() - stored[f"{case}/boxes_cxcywh"]).max() < TOLERANCE


def test_a_batch_of_two_sizes_equals_the_repaired_original(golden):
    detector, photos, stored, _ = golden
    ids = torch.tensor(stored["batch/input_ids"])
    mask = torch.tensor(stored["batch/attention_mask"])
    pixels, inside = detector._pad([detector.resizing.pixels(photo) for photo in photos])
    logits, boxes = detector.forward(pixels, inside, ids, mask)
    for row, tokens in enumerate(mask.sum(1).tolist()):
        found = logits[row, :, :tokens].numpy()
        expected = stored["batch_fixed/logits"][row, :, :tokens]
        assert np.abs(found - expected).max() < TOLERANCE
    assert np.abs(boxes.numpy() - stored["batch_fixed/boxes_cxcywh"]).max() < TOLERANCE


def test_the_same_boxes_pass_the_threshold_as_in_the_original(golden):
    detector, (photo, _), stored, cases = golden
    found = detector.find(photo, ["two cats on a couch"], box_threshold=0.0, text_threshold=0.0)
    floor = cases["c1"]["box_threshold"]
    width, height = photo.size.width, photo.size.height
    kept = stored["c1/kept_boxes_cxcywh"]
    corners = np.concatenate([kept[:, :2] - kept[:, 2:] / 2, kept[:, :2] + kept[:, 2:] / 2], 1)
    corners = (corners * (width, height, width, height)).clip(0, (width, height, width, height))
    ours = np.array([one.box.corners for one in found])
    assert all(np.abs(ours - corner).max(1).min() < 0.1 for corner in corners)
    # the original lets the separators count for a box's score, so it keeps more at one threshold
    above = [one for one in found if one.score > floor]
    assert 0 < len(above) <= len(kept)


def test_every_tensor_has_a_place(shared):
    tensors = read_tensors(shared / "golden" / "gdino_A" / "weights.pth")
    assert is_original_grounding_dino(tensors)
    names = rename_tensors(tensors)
    assert not [name for name in names if "in_proj" in name or "qkv" in name]
    assert names["model.text_projection.weight"] is tensors["feat_map.weight"]
    with pytest.raises(ModelError, match="only the published tensors, got 'extra'"):
        rename_tensors(tensors | {"extra": torch.ones(1)})


def test_the_published_size_follows_from_the_shapes():
    config = config_of(_published_swint())
    assert (config.d_model, config.encoder_layers, config.decoder_layers) == (256, 6, 6)
    assert (config.encoder_attention_heads, config.num_queries) == (8, 900)
    assert (config.encoder_ffn_dim, config.num_feature_levels) == (2048, 4)
    assert config.decoder_bbox_embed_share
    swin = config.backbone_config
    assert (swin.embed_dim, list(swin.depths), swin.window_size) == (96, [2, 2, 6, 2], 7)
    assert (list(swin.num_heads), list(swin.out_indices)) == ([3, 6, 12, 24], [2, 3, 4])
    assert (swin.image_size, swin.mlp_ratio) == (224, 4.0)
    bert = config.text_config
    assert (bert.hidden_size, bert.num_hidden_layers, bert.num_attention_heads) == (768, 12, 12)


def _published_swint():
    def empty(*shape):
        return torch.empty(shape, device="meta")

    shapes = {
        "transformer.tgt_embed.weight": empty(900, 256),
        "feat_map.weight": empty(256, 768),
        "transformer.level_embed": empty(4, 256),
        "transformer.encoder.layers.0.self_attn.attention_weights.weight": empty(128, 256),
        "transformer.encoder.layers.0.linear1.weight": empty(2048, 256),
        "transformer.encoder.layers.5.linear1.weight": empty(2048, 256),
        "transformer.decoder.layers.0.linear1.weight": empty(2048, 256),
        "transformer.decoder.layers.5.linear1.weight": empty(2048, 256),
        "backbone.0.patch_embed.proj.weight": empty(96, 3, 4, 4),
        "backbone.0.layers.0.blocks.0.mlp.fc1.weight": empty(384, 96),
        "bert.embeddings.word_embeddings.weight": empty(30522, 768),
        "bert.embeddings.position_embeddings.weight": empty(512, 768),
        "bert.embeddings.token_type_embeddings.weight": empty(2, 768),
        "bert.encoder.layer.0.intermediate.dense.weight": empty(3072, 768),
        "bert.encoder.layer.11.intermediate.dense.weight": empty(3072, 768),
    }
    for stage, (depth, heads) in enumerate(zip((2, 2, 6, 2), (3, 6, 12, 24))):
        for block in range(depth):
            start = f"backbone.0.layers.{stage}.blocks.{block}"
            shapes[f"{start}.norm1.weight"] = empty(96 * 2**stage)
            shapes[f"{start}.attn.relative_position_bias_table"] = empty(169, heads)
    for i in range(3):
        shapes[f"backbone.0.norm{i + 1}.weight"] = empty(96 * 2 ** (i + 1))
    for i in range(6):
        shapes[f"bbox_embed.{i}.layers.0.weight"] = torch.ones(2, 2)
    return shapes
