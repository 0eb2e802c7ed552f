"""The official side of segmenters and detectors. Runs without this package.

    python grounders_there.py FOLDER KIND...

FOLDER holds what `grounders_here.py` wrote. What differs is printed, a line of JSON for each kind.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from official_side import print_comparisons  # beside this file, where it runs
from transformers.image_utils import load_image

PHRASES = ("cat", "hot dog", "red cup")
WAYS = ("own", "same", "noise")
"""What goes to the official network: what its processor makes, what goes to the network here, or
that with the differences between both put elsewhere, which tells what rounding does."""
LEFT_OUT = "rgba.png"
"""Laid on white here, without its transparency there: a difference of another kind."""


def compare(folder: Path, files: list[Path]) -> dict[str, Any]:
    """Return what differs between the official results and the package's."""
    facts = json.loads((folder / "package.json").read_text())
    processor, model = load_official(folder / "model", *facts["classes"])
    ours = np.load(folder / "package.npz")
    ask = segment if not hasattr(processor, "tokenizer") else detect
    told: dict[str, Any] = {"levels": 0.0, "at": "", "mean": 0.0, "refused": {}, "shapes": []}
    told |= {way: _nothing() for way in WAYS}
    for file in files:
        if file.name in facts["refused"]:
            told["refused"][file.name] = "package: " + facts["refused"][file.name]
        if file.name in facts["refused"] or file.name == LEFT_OUT:
            continue
        image, asked = load_image(str(file)).convert("RGB"), facts["asked"][file.name]
        mine = {name.split("/")[1]: ours[name] for name in ours.files
                if name.startswith(file.name + "/")}  # fmt: skip
        pixels = torch.from_numpy(mine["pixels"])
        try:
            theirs = processor.image_processor(image, return_tensors="pt")["pixel_values"]
        except Exception as error:
            told["refused"][file.name] = "official: " + str(error)[:160]
            continue
        if theirs.shape != pixels.shape:
            told["shapes"].append(f"{file.name}: {tuple(pixels.shape)}, {tuple(theirs.shape)}")
            continue
        difference = (theirs - pixels).abs() * _grey_levels(processor.image_processor)
        told["mean"] = max(told["mean"], float(difference.mean()))
        if float(difference.max()) > told["levels"]:
            told["levels"], told["at"] = float(difference.max()), file.name
        apart = (theirs - pixels).flatten()
        moved = apart[torch.randperm(len(apart), generator=torch.Generator().manual_seed(0))]
        noise = pixels + moved.reshape(pixels.shape)
        for way, given in zip(WAYS, (theirs, pixels, noise), strict=True):
            ask(processor, model, image, given, asked, mine, told[way])
    return told


def load_official(
    folder: Path, processor: str, image_processor: str, model: str, tokenizer: str
) -> tuple[Any, Any]:
    """Return the official processor of a miniature, and its network."""
    parts = {}
    if (folder / "preprocessor_config.json").exists():
        parts["image_processor"] = getattr(transformers, image_processor).from_pretrained(folder)
    else:
        whole = json.loads((folder / "processor_config.json").read_text())["image_processor"]
        parts["image_processor"] = getattr(transformers, image_processor)(**whole)
    network = getattr(transformers, model).from_pretrained(folder, dtype=torch.float32)
    if tokenizer:
        length = network.config.text_config.max_position_embeddings
        parts["tokenizer"] = getattr(transformers, tokenizer).from_pretrained(
            folder, model_max_length=length
        )
    return getattr(transformers, processor)(**parts), network.eval()


def _nothing() -> dict[str, Any]:
    return {
        "boxes": 0.0, "scores": 0.0, "pixels": 0.0, "iou": 1.0, "compared": 0, "unmatched": 0,
        "labels": 0, "separators": 0, "filled": [1.0, 0.0],
    }  # fmt: skip


def _grey_levels(image_processor: Any) -> float:
    """One unit of pixel values in grey levels."""
    std = float(np.mean(image_processor.image_std))
    return std * 255 if image_processor.do_rescale else std


