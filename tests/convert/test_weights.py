"""Original checkpoints to folders."""

import json
import shutil

import numpy as np
import pytest
import torch

from segue.convert.weights import convert_weights, detect_backend
from segue.detect import grounding_dino
from segue.errors import InputError, ModelError
from segue.segment import sam
from segue.values.box import Box
from segue.values.image import Image

IMAGE_PLACEHOLDER = Image.open(
    np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
)


def test_segment_anything_is_the_same_after_conversion(shared, tmp_path):
    source, folder = shared / "golden" / "sam_A" / "weights.pth", tmp_path / "out" / "sam"
    assert convert_weights(source, folder) == "sam"
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    before, after = sam.load(source, device="cpu"), sam.load(folder, device="cpu")
    masks = [one.look(IMAGE_PLACEHOLDER).mask([Box(5, 5, 40, 40)])[0] for one in (before, after)]
    assert np.abs(masks[0].logits - masks[1].logits).max() < 1e-5
    assert after.model.config.mask_decoder_config.layer_norm_eps == 1e-5


def test_grounding_dino_is_the_same_after_conversion(shared, tmp_path):
    golden, source = shared / "golden" / "gdino_A", tmp_path / "in" / "groundingdino.pth"
    source.parent.mkdir()
    shutil.copy(golden / "weights.pth", source)
    size = {"shortest_edge": 64, "longest_edge": 128}
    (source.parent / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    (source.parent / "segue.json").write_text('{"heads": {"text": 4}, "nms_iou": 0.6}')
    words, folder = golden / "vocab.txt", tmp_path / "out"
    assert convert_weights(source, folder, vocabulary=words) == "grounding_dino"
    before = grounding_dino.load(source, device="cpu", vocabulary=words)
    after = grounding_dino.load(folder, device="cpu")
    assert after.options == before.options
    assert after.resizing == before.resizing
    assert json.loads((folder / "segue.json").read_text()) == {"nms_iou": 0.6}
    found = [one.find(IMAGE_PLACEHOLDER, ["cat", "pillow"], 0.0, 0.0) for one in (before, after)]
    assert [one.phrase for one in found[0]] == [one.phrase for one in found[1]] != []
    assert np.allclose(
        [f.box.corners for f in found[0]], [f.box.corners for f in found[1]], atol=0.01
    )


def test_a_failure_leaves_nothing_behind(shared, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no hub"))
    source = tmp_path / "groundingdino.pth"
    shutil.copy(shared / "golden" / "gdino_A" / "weights.pth", source)
    with pytest.raises(ModelError, match="vocab.txt"):
        convert_weights(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["groundingdino.pth"]


def test_a_full_folder_is_not_overwritten(tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(InputError, match="must be new or empty"):
        convert_weights(tmp_path / "x.pth", tmp_path)


def test_other_checkpoints_are_not_recognised(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="Segment Anything or Grounding DINO.*'a'"):
        detect_backend(tmp_path / "x.pth")
