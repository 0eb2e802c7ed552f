"""SAM 3 as a detector beyond the contract."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from segue.detect import Exemplar, sam3
from segue.detect.sam3 import ConceptAnswer, instances
from segue.detect.sam3_exemplars import exemplar_boxes, roi_align
from segue.errors import InputError, ModelError
from segue.values.box import Box, Size
from segue.values.image import Image
from tiny_models import tiny_sam3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="module")
def detector(folder):
    return sam3.load(folder, device="cpu")


def a_picture(seed=0, size=(30, 90)):
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Image.open(pixels)


def calls_of(module):
    """Count the runs of a part of a network from now on."""
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def processed_by_transformers(outputs, threshold, mask_threshold, target_sizes):
    """`Sam3ImageProcessor.post_process_instance_segmentation`, whose module needs torchvision.

    A port line by line of transformers 5.23, Apache-2.0, in boxes, scores and masks.
    """
    scores = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
    results = []
    for index, (height, width) in enumerate(target_sizes):
        boxes = outputs.pred_boxes[index] * torch.tensor([width, height, width, height])
        keep = scores[index] > threshold
        masks = outputs.pred_masks[index].sigmoid()[keep]
        if len(masks) > 0:
            masks = F.interpolate(masks[None], (height, width), mode="bilinear")[0]
        masks = (masks > mask_threshold).to(torch.long)
        results.append({"scores": scores[index][keep], "boxes": boxes[keep], "masks": masks})
    return results


def an_output(seed=0, n_queries=20):
    generator = torch.Generator().manual_seed(seed)
    places, sides = torch.rand(2, 1, n_queries, 2, generator=generator)
    corners = torch.cat([places * 0.7, places * 0.7 + sides * 0.3 + 0.01], -1)
    return SimpleNamespace(
        pred_logits=torch.randn(1, n_queries, generator=generator) * 2,
        presence_logits=torch.randn(1, 1, generator=generator) + 1,
        pred_boxes=corners,
        pred_masks=torch.randn(1, n_queries, 8, 8, generator=generator) * 4,
    )


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("size", [Size(30, 90), Size(200, 7)], ids=str)
def test_instances_are_those_of_the_processor(threshold, size):
    outputs = an_output()
    presence = outputs.presence_logits.sigmoid()
    answer = ConceptAnswer(
        scores=(outputs.pred_logits.sigmoid() * presence)[0].numpy(),
        corners=outputs.pred_boxes[0].numpy(),
        mask_logits=outputs.pred_masks[0],
        presence_score=float(presence),
    )
    found = instances(answer, "cat", size, threshold, mask_threshold=0.5)
    (expected,) = processed_by_transformers(outputs, threshold, 0.5, [tuple(size)])
    order = expected["scores"].argsort(descending=True)
    assert len(found) == len(order)
    for one, row in zip(found, order):
        assert one.score == pytest.approx(float(expected["scores"][row]))
        assert one.box.corners == pytest.approx(expected["boxes"][row].tolist(), abs=1e-4)
        assert np.array_equal(one.mask.array, expected["masks"][row].numpy() > 0)
        assert one.presence_score == float(presence)


def test_the_processor_itself_agrees_where_torchvision_is():
    pytest.importorskip("torchvision")
    from transformers.models.sam3.image_processing_sam3 import Sam3ImageProcessor

    arguments = (an_output(), 0.3, 0.5, [(30, 90)])
    (theirs,) = Sam3ImageProcessor().post_process_instance_segmentation(*arguments)
    (ported,) = processed_by_transformers(*arguments)
    assert all(torch.equal(theirs[name], ported[name]) for name in ("scores", "boxes", "masks"))


def test_the_answer_is_that_of_the_bare_network(detector):
    image = a_picture()
    pixels = detector.pixels.normalized(torch.from_numpy(detector.pixels.resized(image))[None])
    words = detector.tokenizer(["cat"], padding="max_length", max_length=32, return_tensors="pt")
    with torch.inference_mode():
        outputs = detector.model(
            pixel_values=pixels,
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
        )
    (expected,) = processed_by_transformers(outputs, 0.0, 0.5, [tuple(image.size)])
    found = detector.find(image, ["Cat."], box_threshold=0.0)
    assert len(found) == len(expected["scores"]) == 12
    by_score = expected["scores"].sort(descending=True)
    assert [one.score for one in found] == pytest.approx(by_score.values.tolist(), abs=1e-5)
    for one, row in zip(found, by_score.indices):
        assert (one.mask.array != (expected["masks"][row].numpy() > 0)).mean() < 0.002


def test_a_second_phrase_costs_no_encoding_of_the_picture(folder):
    detector = sam3.load(folder, device="cpu")
    pictures, phrases = (
        calls_of(detector.model.vision_encoder),
        calls_of(detector.model.text_encoder),
    )
    detector.find(a_picture(), ["cat", "dog", "CAT"])
    detector.find(a_picture(), ["cup", "dog"])
    assert (len(pictures), len(phrases)) == (1, 3)
    detector.find(a_picture(seed=1), ["cat"])
    assert (len(pictures), len(phrases)) == (2, 3)
    assert detector.memory_bytes() == sum(
        level.nbytes for seed in (0, 1) for level in detector.encode([a_picture(seed)])[0]
    )


def test_a_phrase_is_one_run_and_its_presence_costs_no_more(folder):
    detector = sam3.load(folder, device="cpu")
    runs = calls_of(detector.model.detr_decoder)
    (best, *_) = detector.find(a_picture(), ["cat"], box_threshold=0.0)
    assert detector.presence_score(a_picture(), "the cat") != best.presence_score
    assert detector.presence_score(a_picture(), "Cat") == best.presence_score
    assert len(runs) == 2


def test_features_go_when_they_are_too_many(folder):
    detector = sam3.load(folder, device="cpu")
    detector.limit_memory(features=1)
    for seed in range(3):
        detector.find(a_picture(seed), ["cat"])
    assert len(detector._features) == 1


def test_several_pictures_are_answered_as_one_by_one(detector):
    images = [a_picture(seed=7), a_picture(seed=8, size=(40, 20))]
    detector.prepare(images[0])
    many = detector.find_many(images, ["cat", "dog"], 0.0)
    assert many == [detector.find(image, ["cat", "dog"], 0.0) for image in images]


def test_the_settings_beside_the_weights_count(tmp_path):
    folder = tiny_sam3(tmp_path, box_threshold=0.0, mask_threshold=1.0, presence_threshold=0.25)
    detector = sam3.load(folder, device="cpu", name="mine")
    assert (detector.name, detector.presence_threshold) == ("mine", 0.25)
    found = detector.find(a_picture(), ["cat"])
    assert len(found) == 12
    assert all(one.mask.is_empty for one in found)


def test_a_setting_that_is_no_fraction_is_refused(tmp_path):
    (tmp_path / "segue.json").write_text('{"presence_threshold": 50}')
    with pytest.raises(InputError, match=r"presence_threshold must be in \[0, 1\], got 50"):
        sam3.Sam3Options.read(tmp_path)


def test_half_precision_decides_in_float32(folder):
    half = sam3.load(folder, device="cpu", dtype="bfloat16")
    (maps,) = half.encode([a_picture()])
    answer = half.answer(maps, "cat")
    assert answer.mask_logits.dtype == torch.float32
    exact = sam3.load(folder, device="cpu", dtype="float32").presence_score(a_picture(), "cat")
    assert answer.presence_score == pytest.approx(exact, abs=0.05)


def test_a_folder_of_the_detector_alone_is_read(folder, detector, tmp_path):
    detector.model.save_pretrained(str(tmp_path))
    detector.tokenizer.save_pretrained(str(tmp_path))
    alone = sam3.load(tmp_path, device="cpu")
    pairs = zip(*(one.find(a_picture(), ["cat"], 0.0) for one in (alone, detector)), strict=True)
    for one, other in pairs:
        assert one.mask == other.mask
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_negative_and_positive_examples_differ(detector):
    box = Box(10, 5, 40, 25)
    answers = [
        [one.score for one in detector.find_like(a_picture(), [Exemplar(box, sign)], "cat", 0.0)]
        for sign in (True, False)
    ]
    plain = [one.score for one in detector.find(a_picture(), ["cat"], 0.0)]
    assert answers[0] != answers[1]
    assert plain not in answers


def test_examples_alone_ask_for_what_is_visual(detector):
    exemplar = Exemplar(Box(10, 5, 40, 25))
    alone = detector.find_like(a_picture(), [exemplar], box_threshold=0.0)
    named = detector.find_like(a_picture(), [exemplar], "visual", 0.0)
    assert [(one.box, one.score) for one in alone] == [(one.box, one.score) for one in named]


def test_examples_are_centre_and_size_in_fractions():
    boxes, labels = exemplar_boxes(
        [Exemplar(Box(10, 20, 30, 40)), Exemplar(Box(-50, 0, 50, 100), is_positive=False)],
        Size(height=100, width=200),
    )
    assert boxes[0].tolist() == [
        pytest.approx([0.1, 0.3, 0.1, 0.2]),
        pytest.approx([0.125, 0.5, 0.25, 1.0]),
    ]
    assert labels.tolist() == [[1, 0]]


def test_pooling_equals_that_of_torchvision():
    features = torch.arange(48.0).reshape(1, 6, 8) ** 1.5
    boxes = torch.tensor([[0.3, 1.2, 6.9, 5.1], [2.0, 2.0, 2.4, 2.9], [0.0, 0.0, 8.0, 6.0]])
    expected = [  # torchvision 0.29.1: ops.roi_align(features[None], [boxes], 2)
        [87.76184, 110.222115, 208.6178, 238.46835],
        [92.11154, 95.49607, 120.373787, 124.07584],
        [58.75723, 81.02884, 224.36938, 260.33698],
    ]
    pooled = roi_align(features, boxes, 2).flatten(1)
    assert pooled.tolist() == [pytest.approx(row, rel=1e-5) for row in expected]


def test_pooling_beyond_the_map_is_empty():
    features = torch.ones(1, 4, 4)
    pooled = roi_align(features, torch.tensor([[6.0, 0.0, 7.0, 4.0], [0.0, 0.0, 4.0, 4.0]]), 2)
    assert pooled.flatten(1).tolist() == [[0.0] * 4, [1.0] * 4]


def test_weights_that_leave_a_gap_are_refused_by_name(folder, tmp_path):
    name = "detector_model.detr_decoder.presence_token.weight"
    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    with pytest.raises(ModelError, match=r"\('detr_decoder.presence_token.weight'"):
        sam3.load(_copied(folder, tmp_path, tensors))


def test_weights_of_another_shape_are_refused_by_name(folder, tmp_path):
    name = "detector_model.detr_decoder.query_embed.weight"
    tensors = load_file(folder / "model.safetensors")
    tensors[name] = tensors[name][:-1].clone()
    with pytest.raises(ModelError, match=r"\('detr_decoder.query_embed.weight'"):
        sam3.load(_copied(folder, tmp_path, tensors))


def test_weights_that_are_not_finite_are_told(folder, tmp_path):
    tensors = load_file(folder / "model.safetensors")
    tensors["detector_model.detr_decoder.query_embed.weight"][:] = float("nan")
    damaged = sam3.load(_copied(folder, tmp_path, tensors), device="cpu")
    with pytest.raises(ModelError, match="not finite in torch.float32"):
        damaged.find(a_picture(), ["cat"])


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    with pytest.raises(ModelError, match="'sam3' or 'sam3_video', but its config.json says 'sam2'"):
        sam3.load(tmp_path)


def _copied(folder, place, tensors):
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    save_file(tensors, str(place / "model.safetensors"), metadata={"format": "pt"})
    return place
