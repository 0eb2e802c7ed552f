"""OmDet-Turbo: find what many phrases name in one quick run of the network.

Runs `transformers.OmDetTurboForObjectDetection` on its folders and hub ids. Weights and method:
Zhao et al. 2024, arXiv:2403.06892, Apache-2.0. The published backbone is timm's; here it is
transformers' own with the same weights and numbers, so neither timm nor torchvision is needed.

All phrases of a call go through the network together, and into one task, "Detect cat, hot dog.",
that it reads too: the score of a phrase depends a little on the others. As in transformers'
processor, of all pairs of a box and a phrase as many as there are boxes count, those that score
highest; then those above the threshold, 0.3; then, for each phrase, those that overlap a better one
by no more than 0.5.

Limits: 77 word pieces for a phrase, and for the task, of which the rest is cut; English.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segue.detect import Detection
from segue.detect.captions import distinct_names, normalize_phrase
from segue.detect.kept_features import KeptPictures
from segue.detect.omdet_backbone import (
    is_of_timm,
    settings_without_timm,
    shift_as_timm,
    tensors_without_timm,
)
from segue.detect.resizing import DetectorResizing
from segue.detect.suppression import clip_boxes, group_by_phrase, read_phrases, score_floor
from segue.errors import ModelError
from segue.runtime import device as devices
from segue.runtime.prepared_inputs import PreparedInputs
from segue.runtime.weights import (
    load_pretrained,
    load_tokenizer,
    locate,
    read_json,
    read_options,
    read_tensors,
    require_model_type,
)
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.nms import nms

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MOST_WORD_PIECES = 77


@dataclass(frozen=True, kw_only=True)
class OmDetOptions:
    """Settings that travel with the weights, in `segue.json`."""

    box_threshold: float = 0.3
    """Boxes that score above this count, as in transformers' processor."""
    nms_iou: float = 0.5
    """Of two boxes for one phrase that overlap more, the better one stays."""

    @classmethod
    def read(cls, place: Path) -> "OmDetOptions":
        """Read the settings beside the weights at `place`; those of the published model else."""
        settings = read_options(place)
        return cls(**{k: float(settings[k]) for k in cls.__dataclass_fields__ if k in settings})


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "OmDetTurbo":
    """Load an OmDet-Turbo model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image backbone; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model, or the backbone is one
            that only timm has.
    """
    path = locate(source)
    require_model_type(path, "omdet-turbo")
    model = read_omdet_turbo(path)
    tokenizer = load_tokenizer(path)
    place = devices.pick_for_encoder(device, dtype, model.num_parameters())
    resizing, options = _resizing(path, model.config.image_size), OmDetOptions.read(path)
    return OmDetTurbo(model, tokenizer, options, resizing, place, name or str(source))


