"""OmDet-Turbo beyond the contract."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from segue.assistant.loading import load_stage
from segue.detect import omdet_turbo
from segue.detect.omdet_backbone import settings_without_timm, tensors_without_timm
from segue.errors import ModelError
from segue.values.image import Image
from tiny_models import tiny_omdet_turbo

NAMES = ["cat", "hot dog", "cup"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_omdet_turbo(tmp_path_factory.mktemp("omdet"))


@pytest.fixture(scope="module")
def detector(folder):
    return load_stage("detect", folder, device="cpu")


def a_picture(height=50, width=90, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.open(pixels)


def inputs_as_by_transformers(folder, image, names):
    """What OmDetTurboProcessor makes, whose class needs torchvision: written out with its parts."""
    from transformers import AutoTokenizer
    from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    words = {"padding": "max_length", "truncation": True, "max_length": 32, "return_tensors": "pt"}
    settings = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    processor = DetrImageProcessorPil(**settings, do_pad=False)
    tasks = tokenizer([f"Detect {', '.join(names)}."], **words)
    classes = tokenizer(names, **words)
    return {
        "pixel_values": processor(image.to_pil(), return_tensors="pt")["pixel_values"],
        **{f"tasks_{key}": tasks[key] for key in ("input_ids", "attention_mask")},
        **{f"classes_{key}": classes[key] for key in ("input_ids", "attention_mask")},
        "classes_structure": torch.tensor([len(names)]),
    }


def found_as_by_transformers(logits, boxes, size, threshold, max_iou):
    """`_post_process_boxes_for_image`, with the suppression of torchvision written out."""
    from transformers.image_transforms import center_to_corners_format

    scores, places = logits.sigmoid().flatten().topk(len(boxes))
    corners = center_to_corners_format(boxes) * torch.tensor([*size[::-1], *size[::-1]])
    kept = []
    for score, place in zip(scores, places):
        row, label = divmod(int(place), logits.shape[1])
        overlaps = [iou(corners[row], box) for box, one, _ in kept if one == label]
        if score > threshold and all(overlap <= max_iou for overlap in overlaps):
            kept.append((corners[row], label, float(score)))
    limits = torch.tensor([*size[::-1], *size[::-1]])
    return [(label, score, torch.minimum(box.clamp(min=0), limits)) for box, label, score in kept]


def iou(one, other):
    lowest, highest = torch.maximum(one[:2], other[:2]), torch.minimum(one[2:], other[2:])
    both = (highest - lowest).clamp(min=0).prod()
    return float(both / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - both))


def network(folder):
    from transformers import OmDetTurboForObjectDetection

    return OmDetTurboForObjectDetection.from_pretrained(str(folder)).eval()


def test_the_picture_is_prepared_as_by_transformers(folder, detector):
    expected = inputs_as_by_transformers(folder, a_picture(), NAMES)["pixel_values"][0]
    assert np.abs(detector.resizing.pixels(a_picture()) - expected.numpy()).max() < 1e-5


def test_scores_and_boxes_equal_those_of_the_bare_network(folder, detector):
    with torch.inference_mode():
        out = network(folder)(**inputs_as_by_transformers(folder, a_picture(), NAMES))
    scores, boxes = detector.run_network(a_picture(), NAMES)
    assert np.abs(scores - out.decoder_class_logits[0].sigmoid().numpy()).max() < 1e-4
    assert np.abs(boxes - out.decoder_coord_logits[0].numpy()).max() < 1e-4


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_what_is_found_equals_what_transformers_makes_of_the_same_numbers(detector, threshold):
    image = a_picture()
    scores, boxes = (torch.from_numpy(part) for part in detector.run_network(image, NAMES))
    expected = found_as_by_transformers(scores.logit(), boxes, image.size, threshold, 0.5)
    found = detector.find(image, NAMES, box_threshold=threshold)
    assert len(found) == len(expected) > 0
    for one, (label, score, box) in zip(found, sorted(expected, key=lambda e: (e[0], -e[1]))):
        assert (one.phrase, one.score) == (NAMES[label], pytest.approx(score, abs=1e-5))
        assert one.box.corners == pytest.approx(tuple(box.tolist()), abs=1e-2)


def test_what_is_found_equals_what_the_processor_finds(detector):
    pytest.importorskip("torchvision")
    from transformers.models.omdet_turbo import processing_omdet_turbo as theirs

    image = a_picture()
    scores, boxes = (torch.from_numpy(part) for part in detector.run_network(image, NAMES))
    _, classes = theirs.compute_score(scores[None])
    corners, best, labels = theirs._post_process_boxes_for_image(
        boxes, scores, classes, len(NAMES), tuple(image.size), 0.3, 0.5
    )
    expected = sorted(zip(labels.tolist(), (-best).tolist(), corners.tolist()))
    found = detector.find(image, NAMES)
    assert len(found) == len(expected) > 0
    for one, (label, score, box) in zip(found, expected):
        assert (one.phrase, one.score) == (NAMES[label], pytest.approx(-score, abs=1e-5))
        assert one.box.corners == pytest.approx(tuple(box), abs=1e-3)


def test_phrases_share_a_run_and_a_picture_is_encoded_once(detector):
    before = detector.memory_bytes()
    image = a_picture(seed=7)
    detector.find(image, NAMES)
    encoded = detector.memory_bytes()
    detector.find(image, ["remote"])
    assert encoded == detector.memory_bytes() > before


def test_several_pictures_are_answered_one_by_one(detector):
    images = [a_picture(), a_picture(seed=1)]
    many = detector.find_many(images, NAMES, 0.0)
    assert many == [detector.find(image, NAMES, 0.0) for image in images]


def test_only_the_backbone_runs_in_half_precision(folder, detector):
    half = omdet_turbo.load(folder, device="cpu", dtype="bfloat16")
    scores, _ = half.run_network(a_picture(), NAMES)
    assert {weight.dtype for weight in half.model.parameters()} == {torch.float32}
    assert scores.dtype == np.float32


@pytest.mark.parametrize("change", ["left out", "reshaped"])
def test_weights_that_do_not_fit_are_refused_by_name(folder, tmp_path, change):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["decoder.task_project.weight"]
    if change == "reshaped":
        tensors["decoder.task_project.weight"] = torch.zeros(3, 3)
    save_file(tensors, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensor .*\('decoder.task_project.weight'"):
        omdet_turbo.load(tmp_path)


def test_the_published_form_is_refused_by_name_where_its_backbone_leaves_a_gap(folder, tmp_path):
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    settings["encoder_in_channels"] = [192, 384, 768]
    settings |= {"backbone_config": None, "backbone": "swin_tiny_patch4_window7_224"}
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    whole = {name: value for name, value in tensors.items() if "vision_backbone" not in name}
    save_file(whole, str(tmp_path / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(ModelError, match="tensors missing .*'encoder.channel_projection_laye"):
        omdet_turbo.load(tmp_path)


def test_a_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "owlv2"}')
    with pytest.raises(ModelError, match="type 'omdet-turbo', but its config.json says 'owlv2'"):
        omdet_turbo.load(tmp_path)


def test_another_backbone_of_timm_is_refused():
    with pytest.raises(ModelError, match="got 'convnext_base', which only timm has"):
        settings_without_timm({"backbone": "convnext_base", "use_timm_backbone": True})


def test_norms_outside_a_backbone_of_transformers_are_refused(tmp_path):
    settings = {"model_type": "omdet-turbo", "backbone_config": {"model_type": "swin"}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="must set apply_layernorm_after_vision_backbone to false"):
        omdet_turbo.load(tmp_path)


def names_of_timm():
    """The tensors of timm's swin_tiny_patch4_window7_224, as a list of features."""
    ends = ["weight", "bias"]
    names = [f"patch_embed.{part}.{end}" for part in ("proj", "norm") for end in ends]
    for stage, depth in enumerate((2, 2, 6, 2)):
        if stage:
            names += [f"layers_{stage}.downsample.{n}" for n in ("norm.weight", "norm.bias")]
            names.append(f"layers_{stage}.downsample.reduction.weight")
        for block in range(depth):
            parts = ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
            start = f"layers_{stage}.blocks.{block}"
            names += [f"{start}.{part}.{end}" for part in parts for end in ends]
            names.append(f"{start}.attn.relative_position_bias_table")
    return names


