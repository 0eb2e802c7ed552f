"""What this package's segmenters and detectors make of pictures, written to a folder."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from segue.detect import Detection
from segue.values.box import Box, Size
from segue.values.image import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
PHRASES = ("cat", "hot dog", "red cup")
_SIDE = 256


@dataclass(frozen=True, kw_only=True)
class Grounder:
    """A backend, and the classes of transformers that are its official code."""

    miniature: str
    """A function of `tests/tiny_models.py`."""
    module: str
    processor: str
    image_processor: str
    model: str
    tokenizer: str = ""
    pixels: tuple[tuple[str, Any], ...] = ()
    """Settings of the image processor that the miniature's own files do not hold."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Of the miniature."""

    @property
    def segments(self) -> bool:
        """True for a segmenter, False for a detector."""
        return self.module.startswith("segue.segment")


_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_PADDED = {"size": {"longest_edge": _SIDE}, "pad_size": {"height": _SIDE, "width": _SIDE}}
_SQUARE = {"size": {"height": _SIDE, "width": _SIDE}}


def _settings(**values: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(values.items())


GROUNDERS: dict[str, Grounder] = {
    "sam": Grounder(
        miniature="tiny_sam", module="segue.segment.sam", processor="SamProcessor",
        image_processor="SamImageProcessor", model="SamModel",
        pixels=_settings(**_PADDED, **_IMAGENET), arguments=_settings(side=_SIDE),
    ),
    "sam_hq": Grounder(
        miniature="tiny_sam_hq", module="segue.segment.sam_hq", processor="SamHQProcessor",
        image_processor="SamImageProcessor", model="SamHQModel",
        pixels=_settings(**_PADDED, **_IMAGENET), arguments=_settings(side=_SIDE),
    ),
    "sam2": Grounder(
        miniature="tiny_sam2", module="segue.segment.sam2", processor="Sam2Processor",
        image_processor="Sam2ImageProcessor", model="Sam2Model",
        pixels=_settings(**_SQUARE, **_IMAGENET), arguments=_settings(side=_SIDE),
    ),
    "edgetam": Grounder(
        miniature="tiny_edgetam", module="segue.segment.edgetam", processor="Sam2Processor",
        image_processor="Sam2ImageProcessor", model="EdgeTamModel",
        pixels=_settings(**_SQUARE, **_IMAGENET), arguments=_settings(side=_SIDE),
    ),
    "sam3_tracker": Grounder(
        miniature="tiny_sam3", module="segue.segment.sam3", processor="Sam3TrackerProcessor",
        image_processor="Sam3ImageProcessor", model="Sam3TrackerModel",
    ),
    "grounding-dino": Grounder(
        miniature="tiny_grounding_dino", module="segue.detect.grounding_dino",
        processor="GroundingDinoProcessor", image_processor="GroundingDinoImageProcessor",
        model="GroundingDinoForObjectDetection", tokenizer="BertTokenizer",
        pixels=_settings(size={"shortest_edge": 224, "longest_edge": 384}, **_IMAGENET),
        arguments=_settings(nms_iou=1.0),
    ),
    "mm-grounding-dino": Grounder(
        miniature="tiny_grounding_dino", module="segue.detect.grounding_dino",
        processor="GroundingDinoProcessor", image_processor="GroundingDinoImageProcessor",
        model="MMGroundingDinoForObjectDetection", tokenizer="BertTokenizer",
        pixels=_settings(size={"shortest_edge": 224, "longest_edge": 384}, **_IMAGENET),
        arguments=_settings(kind="mm-grounding-dino", nms_iou=1.0),
    ),
    "owlv2": Grounder(
        miniature="tiny_owlv2", module="segue.detect.owlv2", processor="Owlv2Processor",
        image_processor="Owlv2ImageProcessor", model="Owlv2ForObjectDetection",
        tokenizer="CLIPTokenizer", pixels=_settings(**_SQUARE),
        arguments=_settings(side=_SIDE, word_pieces=32, nms_iou=1.0),
    ),
    "omdet-turbo": Grounder(
        miniature="tiny_omdet_turbo", module="segue.detect.omdet_turbo",
        processor="OmDetTurboProcessor", image_processor="DetrImageProcessor",
        model="OmDetTurboForObjectDetection", tokenizer="CLIPTokenizer",
        arguments=_settings(word_pieces=77),
    ),
    "clipseg": Grounder(
        miniature="tiny_clipseg", module="segue.detect.clipseg", processor="CLIPSegProcessor",
        image_processor="ViTImageProcessor", model="CLIPSegForImageSegmentation",
        tokenizer="CLIPTokenizer",
        pixels=_settings(size={"height": 64, "width": 64}, **_IMAGENET, resample=2),
        arguments=_settings(box_threshold=0.0, min_area=0.0, mask_threshold=0.5),
    ),
    "sam3": Grounder(
        miniature="tiny_sam3", module="segue.detect.sam3", processor="Sam3Processor",
        image_processor="Sam3ImageProcessor", model="Sam3Model", tokenizer="CLIPTokenizer",
    ),
}  # fmt: skip
"""By model type. The official code suppresses no overlaps but in OmDet-Turbo: so here."""


def write_grounder(kind: str, folder: Path, files: list[Path]) -> None:
    """Write a miniature of `kind`, and what the backend makes of pictures, into `folder`."""
    import tiny_models

    grounder = GROUNDERS[kind]
    place = folder / "model"
    getattr(tiny_models, grounder.miniature)(place, **dict(grounder.arguments))
    if grounder.pixels:
        (place / "preprocessor_config.json").write_text(json.dumps(dict(grounder.pixels)))
    backend = import_module(grounder.module).load(place, device="cpu", dtype="float32")
    ask = _segment if grounder.segments else _detect
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {
        "classes": [grounder.processor, grounder.image_processor, grounder.model,
                    grounder.tokenizer],
        "asked": {}, "refused": {},
    }  # fmt: skip
    for file in files:
        image = Image.open(file)
        try:
            asked, found = ask(backend, image)
            found["pixels"] = _PIXELS[grounder.module](backend, image)
        except Exception as error:
            facts["refused"][file.name] = str(error)[:200]
            continue
        facts["asked"][file.name] = asked
        arrays |= {f"{file.name}/{name}": value for name, value in found.items()}
    np.savez(folder / "package.npz", **arrays)
    (folder / "package.json").write_text(json.dumps(facts), encoding="utf-8")


def prompts_of(size: Size) -> list[dict[str, Any]]:
    """Return a box, a box with a click, one click, and one on and one off an object."""
    height, width = size
    box = [0.2 * width, 0.25 * height, 0.7 * width, 0.8 * height]
    on, off = [0.4 * width, 0.6 * height], [0.8 * width, 0.2 * height]
    return [
        {"box": box},
        {"box": box, "points": [off], "labels": [0]},
        {"points": [on], "labels": [1]},
        {"points": [on, off], "labels": [1, 0]},
    ]


def _segment(backend: Any, image: Image) -> tuple[Any, dict[str, np.ndarray]]:
    view = backend.look(image)
    prompts = prompts_of(image.size)
    masks = []
    for prompt in prompts:
        (mask,) = view.mask(
            boxes=[Box(*prompt["box"])] if "box" in prompt else None,
            points=[[tuple(point) for point in prompt["points"]]] if "points" in prompt else None,
            labels=[prompt["labels"]] if "labels" in prompt else None,
        )
        masks.append(mask)
    return prompts, {
        "masks": np.packbits(np.stack([mask.array for mask in masks])),
        "scores": np.array([mask.score for mask in masks], np.float32),
    }


def _detect(backend: Any, image: Image) -> tuple[Any, dict[str, np.ndarray]]:
    if hasattr(backend, "heat_maps"):
        return _map_heat(backend, image)
    threshold = _in_widest_gap(backend.find(image, PHRASES, 0.0, 0.0))
    found = backend.find(image, PHRASES, threshold, threshold)
    asked = {"threshold": threshold, "phrases": [one.phrase for one in found]}
    arrays = {
        "boxes": np.array([one.box.corners for one in found]).reshape(-1, 4),
        "scores": np.array([one.score for one in found], np.float32),
    }
    if found and found[0].mask is not None:
        arrays["masks"] = np.packbits(np.stack([one.mask.array for one in found]))
    return asked, arrays


def _map_heat(backend: Any, image: Image) -> tuple[Any, dict[str, np.ndarray]]:
    """CLIPSeg's probabilities, and the pixels of all regions of each phrase."""
    masks = np.zeros((len(PHRASES), *image.size), bool)
    for one in backend.find(image, PHRASES):
        masks[PHRASES.index(one.phrase)] |= one.mask.array
    heat = np.stack([values.numpy() for values in backend.heat_maps(image, PHRASES)])
    asked = {"threshold": backend.options.mask_threshold, "phrases": list(PHRASES)}
    return asked, {"masks": np.packbits(masks), "scores": heat}


def _in_widest_gap(found: list[Detection]) -> float:
    """Return a threshold in the middle half of the scores that rounding moves nothing across."""
    scores = np.sort([one.score for one in found])
    middle = scores[len(scores) // 4 : -(len(scores) // 4) or None]
    if len(middle) < 2:
        return 0.0
    gap = int(np.diff(middle).argmax())
    return float(middle[gap : gap + 2].mean())


def _sam_pixels(backend: Any, image: Image) -> np.ndarray:
    return backend.pixels(image)[0].numpy()


def _kept_pixels(backend: Any, image: Image) -> np.ndarray:
    return np.asarray(backend._inputs.get(image))[None]


def _dino_pixels(backend: Any, image: Image) -> np.ndarray:
    return backend._pad([backend._inputs.get(image)])[0].numpy()


def _owl_pixels(backend: Any, image: Image) -> np.ndarray:
    return np.asarray(backend.network_pixels(image))[None]


def _sam3_pixels(backend: Any, image: Image) -> np.ndarray:
    import torch

    return backend.pixels.normalized(torch.from_numpy(backend._inputs.get(image))[None]).numpy()


_PIXELS: dict[str, Callable[[Any, Image], np.ndarray]] = {
    **{f"segue.segment.{name}": _sam_pixels for name in ("sam", "sam_hq", "sam2", "edgetam")},
    "segue.segment.sam3": _sam_pixels,
    "segue.detect.grounding_dino": _dino_pixels,
    "segue.detect.owlv2": _owl_pixels,
    "segue.detect.omdet_turbo": _kept_pixels,
    "segue.detect.clipseg": _kept_pixels,
    "segue.detect.sam3": _sam3_pixels,
}
"""What goes to the network, (1, 3, h, w) float32."""