@torch.inference_mode()
def segment(
    processor: Any, model: Any, image: Any, pixels: Any, asked: Any, mine: Any, told: Any
) -> None:
    """Compare the masks of all prompts."""
    shape = (len(asked), image.height, image.width)
    masks = np.unpackbits(mine["masks"], count=int(np.prod(shape))).reshape(shape)
    for prompt, mask, score in zip(asked, masks, mine["scores"], strict=True):
        given: dict[str, Any] = {}
        if "box" in prompt:
            given["input_boxes"] = [[prompt["box"]]]
        if "points" in prompt:
            given["input_points"] = [[prompt["points"]]]
            given["input_labels"] = [[prompt["labels"]]]
        inputs = processor(image, **given, return_tensors="pt")
        inputs["pixel_values"] = pixels
        sizes = [inputs.pop(name) for name in ("original_sizes", "reshaped_input_sizes")
                 if name in inputs]  # fmt: skip
        vague = "box" not in prompt and len(prompt["points"]) == 1
        out = model(**inputs, multimask_output=vague)
        best = int(out.iou_scores[0, 0].argmax())
        theirs = processor.post_process_masks(out.pred_masks[:, :, best : best + 1], *sizes)
        official = theirs[0].reshape(image.height, image.width).numpy()
        _compare_masks(mask[None].astype(bool), official[None], told)
        difference = abs(float(out.iou_scores[0, 0, best].clamp(0, 1)) - float(score))
        told["scores"] = max(told["scores"], difference)
        told["compared"] += 1


@torch.inference_mode()
def detect(
    processor: Any, model: Any, image: Any, pixels: Any, asked: Any, mine: Any, told: Any
) -> None:
    """Compare all boxes, scores and, from some, masks."""
    name, size = type(processor).__name__, (image.height, image.width)
    if name == "CLIPSegProcessor":
        _heat(processor, model, image, pixels, asked, mine, told)
        return
    find = {"GroundingDinoProcessor": _dino, "Owlv2Processor": _owl, "OmDetTurboProcessor": _omdet,
            "Sam3Processor": _sam3}[name]  # fmt: skip
    found = find(processor, model, image, pixels, asked["threshold"], told)
    limits = torch.tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(found["boxes"].clamp(min=0), limits).numpy()
    real = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    rows = np.flatnonzero(real)
    pairs = _pairs(mine["boxes"], mine["scores"], boxes[rows], found["scores"].numpy()[rows])
    told["compared"] += len(pairs)
    told["unmatched"] += len(mine["boxes"]) + len(rows) - 2 * len(pairs)
    masks = None
    if "masks" in mine:
        shape = (len(mine["boxes"]), *size)
        masks = np.unpackbits(mine["masks"], count=int(np.prod(shape))).reshape(shape)
    for one, other in pairs:
        row = rows[other]
        told["boxes"] = max(told["boxes"], float(np.abs(mine["boxes"][one] - boxes[row]).max()))
        difference = abs(float(mine["scores"][one]) - float(found["scores"][row]))
        told["scores"] = max(told["scores"], difference)
        told["labels"] += asked["phrases"][one] not in found["labels"][row]
        if masks is not None:
            official = found["masks"][row].numpy().astype(bool)
            _compare_masks(masks[one][None].astype(bool), official[None], told)


def _pairs(ours: Any, scores: Any, theirs: Any, other_scores: Any) -> list[tuple[int, int]]:
    """Return rows that belong together: the nearest first, each once, within a tenth of the box."""
    if not len(ours) or not len(theirs):
        return []
    apart = np.abs(ours[:, None] - theirs[None]).max(2)
    room = np.maximum(0.1 * (ours[:, 2:] - ours[:, :2]).max(1), 1)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    costs = apart + 1e3 * np.abs(scores[:, None] - other_scores[None])
    for place in np.argsort(costs, axis=None):
        one, other = map(int, np.unravel_index(place, apart.shape))
        if apart[one, other] > room[one] or one in pairs or other in taken:
            continue
        pairs[one] = other
        taken.add(other)
    return list(pairs.items())


def _compare_masks(ours: np.ndarray, theirs: np.ndarray, told: Any) -> None:
    for one, other in zip(ours, theirs, strict=True):
        either, both = (one | other).sum(), (one & other).sum()
        told["pixels"] = max(told["pixels"], float((one != other).mean()))
        told["iou"] = min(told["iou"], float(both / either) if either else 1.0)
        told["filled"] = [min(told["filled"][0], float(one.mean())),
                          max(told["filled"][1], float(one.mean()))]  # fmt: skip