def read_omdet_turbo(path: Path) -> Any:
    """Read the transformers model in a folder, float32, on the processor, with a backbone of its
    own.

    Raises:
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import OmDetTurboConfig, OmDetTurboForObjectDetection

    settings = read_json(path, "config.json")
    if is_of_timm(settings):
        file = path / "model.safetensors"
        config = OmDetTurboConfig.from_dict(settings_without_timm(settings))
        tensors = tensors_without_timm(read_tensors(file))
        model = load_pretrained(OmDetTurboForObjectDetection, config=config, tensors=tensors)
        shift_as_timm(model.vision_backbone.vision_backbone)
        return model
    if settings.get("apply_layernorm_after_vision_backbone", True):
        raise ModelError(
            f"{path / 'config.json'} must set apply_layernorm_after_vision_backbone to false: the "
            "backbones of transformers have their norms inside."
        )
    return load_pretrained(OmDetTurboForObjectDetection, path)


def _resizing(path: Path, side: int) -> DetectorResizing:
    settings = read_json(path, "preprocessor_config.json") or read_json(
        path, "processor_config.json"
    ).get("image_processor", {})
    size = settings.get("size") or {}
    mean, std = settings.get("image_mean") or _MEAN, settings.get("image_std") or _STD
    if not settings.get("do_rescale", True):  # the published numbers are of pixels up to 255
        mean, std = ([value / 255 for value in values] for values in (mean, std))
    return DetectorResizing(
        fixed=Size(int(size.get("height", side)), int(size.get("width", side))),
        mean=tuple(mean),
        std=tuple(std),
    )


class OmDetTurbo:
    """An OmDet-Turbo model, ready to find things."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        options: OmDetOptions,
        resizing: DetectorResizing,
        place: devices.Placement,
        name: str,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.options = options
        self.resizing = resizing
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.model.config.disable_custom_kernels = True
        visual = self.model.vision_backbone
        visual.vision_backbone = self._pictures = KeptPictures(
            HalfPrecision(visual.vision_backbone, place)
        )
        self._inputs = PreparedInputs(lambda image: self.resizing.pixels(image))
        self.max_tokens = min(
            _MOST_WORD_PIECES, self.model.config.text_config.max_position_embeddings
        )

    def limit_memory(self, *, features: int) -> None:
        """Set how many bytes the features of pictures may hold that were searched before."""
        self._pictures.kept.budget_bytes = features

    def memory_bytes(self) -> int:
        """Return how many bytes they hold now."""
        return self._pictures.kept.size_bytes

    def prepare(self, image: Image) -> None:
        """Resize a picture ahead, in any thread. See `segue.detect.BatchDetector.prepare`."""
        self._inputs.prepare(image)

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of every phrase. See `segue.detect.Detector.find`.

        The default of `box_threshold` is 0.3 and that of `text_threshold` 0: each phrase has a
        score of its own, so there is nothing for the second one to tell apart.
        """
        wanted_phrases = read_phrases(phrases)
        floor = score_floor(box_threshold, text_threshold, self.options.box_threshold, 0.0)
        names = distinct_names(wanted_phrases)
        if not names:
            return []
        scores, boxes = self.run_network(image, names)
        rows, columns = best_pairs(scores)
        corners = boxes_to_corners(boxes, image.size)
        answers = {}
        for phrase in dict.fromkeys(wanted_phrases):
            if (name := normalize_phrase(phrase)) in names:
                own = rows[columns == names.index(name)]
                phrase_scores = scores[own, names.index(name)]
                own, phrase_scores = (
                    own[phrase_scores > floor],
                    phrase_scores[phrase_scores > floor],
                )
                answers[phrase] = self._detections(phrase, corners[own], phrase_scores, image.size)
        return group_by_phrase(wanted_phrases, answers)

    def find_many(
        self,
        images: Sequence[Image],
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[list[Detection]]:
        """`find` for several pictures, one after the other."""
        return [self.find(image, phrases, box_threshold, text_threshold) for image in images]

    @torch.inference_mode()
    def run_network(self, image: Image, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Run the network.

        Returns:
            scores (Q, P) in [0, 1] for each of its places and phrases, and boxes (Q, 4), centre
            and size in fractions of the picture; float32.

        Raises:
            ModelError: the network gave numbers that are not finite.
        """
        classes, task = self._words(names), self._words([f"Detect {', '.join(names)}."])
        pixels = torch.from_numpy(self._inputs.get(image))[None]
        out = self.model(
            pixel_values=pixels.to(self.device),
            classes_input_ids=classes["input_ids"],
            classes_attention_mask=classes["attention_mask"],
            tasks_input_ids=task["input_ids"],
            tasks_attention_mask=task["attention_mask"],
            classes_structure=torch.tensor([len(names)], device=self.device),
        )
        logits, boxes = out.decoder_class_logits[0].float(), out.decoder_coord_logits[0].float()
        if not bool(logits.isfinite().all()) or not bool(boxes.isfinite().all()):
            raise ModelError(
                f"The detector {self.name!r} gave numbers that are not finite in {self.dtype}. "
                "Load it with dtype='float32'; if it was, the weights are damaged."
            )
        return logits.sigmoid().cpu().numpy(), boxes.cpu().numpy()

    def _words(self, texts: Sequence[str]) -> Any:
        return self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.device)

    def _detections(
        self, phrase: str, corners: np.ndarray, scores: np.ndarray, size: Size
    ) -> list[Detection]:
        kept = nms(corners, scores, self.options.nms_iou)  # before boxes are clipped, as published
        clipped = clip_boxes(corners[kept], size)
        return [
            Detection(phrase, Box(*map(float, box)), float(score))
            for box, score in zip(clipped, scores[kept])
            if box[2] > box[0] and box[3] > box[1]
        ]


class HalfPrecision(nn.Module):
    """A backbone of transformers that computes in half precision where that is asked for."""

    def __init__(self, backbone: nn.Module, place: devices.Placement) -> None:
        super().__init__()
        self.backbone = backbone
        self.place = place

    def forward(self, pixel_values: Tensor, **options: Any) -> SimpleNamespace:
        """Encode pixels (N, 3, H, W); `feature_maps` float32."""
        with devices.autocast(*self.place):
            maps = self.backbone(pixel_values, **options).feature_maps
        return SimpleNamespace(feature_maps=tuple(level.float() for level in maps))


def best_pairs(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the Q highest of scores (Q, P)."""
    best = np.argsort(-scores, axis=None, kind="stable")[: len(scores)]
    rows, columns = np.unravel_index(best, scores.shape)
    return rows, columns


def boxes_to_corners(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Return boxes (Q, 4), centre and size in fractions, as corners in pixels, not clipped."""
    centres, sides = boxes[:, :2], boxes[:, 2:]
    corners = np.concatenate([centres - sides / 2, centres + sides / 2], 1)
    return corners * (size.width, size.height, size.width, size.height)
