"""OWLv2: find what short names name; many classes at once, weaker on long phrases.

Runs `transformers.Owlv2ForObjectDetection` on its folders and hub ids. Weights and method:
Minderer et al. 2023, arXiv:2306.09683, Apache-2.0.

Limits: 16 word pieces for a phrase, the rest is cut; English.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from segue.detect import Detection
from segue.detect.captions import distinct_names, normalize_phrase
from segue.detect.resizing import DetectorResizing
from segue.detect.suppression import detections_of, group_by_phrase, read_phrases, score_floor
from segue.errors import ModelError
from segue.runtime import device as devices
from segue.runtime.weights import (
    load_pretrained,
    load_tokenizer,
    locate,
    read_json,
    read_options,
    require_model_type,
)
from segue.values.box import Size
from segue.values.image import Image

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class OwlOptions:
    """Settings that travel with the weights, in `segue.json`."""

    box_threshold: float = 0.1
    """Its scores are lower than those of Grounding DINO."""
    nms_iou: float = 0.5
    """Of two boxes for one phrase that overlap more, the better one stays."""
    template: str = "a photo of a {}"
    """How a phrase is put to the text encoder."""

    @classmethod
    def read(cls, place: Path) -> "OwlOptions":
        """Read the settings beside the weights at `place`; those of the published models else."""
        settings = read_options(place)
        return cls(**{k: settings[k] for k in cls.__dataclass_fields__ if k in settings})


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "Owlv2":
    """Load an OWLv2 model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format; None: as `segue.runtime.device.pick` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import Owlv2ForObjectDetection

    place = devices.pick(device, dtype)
    path = locate(source)
    require_model_type(path, "owlv2")
    model = load_pretrained(Owlv2ForObjectDetection, path)
    tokenizer = load_tokenizer(path)
    options, resizing = OwlOptions.read(path), _resizing(path, model)
    return Owlv2(model, tokenizer, options, resizing, place, name or str(source))


def _resizing(path: Path, model: Any) -> DetectorResizing:
    settings, side = (
        read_json(path, "preprocessor_config.json"),
        model.config.vision_config.image_size,
    )
    return DetectorResizing(
        fixed=Size(side, side),
        mean=tuple(settings.get("image_mean") or _CLIP_MEAN),
        std=tuple(settings.get("image_std") or _CLIP_STD),
    )


class Owlv2:
    """An OWLv2 model, ready to find things."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        options: OwlOptions,
        resizing: DetectorResizing,
        place: devices.Placement,
        name: str,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.options = options
        self.resizing = resizing
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device, self.dtype)

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of every phrase. See `segue.detect.Detector.find`.

        The default of `box_threshold` is 0.1 and that of `text_threshold` 0: phrases are not mixed
        in one text here, so there is nothing for the second one to tell apart.
        """
        wanted_phrases = read_phrases(phrases)
        floor = score_floor(box_threshold, text_threshold, self.options.box_threshold, 0.0)
        names = distinct_names(wanted_phrases)
        if not names:
            return []
        scores, boxes = self.run_network(image, names)
        corners = self._corners(boxes, image.size)
        best, answers = scores.argmax(1), {}
        for phrase in wanted_phrases:
            if (name := normalize_phrase(phrase)) not in names:
                continue
            phrase_scores = scores[:, names.index(name)]
            is_best = (best == names.index(name)) & (phrase_scores > floor)
            answers[phrase] = detections_of(
                phrase, corners[is_best], phrase_scores[is_best], image.size, self.options.nms_iou
            )
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
            and size in fractions of the longer side; float32.

        Raises:
            ModelError: the network gave numbers that are not finite.
        """
        words = self.tokenizer(
            [self.options.template.format(name) for name in names],
            padding="max_length",
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.device)
        pixels = torch.from_numpy(self.network_pixels(image))[None]
        out = self.model(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            pixel_values=pixels.to(self.device, self.dtype),
        )
        logits, boxes = out.logits[0].float(), out.pred_boxes[0].float()
        if not bool(logits.isfinite().all()) or not bool(boxes.isfinite().all()):
            raise ModelError(
                f"The detector {self.name!r} gave numbers that are not finite in {self.dtype}. "
                "Load it with dtype='float32'."
            )
        return logits.sigmoid().cpu().numpy(), boxes.cpu().numpy()

    def network_pixels(self, image: Image) -> np.ndarray:
        """Return the network's input, (3, h, w) float32.

        As in the original program, the picture is put at the top left of a black square, smoothed
        by as much as it will shrink, and resized bilinearly.
        """
        square = _padded_to_square(image)
        height, width = self.resizing.size_for(image.size)
        sigma_y, sigma_x = ((len(square) / side - 1) / 2 for side in (height, width))
        if min(sigma_y, sigma_x) > 0:
            kernel = [2 * math.ceil(3 * sigma) + 1 for sigma in (sigma_x, sigma_y)]
            square = cv2.GaussianBlur(
                square, kernel, sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT_101
            )
        small = cv2.resize(square, (width, height), interpolation=cv2.INTER_LINEAR)
        return self.resizing.normalized(small.transpose(2, 0, 1))

    def _corners(self, boxes: np.ndarray, size: Size) -> np.ndarray:
        """Boxes as corners in pixels: the network saw a square of the longer side."""
        centres, sides = boxes[:, :2], boxes[:, 2:]
        return np.concatenate([centres - sides / 2, centres + sides / 2], 1) * max(size)


def _padded_to_square(image: Image) -> np.ndarray:
    """Return the picture at the top left of a black square, (S, S, 3) float32 in [0, 1]."""
    height, width = image.size
    square = np.zeros((max(height, width), max(height, width), 3), np.float32)
    np.divide(image.array, 255, out=square[:height, :width], dtype=np.float32)
    return square