def _dino(p: Any, model: Any, image: Any, pixels: Any, threshold: float, told: Any) -> Any:
    inputs = p(images=image, text=[list(PHRASES)], return_tensors="pt")
    inputs["pixel_values"] = pixels
    out = model(**inputs)
    options = {"threshold": threshold, "text_threshold": threshold,
               "target_sizes": [(image.height, image.width)]}  # fmt: skip
    (whole,) = p.post_process_grounded_object_detection(out, **options)
    separators = torch.isin(inputs["input_ids"][0], torch.tensor([101, 102, 1012]))
    out.logits[0][:, : len(separators)][:, separators] = -torch.inf
    (found,) = p.post_process_grounded_object_detection(out, **options)
    told["separators"] += len(whole["boxes"]) - len(found["boxes"])
    return {
        **{name: found[name] for name in ("boxes", "scores")},
        "labels": [
            [phrase for phrase in PHRASES if set(phrase.split()) & set(label.split())]
            for label in found["text_labels"]
        ],
    }


def _owl(p: Any, model: Any, image: Any, pixels: Any, threshold: float, told: Any) -> Any:
    inputs = p(text=[[f"a photo of a {name}" for name in PHRASES]], images=image,
               return_tensors="pt")  # fmt: skip
    inputs["pixel_values"] = pixels
    (found,) = p.post_process_grounded_object_detection(
        model(**inputs), threshold=threshold, target_sizes=[(image.height, image.width)],
        text_labels=[list(PHRASES)],
    )  # fmt: skip
    return {
        **{name: found[name] for name in ("boxes", "scores")},
        "labels": [[one] for one in found["text_labels"]],
    }


def _omdet(p: Any, model: Any, image: Any, pixels: Any, threshold: float, told: Any) -> Any:
    inputs = p(image, text=list(PHRASES), return_tensors="pt")
    inputs["pixel_values"] = pixels
    (found,) = p.post_process_grounded_object_detection(
        model(**inputs), text_labels=list(PHRASES), threshold=threshold,
        target_sizes=[(image.height, image.width)],
    )  # fmt: skip
    return {
        **{name: found[name] for name in ("boxes", "scores")},
        "labels": [[one] for one in found["text_labels"]],
    }


def _sam3(p: Any, model: Any, image: Any, pixels: Any, threshold: float, told: Any) -> Any:
    parts = []
    for phrase in PHRASES:
        inputs = p(images=image, text=phrase, return_tensors="pt")
        inputs["pixel_values"] = pixels
        inputs.pop("original_sizes", None)
        (found,) = p.post_process_instance_segmentation(
            model(**inputs), threshold=threshold, mask_threshold=0.5,
            target_sizes=[(image.height, image.width)],
        )  # fmt: skip
        parts.append((found, [phrase] * len(found["boxes"])))
    several = {name: torch.cat([part[name] for part, _ in parts if len(part[name])])
               for name in ("boxes", "scores", "masks")}  # fmt: skip
    return {**several, "labels": [[label] for _, labels in parts for label in labels]}


def _heat(p: Any, model: Any, image: Any, pixels: Any, asked: Any, mine: Any, told: Any) -> None:
    inputs = p(text=list(PHRASES), images=[image] * len(PHRASES), padding="max_length",
               max_length=16, truncation=True, return_tensors="pt")  # fmt: skip
    inputs["pixel_values"] = pixels.expand(len(PHRASES), -1, -1, -1)
    heat = model(**inputs).logits.sigmoid()
    told["scores"] = max(told["scores"], float(np.abs(heat.numpy() - mine["scores"]).max()))
    size = (image.height, image.width)
    large = torch.nn.functional.interpolate(heat[None], size, mode="bilinear")[0]
    shape = (len(PHRASES), *size)
    masks = np.unpackbits(mine["masks"], count=int(np.prod(shape))).reshape(shape).astype(bool)
    _compare_masks(masks, (large > asked["threshold"]).numpy(), told)
    told["compared"] += len(PHRASES)


if __name__ == "__main__":
    print_comparisons(compare)