def test_every_tensor_of_the_published_backbone_has_a_place():
    from transformers import OmDetTurboConfig
    from transformers.models.omdet_turbo.modeling_omdet_turbo import OmDetTurboVisionBackbone

    tensor = torch.zeros(3)
    tensors = {f"vision_backbone.vision_backbone._backbone.{n}": tensor for n in names_of_timm()}
    norms = [
        f"vision_backbone.layer_norms.{n}.{end}" for n in range(3) for end in ("weight", "bias")
    ]
    tensors |= dict.fromkeys(norms, tensor)
    with torch.device("meta"):
        config = OmDetTurboConfig.from_dict(settings_without_timm({"model_type": "omdet-turbo"}))
        needed = OmDetTurboVisionBackbone(config).state_dict()
    assert set(tensors_without_timm(tensors)) == {f"vision_backbone.{name}" for name in needed}


def test_the_published_form_gives_the_numbers_of_timm(folder, tmp_path):
    pytest.importorskip("timm")
    from transformers import OmDetTurboConfig, OmDetTurboForObjectDetection

    settings = json.loads((folder / "config.json").read_text("utf-8"))
    del settings["backbone_config"]
    settings |= {
        "apply_layernorm_after_vision_backbone": True,
        "image_size": 320,
        "encoder_in_channels": [192, 384, 768],
    }
    theirs = OmDetTurboForObjectDetection(OmDetTurboConfig.from_dict(settings)).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.copy_(torch.randn_like(weight) * 0.1 + (weight.ndim == 1))
    for file in folder.glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    theirs.save_pretrained(str(tmp_path))
    ours = omdet_turbo.read_omdet_turbo(tmp_path)
    pixels = torch.randn(1, 3, 320, 320)
    with torch.inference_mode():
        for level, expected in zip(
            ours.vision_backbone(pixels), theirs.vision_backbone(pixels), strict=True
        ):
            assert torch.allclose(level, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))
